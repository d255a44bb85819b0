package chunked

import (
	"crypto/md5" //nolint:gosec // what backends ask for; it guards against accidents only
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
)

// digestNames are the digests that Limits.Digests may ask for.
var digestNames = []string{"sha256", "md5", "crc32c"}

// digests returns the named digests of data, raw; crc32c is big-endian, as S3 and GCS want it.
func digests(names []string, data []byte) map[string][]byte {
	if len(names) == 0 {
		return nil
	}
	out := make(map[string][]byte, len(names))
	for _, name := range names {
		switch name {
		case "sha256":
			sum := sha256.Sum256(data)
			out[name] = sum[:]
		case "md5":
			sum := md5.Sum(data) //nolint:gosec // as above
			out[name] = sum[:]
		case "crc32c":
			out[name] = binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
		}
	}
	return out
}
