package datasets

import (
	"bytes"
	"io"
	"testing"
	"testing/fstest"
)

// FuzzPacked: a file says by its content how it is read. Packed or not, the same comes
// out; what is no file of data is an error, or bytes that the file holds.
func FuzzPacked(f *testing.F) {
	pix, labels := digits(2)
	for _, data := range [][]byte{
		idxFile(idxImages, pix, 2, 28, 28), idxFile(idxLabels, labels, 2), records(0, 1), nil, []byte("PK\x03\x04"),
		zip(zip(labels)), zip(labels)[:20],
		{0x1f, 0x8b},
		append(zip(labels), zip(labels)...), []byte("<html>"),
	} {
		f.Add(data)
	}
	all := func(data []byte) ([]byte, error) {
		r, err := openData(fstest.MapFS{"f": {Data: data}}, "f", 9)
		if err != nil {
			return nil, err
		}
		defer func() { _ = r.Close() }()
		return io.ReadAll(io.LimitReader(r, 1<<24))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		plain, err := all(data)
		if len(plain) > 1100*len(data) { // what deflate can pack at most
			t.Fatalf("%d bytes out of %d", len(plain), len(data))
		}
		if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
			return
		}
		packed, packedErr := all(zip(data))
		if (err == nil) != (packedErr == nil) || !bytes.Equal(plain, packed) {
			t.Fatalf("%q, %v; packed: %q, %v", plain, err, packed, packedErr)
		}
	})
}
