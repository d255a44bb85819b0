// Package served makes a Backend of a StorageDriver: what a gate calls when the driver it completes is
// another driver, which lies in another process or behind a guest.
//
// A StorageDriver hides private names, those with "~", so those that come from the gate get names in the public namespace: a
// component with "~", or one that would be taken for such a name, is "-.-" followed by the component with "~" as "-t" and
// "-" as "--". Listings have pages, which one Walk gives out, and the parts of an upload go to a FileWriter that
// is kept from call to call.
package served
