// Package filesystem keeps objects as files below a directory, in the layout and with the
// parameters of distribution's driver of this name: the object at /a/b is the file
// ROOT/a/b, so that either registry opens what the other committed.
//
// # Parameters
//
//	rootdirectory  the directory; it is made when it does not exist   /var/lib/registry
//	maxthreads     calls that use the file system at one time, at least 25        100
//	fsync          full or off: what survives a loss of power                     full
//
// # What it owes
//
// An object is written to a temporary file in its directory, synced, renamed into place, and
// the directory synced, as are those that were made for it. With fsync full, what a call has stored, moved or deleted is so
// after a loss of power, and a suspended upload has the size that Close reported; of an upload that was
// not suspended the parts since then may be lost. This holds on file systems whose renames are atomic on the disk,
// as those with a journal are.
//
// With fsync off nothing is synced, and nothing is lost but by a loss of power (or a crash of the system): what
// was stored or deleted in the seconds before it, some 30 with Linux's defaults, may be undone, and an object or suspended
// upload from that time may be there empty, shorter or with zeros in it. A process that
// crashes or is killed loses nothing then.
//
// With fsync full, a process that crashes or is killed loses nothing that a call has stored, moved, deleted or suspended. Of an
// upload that is under way it loses up to about one second of the parts that were accepted, for they are synced, and counted,
// once a second; and, with fsync off too, the part that is collected in memory.
//
// Symbolic links are followed inside the root directory and refused
// when they lead out of it. Files other than regular ones, and names that are no path of a
// store (lost+found), are not there.
//
// What a killed process was storing stays beside the object until the next Put of that object
// takes its place, or the directory is deleted. Directories that hold nothing but directories
// are nothing: an object may take their place.
//
// # Unfinished uploads
//
// The upload to /a/b lies in the directory ROOT/a/b~ as one file, to which parts are appended, and
// which is renamed to /a/b when it is committed. Its name says which writer goes on with it and how
// many bytes count for others, who see that size if they open it meanwhile. These are synced. What
// the file has beyond them counts for that writer alone: a second of its parts, or none with fsync
// off. Suspending syncs them and makes them count. What a killed process wrote beyond what counts is
// cut off by the next writer.
//
// A part is written under a lock (flock) on the file, and the writer who goes on is changed by
// renaming it, so of two writers that continue one upload the first whose part is accepted has it,
// and the other gets KindConflict. A writer that was opened after another's last part takes the
// upload from that one, with what counted then. After a sync that failed, what was not synced
// before does not count.
//
// Writers that begin anew have a file each, and each may be committed. One that continues the upload continues
// the file written last, and with its commit or cancel the others end that were there when it was opened, unless their
// writers have gone on since.
//
// A file that distribution left unfinished is committed content here (it writes in place):
// AbilityAppendCommitted continues it, on a copy, which costs nothing where the file system can
// share blocks.
//
// A file system without flock refuses uploads in parts with KindUnsupported; on systems without
// it the driver declares none of AbilityParts, AbilityAppendCommitted and AbilityConditional.
// The "~" makes the longest name of an object that is uploaded in parts 254 bytes.
package filesystem
