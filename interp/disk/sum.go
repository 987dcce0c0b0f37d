package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"io"

	"qpipe/lang/files"
)

// Sum is the sha256 of data in hexadecimal.
func Sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// SumReader is the sha256 of the bytes of r, and their number.
func SumReader(r io.Reader) (sum string, n int64, err error) {
	h := sha256.New()
	n, err = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// SumFile is the sha256 of a regular file's bytes, inside or outside of a Disk.
func SumFile(path string) (string, error) {
	f, err := files.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum, _, err := SumReader(f)
	return sum, err
}
