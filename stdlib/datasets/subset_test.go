package datasets

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"qpipe/interp/part"
)

// piece is what a pipeline can say of a subset; most is max_samples or num_samples.
type piece struct {
	split              string
	held, offset, most int
	seed               int
}

// sources are the data sets that this shelf has, each with 40 images in the files of a split, all different.
func sources() map[string]func(piece) (part.Dataset, fs.FS, error) {
	mnist := mnistFiles(40, "train-images-idx3-ubyte", "train-labels-idx1-ubyte")
	for name, f := range mnistFiles(40, "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte") {
		mnist[name] = f
	}
	cifar := fstest.MapFS{
		"data_batch_1.bin": {Data: records(0, 25)}, "data_batch_2.bin": {Data: records(25, 15)},
		"validation_batch.bin": {Data: records(100, 40)}, "test_batch.bin": {Data: records(160, 40)},
	}
	return map[string]func(piece) (part.Dataset, fs.FS, error){
		"MNIST": func(p piece) (part.Dataset, fs.FS, error) {
			d, err := NewMNIST(MNISTArgs{Root: "x", Split: p.split, ValSamples: p.held, Seed: p.seed, Offset: p.offset, MaxSamples: p.most})
			return d, mnist, err
		},
		"CIFAR10": func(p piece) (part.Dataset, fs.FS, error) {
			d, err := NewCIFAR10(CIFAR10Args{Root: "x", Split: p.split, ValSamples: p.held, Seed: p.seed, Offset: p.offset, MaxSamples: p.most})
			return d, cifar, err
		},
		"Glyphs": func(p piece) (part.Dataset, fs.FS, error) {
			a := GlyphsDefaults()
			a.Split, a.Seed, a.Offset, a.NumSamples = p.split, p.seed, p.offset, p.most
			d, err := NewGlyphs(a)
			return d, nil, err
		},
	}
}

// images are the images of a piece, as strings that tell them apart.
func images(t *testing.T, source func(piece) (part.Dataset, fs.FS, error), p piece) []string {
	t.Helper()
	d, files, err := source(p)
	s, err := open(t, d, err, files)
	if err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	if n := d.Spec().Len; n >= 0 && n != s.Len() {
		t.Fatalf("%+v: %d images, Spec says %d", p, s.Len(), n)
	}
	var out []string
	var img part.Image
	for i := range s.Len() {
		if _, err := image(s, i, &img); err != nil {
			t.Fatal(err)
		}
		out = append(out, string(img.Pix))
	}
	return out
}

// TestSplitsShareNoImage: training, validation and test data have nothing in common, whatever is held out
// and however it is shuffled, and every image of the files is in one of them.
func TestSplitsShareNoImage(t *testing.T) {
	for name, source := range sources() {
		for _, seed := range []int{0, 1, -7} {
			for _, held := range []int{1, 12, 39} {
				for _, val := range []string{"validation", "val"} {
					train := images(t, source, piece{split: "train", held: held, most: 40 - held, seed: seed})
					rest := images(t, source, piece{split: val, held: held, most: held, seed: seed})
					all := images(t, source, piece{split: "train", most: 40, seed: seed})
					test := images(t, source, piece{split: "test", most: 40, seed: seed})
					if name == "Glyphs" { // has no files: its splits are drawn by themselves
						distinct(t, name, train, rest, test)
						continue
					}
					if !slices.Equal(append(slices.Clone(train), rest...), all) {
						t.Errorf("%s: train and %s of seed %d, %d held out, are not all there is", name, val, seed, held)
					}
					if name == "CIFAR10" { // MNIST's two files are the same here
						distinct(t, name, all, test, images(t, source, piece{split: val, seed: seed}))
					}
				}
			}
		}
	}
}

// distinct fails if an image comes twice.
func distinct(t *testing.T, name string, sets ...[]string) {
	t.Helper()
	all := slices.Concat(sets...)
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) {
		t.Errorf("%s: %d images, but only %d different ones", name, len(all), n)
	}
}

// TestPiecesMakeTheWhole: pieces that follow each other, by offset and count, are the whole in its order; the same
// seed gives the same images, another one others.
func TestPiecesMakeTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for name, source := range sources() {
		for range 20 {
			p := piece{split: []string{"train", "validation", "test"}[r.IntN(3)], seed: r.IntN(4), most: 40}
			if p.split != "test" && name != "Glyphs" {
				p.held = 1 + r.IntN(39)
				p.most = 40 - p.held
				if p.split == "validation" {
					p.most = p.held
				}
			}
			whole := images(t, source, p)
			cut := r.IntN(p.most)
			var parts []string
			for _, part := range [][2]int{{0, cut}, {cut, p.most - cut}} {
				if part[1] > 0 {
					q := p
					q.offset, q.most = part[0], part[1]
					parts = append(parts, images(t, source, q)...)
				}
			}
			if !slices.Equal(parts, whole) {
				t.Errorf("%s: %+v cut at %d is not the whole", name, p, cut)
			}
		}
		a := images(t, source, piece{split: "train", most: 40, seed: 1})
		if !slices.Equal(a, images(t, source, piece{split: "train", most: 40, seed: 1})) {
			t.Errorf("%s: the same seed gives other images", name)
		}
		if slices.Equal(a, images(t, source, piece{split: "train", most: 40, seed: 2})) {
			t.Errorf("%s: another seed gives the same images", name)
		}
	}
}

// TestShares: whether two data sets have images in common is known before they are read, and true. Only of
// differently shuffled ones it is taken for granted.
func TestShares(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 13))
	some := func(name string) piece {
		p := piece{split: []string{"train", "val", "test"}[r.IntN(3)], most: 1 + r.IntN(8), offset: r.IntN(4)}
		if p.split != "test" && name != "Glyphs" {
			p.held = 12 + r.IntN(9)
		}
		return p
	}
	for name, source := range sources() {
		answers := map[bool]int{}
		for range 60 {
			p, q := some(name), some(name)
			a, _, err := source(p)
			b, _, err2 := source(q)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			got := a.(part.Sharer).Shares(b)
			if got != b.(part.Sharer).Shares(a) {
				t.Fatalf("%s: %+v and %+v: it depends on who is asked", name, p, q)
			}
			if name == "MNIST" && (p.split == "test") != (q.split == "test") {
				continue // its files are the same here
			}
			answers[got]++
			all := append(images(t, source, p), images(t, source, q)...)
			slices.Sort(all)
			if want := len(slices.Compact(slices.Clone(all))) < len(all); got != want {
				t.Fatalf("%s: %+v and %+v: %t, want %t", name, p, q, got, want)
			}
		}
		if answers[true] == 0 || answers[false] == 0 {
			t.Errorf("%s: %v", name, answers)
		}
		for _, c := range []struct {
			a, b piece
			want bool
		}{
			{piece{split: "train", most: 30}, piece{split: "train", offset: 30, most: 10}, false},
			{piece{split: "train", most: 30, seed: 1}, piece{split: "train", offset: 30, most: 10, seed: 2}, name != "Glyphs"},
		} {
			a, _, _ := source(c.a)
			b, _, _ := source(c.b)
			if got := a.(part.Sharer).Shares(b); got != c.want {
				t.Errorf("%s: %+v and %+v: %t", name, c.a, c.b, got)
			}
		}
	}
	forgotten, _ := NewMNIST(MNISTArgs{Root: "x", Split: "train"})
	val, _ := NewMNIST(MNISTArgs{Root: "x", Split: "validation", ValSamples: 5000})
	if !forgotten.(part.Sharer).Shares(val) {
		t.Error("training data that holds nothing out shares images with validation data")
	}
}

// TestSubsetRefuses: what does not fit is said at the argument that is wrong, without the files where it can be.
func TestSubsetRefuses(t *testing.T) {
	for _, c := range []struct {
		attr string
		file bool // known only from the files
		p    piece
	}{
		{"val_samples", false, piece{split: "train", held: -1}},
		{"val_samples", false, piece{split: "test", held: 5}},
		{"val_samples", true, piece{split: "train", held: 40, most: 1}},
		{"val_samples", true, piece{split: "validation", held: 41}},
		{"offset", false, piece{split: "train", offset: -1}},
		{"offset", false, piece{split: "validation", held: 5, offset: 5}},
		{"offset", true, piece{split: "test", offset: 40, most: 1}},
		{"max_samples", false, piece{split: "train", most: -1}},
		{"max_samples", false, piece{split: "validation", held: 5, most: 6}},
		{"max_samples", false, piece{split: "validation", held: 5, offset: 3, most: 3}},
		{"max_samples", true, piece{split: "train", held: 10, most: 31}},
		{"max_samples", true, piece{split: "train", offset: 10, most: 31, seed: 1}},
	} {
		for _, name := range []string{"MNIST", "CIFAR10"} {
			d, files, err := sources()[name](c.p)
			if c.file != (err == nil) {
				t.Errorf("%s %+v: without the files: %v", name, c.p, err)
				continue
			}
			if c.file {
				_, err = d.Open(func(string) fs.FS { return files })
			}
			var arg *part.ArgError
			if !errors.As(err, &arg) || arg.Attr != c.attr {
				t.Errorf("%s %+v: %v, want an error at %s", name, c.p, err, c.attr)
			}
		}
	}
	for attr, a := range map[string]MNISTArgs{
		"split":       {Root: "x", Split: "validation"}, // MNIST has none of its own
		"offset":      {Root: "x", Split: "test", Offset: 10_000},
		"val_samples": {Root: "x", Split: "train", ValSamples: 60_000},
	} {
		var arg *part.ArgError
		if err := a.Validate(); !errors.As(err, &arg) || arg.Attr != attr {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// TestDefaultInputMap: without a Normalize the images of every data set become pixel/127.5 - 1, as the reference says.
func TestDefaultInputMap(t *testing.T) {
	for name, source := range sources() {
		d, _, err := source(piece{split: "train", most: 1})
		if err != nil {
			t.Fatal(err)
		}
		if s := d.Spec().Inputs[0]; !slices.Equal(s.Mean, []float32{0.5}) || !slices.Equal(s.Std, []float32{0.5}) {
			t.Errorf("%s: mean %v, std %v", name, s.Mean, s.Std)
		}
	}
}
