package datasets

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"qpipe/interp/part"
)

// records are n records whose labels and pixels follow from their number.
func records(from, n int) []byte {
	var b []byte
	for i := from; i < from+n; i++ {
		b = append(b, byte(i%10))
		for plane := range 3 {
			for j := range cifarPlane {
				b = append(b, byte(i*31+j+plane*85))
			}
		}
	}
	return b
}

func cifarFiles() fstest.MapFS {
	return fstest.MapFS{
		"data_batch_2.bin":     {Data: zip(records(3, 2))}, // packed, whatever its name says
		"data_batch_1.bin":     {Data: records(0, 3)},
		"validation_batch.bin": {Data: records(5, 4)},
		"test_batch.bin":       {Data: records(9, 2)},
		"batches.meta.txt":     {Data: []byte("a\nb\n")},
	}
}

func TestCIFAR10ReadsItsSplits(t *testing.T) {
	for _, c := range []struct {
		args        CIFAR10Args
		first, n, k int // number of the first record, how many, Spec.Len
	}{
		{CIFAR10Args{Split: "train"}, 0, 5, -1},
		{CIFAR10Args{Split: "train", MaxSamples: 4}, 0, 4, 4},
		{CIFAR10Args{Split: "validation"}, 5, 4, -1},
		{CIFAR10Args{Split: "test"}, 9, 2, -1},
		{CIFAR10Args{Split: "test", Files: []string{"validation_batch.bin", "test_batch.bin"}}, 5, 6, -1},
		{CIFAR10Args{Split: "test", Files: []string{"*_batch_[12].bin", "validation_batch.bin"}}, 0, 9, -1},
	} {
		c.args.Root = "x"
		d, err := NewCIFAR10(c.args)
		s, err := open(t, d, err, cifarFiles())
		if err != nil {
			t.Fatalf("%+v: %v", c.args, err)
		}
		if s.Len() != c.n || d.Spec().Len != c.k {
			t.Fatalf("%+v: %d images, Spec says %d", c.args, s.Len(), d.Spec().Len)
		}
		var img part.Image
		for i := range c.n {
			label, err := image(s, i, &img)
			number := c.first + i
			if err != nil || label != number%10 || img.H != 32 || img.W != 32 || img.C != 3 {
				t.Fatalf("%+v: image %d has label %d, %v", c.args, i, label, err)
			}
			for j := range cifarPlane {
				for plane := range 3 {
					if want := byte(number*31 + j + plane*85); img.Pix[j*3+plane] != want {
						t.Fatalf("image %d, pixel %d, channel %d: %d, want %d", i, j, plane, img.Pix[j*3+plane], want)
					}
				}
			}
		}
	}
}

func TestCIFAR10Refuses(t *testing.T) {
	bad := records(0, 3)
	bad[2*cifarRecord] = 10
	for _, c := range []struct {
		name string
		args CIFAR10Args
		data []byte
		want []string
	}{
		{"missing", CIFAR10Args{Files: []string{"batch_9.bin"}}, nil, []string{"in data/c", "there is no batch_9.bin", "cs.toronto.edu"}},
		{"cut off", CIFAR10Args{}, records(0, 3)[:2*cifarRecord+5], []string{"data_batch_1.bin", "record 2 has 5 bytes"}},
		{"label", CIFAR10Args{}, bad, []string{"data_batch_1.bin", "label 10 of record 2"}},
		{"max_samples", CIFAR10Args{MaxSamples: 6}, records(0, 3), []string{"it asks for 6 images", "there are 5"}},
		{"empty", CIFAR10Args{Files: []string{"data_batch_1.bin"}}, []byte{}, []string{"data_batch_1.bin", "an empty file"}},
		{"git lfs", CIFAR10Args{}, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), []string{"data_batch_1.bin", "a Git LFS pointer", "git lfs pull"}},
		{"the Python version", CIFAR10Args{}, []byte("\x80\x02}q\x01(U\x0bbatch"), []string{"data_batch_1.bin", "a pickle"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := cifarFiles()
			if c.data != nil {
				files["data_batch_1.bin"] = &fstest.MapFile{Data: c.data}
			}
			c.args.Root, c.args.Split = "data/c", "train"
			d, err := NewCIFAR10(c.args)
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

func FuzzCIFAR10(f *testing.F) {
	f.Add(records(0, 2))
	f.Add([]byte{11})
	f.Fuzz(func(t *testing.T, data []byte) {
		var p planes
		err := p.read(bytes.NewReader(data), 0)
		if got := p.Len() * cifarRecord; got > len(data) || (err == nil && got != len(data)) {
			t.Fatalf("%d images out of %d bytes, %v", p.Len(), len(data), err)
		}
		if p.Len() > 0 {
			var img part.Image
			if _, err := image(&p, p.Len()-1, &img); err != nil || bytes.Equal(img.Pix, nil) {
				t.Fatal(err)
			}
		}
	})
}

func TestCIFAR10OnRealData(t *testing.T) {
	dir := shared(t, "data")
	layouts, _ := filepath.Glob(filepath.Join(dir, "*", "test_batch.bin"))
	if len(layouts) == 0 {
		t.Skip("no data in CIFAR-10's layout among the shared data")
	}
	for _, file := range layouts {
		for _, split := range []string{"train", "test"} {
			d, err := NewCIFAR10(CIFAR10Args{Root: filepath.Dir(file), Split: split})
			if err != nil {
				t.Fatal(err)
			}
			s, err := d.Open(onDisk)
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(file); split == "test" && (err != nil || info.Size() != int64(s.Len()*cifarRecord)) {
				t.Errorf("%s: %d images", file, s.Len())
			}
			checkSamples(t, s, d.Spec())
		}
	}
}
