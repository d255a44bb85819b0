// Package transfer copies files and trees from one storage driver to another, or within one, and reads back what it wrote.
//
// A copy that was interrupted is continued by copying again: what is there already is left out, and the upload of a large file
// goes on where it was suspended. Nothing is held in memory but buffers and files of at most 64 KiB.
package transfer
