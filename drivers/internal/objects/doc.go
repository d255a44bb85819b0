// Package objects is what the drivers of object stores share: bodies that outlive their connection ([Open], [Body]), the
// deletion of many keys in batches ([DeleteAll]), connections ([Transport]), and the classes of HTTP status codes ([Status]).
// It knows no service. A driver gives it functions that make one request each, and that return *storagedriver.Error values
// for whatever the service answered.
package objects
