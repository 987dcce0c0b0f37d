package datasets

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// packedZeros is a gzip file of a head and n zero bytes.
func packedZeros(t *testing.T, head []byte, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err == nil {
		_, err = w.Write(head)
	}
	if err == nil {
		_, err = io.CopyN(w, zeros{}, n)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestMemoryFollowsFiles: whatever files announce, and whatever they unpack to, reading
// them takes no more memory than their size, or of a packed one 64 MiB and 200 times it.
func TestMemoryFollowsFiles(t *testing.T) {
	const images, labels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	many := func(dims ...uint32) []byte { return idxFile(idxImages, nil, dims...) }
	pix, digit := digits(4)
	small := map[string][]byte{images: idxFile(idxImages, pix, 4, 28, 28), labels: idxFile(idxLabels, digit, 4)}
	bomb := packedZeros(t, nil, 300<<20)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		most  int // bytes
		says  string
	}{
		{"2^26 images, packed", map[string][]byte{images: packedZeros(t, many(1<<26, 28, 28), 1000)}, 80 << 20, "announces 67108864 items of 784 bytes, but holds"},
		{"2^26 images, plain", map[string][]byte{images: append(many(1<<26, 28, 28), make([]byte, 1000)...)}, 2 << 20, "announces 67108864 items of 784 bytes, but holds 1 at most"},
		{"the largest extents", map[string][]byte{images: many(1<<26, 1<<12, 1<<12)}, 2 << 20, "announces"},
		{"no rows", map[string][]byte{images: many(1<<26, 0, 28), labels: idxFile(idxLabels, nil, 1<<26)}, 2 << 20, ""},
		{"no images", map[string][]byte{images: many(0, 28, 28), labels: idxFile(idxLabels, nil, 0)}, 2 << 20, "hold no image"},
		{"a bomb", map[string][]byte{images: packedZeros(t, many(1<<18, 28, 28), 205520896)}, 90 << 20, "but holds"},
		{"2^26 labels", map[string][]byte{images: small[images], labels: packedZeros(t, idxFile(idxLabels, nil, 1<<26), 1000)}, 80 << 20, "announces 67108864 items of 1 byte, but holds 1000"},
		{"rubbish behind a packed file", map[string][]byte{images: append(packedZeros(t, many(4, 28, 28), 4*784), "rubbish"...), labels: small[labels]}, 2 << 20, "damaged at its end"},
		{"CIFAR-10, a bomb", map[string][]byte{"data_batch_1.bin": bomb}, 4*(64<<20) + 1600*len(bomb), "it unpacks to more than 200 times its size"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{}
			cifar := false
			for name, data := range c.files {
				files["d/"+name] = &fstest.MapFile{Data: data}
				cifar = strings.HasSuffix(name, ".bin")
			}
			d, err := NewMNIST(MNISTArgs{Root: "d", Split: "train"})
			if cifar {
				d, err = NewCIFAR10(CIFAR10Args{Root: "d", Split: "train"})
			}
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = d.Open(func(root string) fs.FS { sub, _ := fs.Sub(files, root); return sub })
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v", err)
			}
			if used := int(after.TotalAlloc - before.TotalAlloc); used > c.most {
				t.Errorf("%d bytes are allocated, at most %d are right", used, c.most)
			}
		})
	}
}
