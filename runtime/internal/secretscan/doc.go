// Package secretscan finds secrets in bytes: as they are, and in the forms in which servers and
// programs commonly write them. It guards what drivers are given, and the tests look for leaks with it.
package secretscan
