package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
)

// Sum is the sha256 of data in hexadecimal.
func Sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// SumReader is the sha256 of what r gives, and its length.
func SumReader(r io.Reader) (sum string, n int64, err error) {
	h := sha256.New()
	n, err = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// SumFile is the sha256 of a file's bytes, and their number.
func SumFile(path string) (sum string, n int64, err error) {
	f, err := openRegular(path)
	if err != nil {
		return "", 0, asFileError(path, err)
	}
	defer func() { _ = f.Close() }()
	if sum, n, err = SumReader(f); err != nil {
		return "", 0, asFileError(path, err)
	}
	return sum, n, nil
}

// NewFile describes the file at path as an artifact of the run in dir.
func NewFile(dir, path, name string) (File, error) {
	sum, n, err := SumFile(path)
	if err != nil {
		return File{}, err
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return File{}, asFileError(path, err)
	}
	return File{Name: name, Path: filepath.ToSlash(rel), Bytes: n, SHA256: sum}, nil
}

// Sound reports whether the artifact is in the run's folder as the manifest says.
func (f File) Sound(dir string) bool {
	if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
		return false
	}
	path := filepath.Join(dir, filepath.FromSlash(f.Path))
	info, err := os.Stat(path)
	if err != nil || info.Size() != f.Bytes || !info.Mode().IsRegular() {
		return false
	}
	got, err := NewFile(dir, path, f.Name)
	return err == nil && got.SHA256 == f.SHA256
}
