package datasets

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"qpipe/interp/part"
)

// idxFile makes the bytes of an IDX file.
func idxFile(magic uint32, data []byte, dims ...uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func zip(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// digits are n images whose pixels and labels follow from their number.
func digits(n int) (pix, labels []byte) {
	for i := range n {
		labels = append(labels, byte(i*3%10))
		for j := range 28 * 28 {
			pix = append(pix, byte(i*7+j))
		}
	}
	return pix, labels
}

// mnistFiles are the files of n images under the given spelling of their names.
func mnistFiles(n int, images, labels string) fstest.MapFS {
	pix, lab := digits(n)
	put := func(name string, data []byte) *fstest.MapFile {
		if strings.HasSuffix(name, ".gz") {
			data = zip(data)
		}
		return &fstest.MapFile{Data: data}
	}
	return fstest.MapFS{
		images: put(images, idxFile(idxImages, pix, uint32(n), 28, 28)),
		labels: put(labels, idxFile(idxLabels, lab, uint32(n))),
	}
}

// open makes the data set and opens it over the files.
func open(t *testing.T, d part.Dataset, err error, files fs.FS) (part.Samples, error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return d.Open(func(string) fs.FS { return files })
}

// image reads the image and the label of a sample.
func image(s part.Samples, i int, img *part.Image) (label int, err error) {
	x := part.Sample{Images: []part.Image{*img}, Targets: make([]part.Target, 1)}
	if err := s.Sample(i, &x); err != nil {
		return 0, err
	}
	*img = x.Images[0]
	return int(x.Targets[0].Labels[0]), nil
}

func TestMNISTReadsEverySpelling(t *testing.T) {
	pix, labels := digits(5)
	for _, names := range [][2]string{
		{"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
		{"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"},
		{"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"},
		{"t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte.gz"},
		{"t10k-images-idx3-ubyte/t10k-images-idx3-ubyte", "t10k-labels.idx1-ubyte"},
	} {
		for _, limit := range []int{3, 5} {
			d, err := NewMNIST(MNISTArgs{Root: "x", Split: "test", MaxSamples: limit})
			s, err := open(t, d, err, mnistFiles(5, names[0], names[1]))
			if err != nil {
				t.Fatalf("%v: %v", names, err)
			}
			if s.Len() != limit || d.Spec().Len != limit {
				t.Fatalf("%v: %d images, Spec says %d, want %d", names, s.Len(), d.Spec().Len, limit)
			}
			var img part.Image
			for i := range limit {
				label, err := image(s, i, &img)
				if err != nil || label != int(labels[i]) || img.H != 28 || img.W != 28 || img.C != 1 || !bytes.Equal(img.Pix, pix[i*784:][:784]) {
					t.Fatalf("%v: image %d differs (label %d, %v)", names, i, label, err)
				}
			}
		}
	}
}

func TestMNISTSpecNeedsNoData(t *testing.T) {
	for a, n := range map[[2]any]int{{"train", 0}: 60_000, {"test", 0}: 10_000, {"train", 5000}: 55_000, {"val", 5000}: 5000} {
		d, err := NewMNIST(MNISTArgs{Root: "nowhere", Split: a[0].(string), ValSamples: a[1].(int)})
		if err != nil {
			t.Fatal(err)
		}
		s := d.Spec()
		if in := s.Inputs[0].Shape; s.Len != n || s.Targets[0].Classes != 10 || in.Len() != 0 || in.WithN(1).Len() != 784 {
			t.Errorf("%v: %+v", a, s)
		}
	}
}

// Every way in which the files can be wrong gives an error that names the file and the way out.
func TestMNISTRefuses(t *testing.T) {
	const imageName, labelName = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	pix, labels := digits(4)
	good := idxFile(idxImages, pix, 4, 28, 28)
	packed := zip(good)
	flipped := bytes.Clone(packed)
	flipped[len(flipped)/2] ^= 0x55
	for _, c := range []struct {
		name, file string
		data       []byte
		max        int
		want       []string
	}{
		{"missing images", imageName, nil, 4, []string{"there is no " + imageName, ".gz", "fashion-mnist", "in data/m"}},
		{"missing labels", labelName, nil, 4, []string{"there is no " + labelName, "https://"}},
		{"empty", imageName, []byte{}, 4, []string{imageName, "is an empty file"}},
		{"half a header", imageName, good[:10], 4, []string{imageName, "ends within its header"}},
		{"labels as images", imageName, idxFile(idxLabels, labels, 4), 4, []string{imageName, "0x00000801", "0x00000803", "fetch the file again"}},
		{"cut off", imageName, good[:len(good)-17], 4, []string{imageName, "4 items", "holds 3"}},
		{"too long", imageName, append(bytes.Clone(good), 0), 4, []string{imageName, "goes on"}},
		{"absurd", imageName, idxFile(idxImages, pix, 4, 28, 1<<31), 4, []string{imageName, "dimension of 2147483648"}},
		{"other size", imageName, idxFile(idxImages, pix, 8, 14, 28), 4, []string{imageName, "14×28", "28×28"}},
		{"counts differ", labelName, idxFile(idxLabels, labels[:3], 3), 3, []string{"4 images", labelName, "3 labels"}},
		{"label out of range", labelName, idxFile(idxLabels, []byte{0, 1, 10, 2}, 4), 4, []string{labelName, "label 10 of image 2"}},
		{"more than there is", "", nil, 5, []string{"it asks for 5 images", "there are 4"}},
		{"not MNIST's count", "", nil, 0, []string{"has 4 images", "60000", "max_samples = 4"}},
		{"git lfs", imageName, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"), 4, []string{imageName, "a Git LFS pointer", "git lfs pull"}},
		{"a page", imageName + ".gz", []byte("<!DOCTYPE html><html>not found"), 4, []string{imageName + ".gz", "a web page"}},
		{"a zip archive", imageName, []byte("PK\x03\x04rest"), 4, []string{imageName, "a zip archive", "unpack it"}},
		{"a packed archive", imageName + ".gz", zip(append(make([]byte, 0, 600), "train-images"+strings.Repeat("\x00", 245)+"ustar  "...)), 4, []string{imageName + ".gz", "a tar archive"}},
		{"damaged gzip", imageName + ".gz", flipped, 4, []string{imageName + ".gz", "fetch the file again"}},
		{"cut gzip", imageName + ".gz", packed[:len(packed)-9], 4, []string{imageName + ".gz", "fetch the file again"}},
		{"bad checksum", imageName + ".gz", append(bytes.Clone(packed[:len(packed)-8]), 1, 2, 3, 4, 5, 6, 7, 8), 4, []string{imageName + ".gz", "damaged", "checksum"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := mnistFiles(4, imageName, labelName)
			if c.file != "" {
				delete(files, strings.TrimSuffix(c.file, ".gz"))
			}
			if c.data != nil {
				files[c.file] = &fstest.MapFile{Data: c.data}
			}
			d, err := NewMNIST(MNISTArgs{Root: "data/m", Split: "train", MaxSamples: c.max})
			_, err = open(t, d, err, files)
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func FuzzIDX(f *testing.F) {
	pix, labels := digits(2)
	f.Add(idxFile(idxImages, pix, 2, 28, 28), 0)
	f.Add(idxFile(idxLabels, labels, 2), 1)
	f.Add(idxFile(idxImages, nil, 1<<26, 1<<12, 1<<12), 0)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		for _, magic := range []uint32{idxImages, idxLabels} {
			x, err := decodeIDX(bytes.NewReader(data), int64(len(data)), magic, limit)
			if err != nil {
				continue
			}
			if len(x.data) > len(data) || len(x.dims) != int(magic&0xff) {
				t.Fatalf("%d bytes and dimensions %v out of a file of %d bytes", len(x.data), x.dims, len(data))
			}
		}
	})
}

// A header that announces terabytes costs no more memory than the file holds.
func TestIDXMemoryIsBounded(t *testing.T) {
	bomb := idxFile(idxImages, make([]byte, 100), 1<<26, 1<<12, 1<<12)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := decodeIDX(bytes.NewReader(bomb), int64(len(bomb)), idxImages, 0)
	runtime.ReadMemStats(&after)
	bytesUsed := after.TotalAlloc - before.TotalAlloc
	if err == nil || bytesUsed > 4<<20 {
		t.Fatalf("%d bytes allocated, error %v", bytesUsed, err)
	}
}

// shared returns the folder with the shared data, or skips.
func shared(t *testing.T, sub string) string {
	t.Helper()
	root := os.Getenv("QPIPE_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(root, sub)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing; set QPIPE_SHARED", dir)
		}
		t.Skipf("%s is missing (set QPIPE_SHARED)", dir)
	}
	return dir
}

// onDisk opens data sets from the folders that their roots name.
func onDisk(root string) fs.FS { return os.DirFS(root) }

func TestMNISTOnRealData(t *testing.T) {
	dir := shared(t, filepath.Join("data", "mnist"))
	for _, split := range []string{"train", "test"} {
		d, err := NewMNIST(MNISTArgs{Root: dir, Split: split})
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.Open(onDisk)
		if err != nil {
			t.Fatal(err)
		}
		if s.Len() != d.Spec().Len {
			t.Errorf("%s: %d images, Spec says %d", split, s.Len(), d.Spec().Len)
		}
		checkSamples(t, s, d.Spec())
	}
}

// checkSamples holds every image against the Spec; each class must be there, and none may be most of it.
func checkSamples(t *testing.T, s part.Samples, spec part.Spec) {
	t.Helper()
	count := make([]int, spec.Targets[0].Classes)
	var img part.Image
	for i := range s.Len() {
		label, err := image(s, i, &img)
		if err != nil || label < 0 || label >= spec.Targets[0].Classes || len(img.Pix) != spec.Inputs[0].Shape.WithN(1).Len() {
			t.Fatalf("image %d: label %d, %d bytes, %v", i, label, len(img.Pix), err)
		}
		count[label]++
	}
	for c, n := range count {
		if n == 0 || n > s.Len()/2 {
			t.Errorf("class %d has %d of %d images", c, n, s.Len())
		}
	}
}

// TestBadArguments holds that wrong values are refused at the argument they stand in.
func TestBadArguments(t *testing.T) {
	glyphs := func(change func(*GlyphsArgs)) error {
		a := GlyphsDefaults()
		change(&a)
		return a.Validate()
	}
	for _, c := range []struct {
		attr string
		err  error
	}{
		{"root", MNISTArgs{}.Validate()},
		{"max_samples", MNISTArgs{Root: "x", MaxSamples: -1}.Validate()},
		{"root", CIFAR10Args{}.Validate()},
		{"max_samples", CIFAR10Args{Root: "x", MaxSamples: -1}.Validate()},
		{"files", CIFAR10Args{Root: "x", Files: []string{"a", "[z-"}}.Validate()},
		{"files", CIFAR10Args{Root: "x", Files: []string{""}}.Validate()},
		{"num_samples", glyphs(func(a *GlyphsArgs) { a.NumSamples = 0 })},
		{"classes", glyphs(func(a *GlyphsArgs) { a.Classes = "7" })},
		{"classes", glyphs(func(a *GlyphsArgs) { a.Classes = "0110" })},
		{"classes", glyphs(func(a *GlyphsArgs) { a.Classes = "a b" })},
		{"classes", glyphs(func(a *GlyphsArgs) { a.Classes = "水火" })},
		{"rotation", glyphs(func(a *GlyphsArgs) { a.Rotation = 181 })},
		{"scale", glyphs(func(a *GlyphsArgs) { a.Scale = -0.1 })},
		{"shear", glyphs(func(a *GlyphsArgs) { a.Shear = 2 })},
		{"shift", glyphs(func(a *GlyphsArgs) { a.Shift = 11 })},
		{"clutter", glyphs(func(a *GlyphsArgs) { a.Clutter = 21 })},
		{"noise", glyphs(func(a *GlyphsArgs) { a.Noise = 1.5 })},
		{"contrast", glyphs(func(a *GlyphsArgs) { a.Contrast = -1 })},
	} {
		var arg *part.ArgError
		if !errors.As(c.err, &arg) || arg.Attr != c.attr {
			t.Errorf("%s: %v", c.attr, c.err)
		}
	}
}
