// Package seal is a driver that keeps what it is given encrypted with age (age-encryption.org/v1) in a store of the operator's, "under".
// It is an example of a transforming driver: uploads are the store's (berth.Delegate), with each piece passing through Stream, and reads
// are made by Stream from the segments that have the range.
//
// # Format
//
// A file is age files one after the other, so that age reads each: segments, one for each piece of at most 4 MiB, and a seal. What follows
// is in clear, so that sizes need no key. Numbers are little-endian.
//
//	segment ...            age files: a line, and content
//	seal                   an age file: lines
//	entry ...              of each segment, together the table
//	  u32 u32              bytes of it, bytes of content
//	  16 bytes             the first of SHA-256 of its head: the header of the age file, and the nonce after it
//	u32                    number of segments
//	u32                    bytes of the seal
//	32 bytes               SHA-256 of seal, table and the two numbers
//	73 65 61 6c 65 64 2f 31  what the file is known by
//
// The line of a segment, and the seal, are
//
//	berth-seal/1 NNNNNNNN LINK
//
//	berth-seal/1 end
//	segments N
//	bytes N
//	table SHA-256
//	link LINK
//
// and the only segment of a file without a seal, which has at most 128 KiB of content, begins with
//
//	berth-seal/1 whole
//
// with a segment's place from 0 in decimal digits, and links and digests in hexadecimal ones. The first link of a file is 32 random bytes. The next
// one is SHA-256 of the link and the entry of the segment that has it; the seal has the last.
//
// # What that proves
//
// Age proves that an age file is whole, and not who wrote it: recipients are public. A link does: it is in no place but ciphertext, and
// nobody without it makes a segment, or a seal, that has it.
//
//   - An entry names one age file, by the random key and nonce in its head, and the seal has the digest of the table: segments cannot be swapped, repeated,
//     left out or replaced, not even by others that were written for the same place.
//   - The links from a segment's to the seal's are computed from the table. A seal and a table of one file do not go with a segment of another.
//   - The state of an upload that was suspended has the link to come, which those who see the store see too. With it, and the public keys, they can end or go on with that
//     upload as a writer would. The links before it do not follow from it: what has been written stays as it is, unless it is replaced together with the state. A state that does not fit the segments makes a file that is KindCorrupt.
package seal
