package refvec

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/ops/tensor"
)

// DataFolder finds the folder of shared data that a text names ("MNIST training images in file order"), and returns its
// path. If there is none the test is skipped, or fails when CI=true, as with [Folder].
func DataFolder(t testing.TB, text string) string {
	t.Helper()
	root := Folder(t, "data")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for _, e := range entries {
		if name := e.Name(); e.IsDir() && len(name) > len(found) && strings.Contains(strings.ToLower(text), strings.ToLower(name)) {
			found = name
		}
	}
	if found == "" {
		t.Fatalf("%s has no folder that %q names", root, text)
	}
	return filepath.Join(root, found)
}

// Images reads the first n images of a folder's training or test data ("train", "test"), in
// file order, as pixel/127.5 - 1, NHWC, with their labels. The folder has MNIST's four IDX files,
// or CIFAR-10's binary files (records of a label and 3·32·32 bytes).
func Images(t testing.TB, dir, split string, n int) (x []float32, labels []int32, shape tensor.Shape) {
	t.Helper()
	idx := map[string]string{"train": "train", "test": "t10k"}[split]
	if found, _ := filepath.Glob(filepath.Join(dir, idx+"-images*")); len(found) > 0 {
		return idxImages(t, dir, idx, n)
	}
	pattern := map[string]string{"train": "data_batch_*.bin", "test": "test_batch.bin"}[split]
	files, _ := filepath.Glob(filepath.Join(dir, pattern))
	if len(files) == 0 {
		t.Fatalf("%s has neither %s-images* nor %s", dir, idx, pattern)
	}
	const size = 32 * 32
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(data) > 3*size && len(labels) < n; data = data[1+3*size:] {
			labels = append(labels, int32(data[0]))
			for p := range size {
				for c := range 3 {
					x = append(x, float32(float64(data[1+c*size+p])/127.5-1))
				}
			}
		}
	}
	if len(labels) < n {
		t.Fatalf("%s has %d images of %s, not %d", dir, len(labels), split, n)
	}
	return x, labels, tensor.Shape{H: 32, W: 32, C: 3}
}

func idxImages(t testing.TB, dir, prefix string, n int) (x []float32, labels []int32, shape tensor.Shape) {
	t.Helper()
	read := func(kind string, header, size int) []byte {
		files, _ := filepath.Glob(filepath.Join(dir, prefix+kind+"*"))
		if len(files) == 0 {
			t.Fatalf("%s has no %s%s", dir, prefix, kind)
		}
		f, err := os.Open(files[0])
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		var r io.Reader = bufio.NewReader(f)
		if head, _ := r.(*bufio.Reader).Peek(2); string(head) == "\x1f\x8b" {
			if r, err = gzip.NewReader(r); err != nil {
				t.Fatal(err)
			}
		}
		b := make([]byte, header)
		if _, err = io.ReadFull(r, b); err == nil {
			if size < 0 {
				shape = tensor.Shape{H: int(binary.BigEndian.Uint32(b[8:])), W: int(binary.BigEndian.Uint32(b[12:])), C: 1}
				size = shape.H * shape.W
			}
			b = make([]byte, size*n)
			_, err = io.ReadFull(r, b)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			t.Fatalf("%s has fewer than %d entries", files[0], n)
		} else if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, p := range read("-images", 16, -1) {
		x = append(x, float32(float64(p)/127.5-1))
	}
	for _, l := range read("-labels", 8, 1) {
		labels = append(labels, int32(l))
	}
	return x, labels, shape
}
