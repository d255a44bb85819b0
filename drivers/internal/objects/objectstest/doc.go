// Package objectstest has what the tests of every object store's driver share: a proxy on loopback that spoils connections
// ([NewProxy], [Toxics]), and what a driver owes its callers meanwhile ([UnderToxics]).
package objectstest
