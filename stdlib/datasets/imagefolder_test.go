package datasets

import (
	"bytes"
	"fmt"
	goimage "image"
	"image/color"
	"image/png"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"qpipe/interp/part"
)

// greyPNG is a PNG file of h×w pixels of one grey.
func greyPNG(h, w int, grey uint8) []byte {
	img := goimage.NewGray(goimage.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = grey
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// folderOf is a folder of files: a number is a picture of that grey, 3 pixels high and as wide as the name is long.
func folderOf(files map[string]any) fstest.MapFS {
	out := fstest.MapFS{}
	for name, v := range files {
		switch v := v.(type) {
		case int:
			out[name] = &fstest.MapFile{Data: greyPNG(3, len(name), uint8(v))}
		case string:
			out[name] = &fstest.MapFile{Data: []byte(v)}
		case []byte:
			out[name] = &fstest.MapFile{Data: v}
		}
	}
	return out
}

// splits are three classes, of which val lacks one.
func splits() map[string]any {
	return map[string]any{
		"train/cat/1.png": 10, "train/cat/2.PNG": 11, "train/dog/a.png": 20, "train/dog/deep/b.png": 21, "train/eel/x.png": 30, "train/eel/notes.txt": "no image",
		"train/.hidden/x.png": 99, "val/cat/3.png": 12, "val/eel/4.png": 31, "test/dog/5.png": 22,
	}
}

func imageArgs(change func(a *ImageFolderArgs)) ImageFolderArgs {
	a := ImageFolderDefaults()
	a.Root, a.Channels, a.Seed = "data", 1, 0
	if change != nil {
		change(&a)
	}
	return a
}

// opened opens a data set and reads all of its samples: for each the grey of its first pixel and its label.
func openedImages(a ImageFolderArgs, files fs.FS) (got string, spec part.Spec, err error) {
	set, err := NewImageFolder(a)
	if err != nil {
		return "", spec, err
	}
	samples, err := set.Open(func(string) fs.FS { return files })
	if err != nil {
		return "", spec, err
	}
	spec = samples.(part.Teller).Spec()
	x := part.NewSample(spec)
	var list []string
	for i := range samples.Len() {
		if err := samples.Sample(i, x); err != nil {
			return "", spec, err
		}
		if err := spec.Check(x); err != nil {
			return "", spec, err
		}
		list = append(list, fmt.Sprintf("%d:%d", x.Images[0].Pix[0], x.Targets[0].Labels[0]))
	}
	return strings.Join(list, " "), spec, nil
}

func TestImageFolder(t *testing.T) {
	plain := map[string]any{"a/1.png": 1, "b/2.png": 2, "b/3.png": 3, "c/4.png": 4}
	list := map[string]any{
		"1.png": 1, "2.png": 2, "3.png": 3, "x/4.png": 4, "names.csv": "\ufefffile,label,split\n1.png,owl,train\n2.png,ant,train\nx/4.png,\"bee\",val\n./3.png,owl,test\n",
		"numbers.csv": "label, file\n7, 1.png\n2, 2.png\n",
	}
	for _, c := range []struct {
		name   string
		files  map[string]any
		change func(a *ImageFolderArgs)
		want   string
		names  string
	}{
		{"the training images", splits(), nil, "10:0 11:0 20:1 21:1 30:2", "cat dog eel"},
		{"labels are those of the training images", splits(), func(a *ImageFolderArgs) { a.Split = "val" }, "12:0 31:2", "cat dog eel"},
		{"test", splits(), func(a *ImageFolderArgs) { a.Split = "test" }, "22:1", "cat dog eel"},
		{"classes in an order of their own", splits(), func(a *ImageFolderArgs) { a.ClassNames = []string{"eel", "dog", "cat", "fox"} }, "10:2 11:2 20:1 21:1 30:0", "eel dog cat fox"},
		{"without splits", plain, nil, "1:0 2:1 3:1 4:2", "a b c"},
		{"held out", plain, func(a *ImageFolderArgs) { a.Split, a.ValSamples = "val", 1 }, "4:2", "a b c"},
		{"without those held out", plain, func(a *ImageFolderArgs) { a.ValSamples, a.Offset = 1, 1 }, "2:1 3:1", "a b c"},
		{"some", plain, func(a *ImageFolderArgs) { a.MaxSamples = 2 }, "1:0 2:1", "a b c"},
		{"a list", list, func(a *ImageFolderArgs) { a.List = "names.csv" }, "1:2 2:0", "ant bee owl"},
		{"the list's validation rows", list, func(a *ImageFolderArgs) { a.List, a.Split = "names.csv", "validation" }, "4:1", "ant bee owl"},
		{"a list with classes in another order", list, func(a *ImageFolderArgs) {
			a.List, a.Split, a.ClassNames = "names.csv", "test", []string{"owl", "bee", "ant"}
		}, "3:0", "owl bee ant"},
		{"a list of numbers", list, func(a *ImageFolderArgs) { a.List = "numbers.csv" }, "1:7 2:2", ""},
	} {
		got, spec, err := openedImages(imageArgs(c.change), folderOf(c.files))
		if names := strings.Join(spec.Targets[0].Names, " "); err != nil || got != c.want || names != c.names {
			t.Errorf("%s: %q with the classes %q, %v; want %q, %q", c.name, got, names, err, c.want, c.names)
		}
	}
	_, spec, err := openedImages(imageArgs(func(a *ImageFolderArgs) { a.List = "numbers.csv" }), folderOf(list))
	if err != nil || spec.Targets[0].Classes != 8 {
		t.Errorf("the labels 7 and 2 are of %d classes, %v", spec.Targets[0].Classes, err)
	}
}

// TestImageFolderShuffled: seed shuffles before images are held out, so that they are of all classes.
func TestImageFolderShuffled(t *testing.T) {
	files := map[string]any{}
	for i := range 40 {
		files[fmt.Sprintf("%c/%d.png", 'a'+i%4, i)] = i
	}
	read := func(split string) []string {
		got, _, err := openedImages(imageArgs(func(a *ImageFolderArgs) { a.Split, a.Seed, a.ValSamples = split, 3, 16 }), folderOf(files))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(got)
	}
	train, val := read("train"), read("val")
	all := slices.Concat(train, val)
	slices.Sort(all)
	if len(train) != 24 || len(val) != 16 || len(slices.Compact(all)) != 40 {
		t.Errorf("%v and %v are not a partition", train, val)
	}
	for label := range 4 {
		if !slices.ContainsFunc(val, func(s string) bool { return strings.HasSuffix(s, fmt.Sprint(":", label)) }) {
			t.Errorf("no image of class %d is held out", label)
		}
	}
}

// TestImageFolderMistakes: what is wrong is named, with the file or the argument.
func TestImageFolderMistakes(t *testing.T) {
	with := func(name string, v any) map[string]any {
		files := splits()
		files[name] = v
		return files
	}
	cut := greyPNG(30, 30, 5)
	cut = cut[:len(cut)-20]
	val := func(a *ImageFolderArgs) { a.Split = "val" }
	listed := func(a *ImageFolderArgs) { a.List = "l.csv" }
	for _, c := range []struct {
		files  map[string]any
		change func(a *ImageFolderArgs)
		want   string
	}{
		{nil, nil, "there is no folder with images"},
		{map[string]any{"train/cat/1.txt": "x"}, nil, "the folder train/cat has no image"},
		{map[string]any{"a/1.png": 1}, val, "say with val_samples"},
		{map[string]any{"a/1.png": 1}, func(a *ImageFolderArgs) { a.Split = "test" }, "there is no folder test"},
		{with("val/fox/1.png", 1), val, "the folder val/fox is none of the 3 classes (cat, dog, eel)"},
		{splits(), func(a *ImageFolderArgs) { a.ClassNames = []string{"cat", "dog"} }, "the folder train/eel is none of the 2 classes (cat, dog)"},
		{with("train/cat/3.jpg", "<html>"), nil, "train/cat/3.jpg is a web page, not an image"},
		{with("train/cat/3.jpg", "version https://git-lfs.github.com/spec/v1"), nil, "train/cat/3.jpg is a Git LFS pointer, not an image: run `git lfs pull`"},
		{with("train/cat/3.jpg", "who knows"), nil, "train/cat/3.jpg is no JPEG, PNG"},
		{with("train/cat/3.jpg", cut), nil, "train/cat/3.jpg is a damaged PNG image"},
		{with("train/cat/3.jpg", greyPNG(30, 30, 5)), func(a *ImageFolderArgs) { a.MaxPixels = 899 }, "train/cat/3.jpg is a PNG image of 30×30 pixels, and at most 899 pixels are allowed"},
		{nil, listed, "list: open l.csv"},
		{map[string]any{"l.csv": "a,b\n"}, listed, "has to name the columns file and label"},
		{map[string]any{"l.csv": "file,label\nx,1,2\n"}, listed, "wrong number of fields"},
		{map[string]any{"l.csv": "file,label\n../x.png,1\n"}, listed, `line 2 has the file "../x.png"`},
		{map[string]any{"l.csv": "file,label\nx.png,1\n"}, func(a *ImageFolderArgs) { listed(a); val(a) }, "no column split"},
		{map[string]any{"l.csv": "file,label,split\nx.png,1,train\n"}, func(a *ImageFolderArgs) { listed(a); val(a) }, "no row of the split validation"},
		{map[string]any{"l.csv": "file,label\nx.png,fox\n"}, func(a *ImageFolderArgs) { listed(a); a.ClassNames = []string{"owl"} }, `the label "fox" of x.png`},
		{splits(), func(a *ImageFolderArgs) { a.MaxSamples = 9 }, "it asks for 9 images, but there are 5"},
	} {
		if _, _, err := openedImages(imageArgs(c.change), folderOf(c.files)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}

// TestImageFolderSkips: broken files are left out before the first epoch, and counted; the others stay as they are.
func TestImageFolderSkips(t *testing.T) {
	files := splits()
	files["train/cat/0.png"], files["train/eel/w.jpg"] = "junk", greyPNG(100, 100, 1)[:60]
	a := imageArgs(func(a *ImageFolderArgs) { a.OnError = "skip" })
	got, spec, err := openedImages(a, folderOf(files))
	if err != nil || got != "10:0 11:0 20:1 21:1 30:2" || spec.Len != 5 {
		t.Errorf("%q of %d, %v", got, spec.Len, err)
	}
	set, _ := NewImageFolder(a)
	samples, err := set.Open(func(string) fs.FS { return folderOf(files) })
	if err != nil {
		t.Fatal(err)
	}
	if list := samples.(part.Teller).Skipped(); len(list) != 2 || !strings.HasPrefix(list[0], "train/cat/0.png is no JPEG") || !strings.HasPrefix(list[1], "train/eel/w.jpg is a damaged PNG image") {
		t.Errorf("%q", list)
	}
}

// TestImageFolderListed: a stage depends on exactly the files of its split, and on a list; peeking reads no file.
func TestImageFolderListed(t *testing.T) {
	files := splits()
	for name := range files {
		if strings.HasPrefix(name, "train/eel") {
			files[name] = "unreadable"
		}
	}
	files["l.csv"] = "file,label\nval/cat/3.png,x\n"
	in := func(string) fs.FS { return folderOf(files) }
	for list, want := range map[string]string{
		"": "train/cat/1.png train/cat/2.PNG train/dog/a.png train/dog/deep/b.png train/eel/x.png", "l.csv": "l.csv val/cat/3.png",
	} {
		set, err := NewImageFolder(imageArgs(func(a *ImageFolderArgs) { a.List = list }))
		if err != nil {
			t.Fatal(err)
		}
		if _, names, err := part.Listed(set, in); err != nil || strings.Join(names, " ") != want {
			t.Errorf("%q, %v; want %q", names, err, want)
		}
		if s, err := part.Peeked(set, in); err != nil || list == "" && s.Targets[0].Classes != 3 || list != "" && s.Targets[0].Classes != -1 {
			t.Errorf("peeking tells %v", s.Targets[0])
		}
	}
}

// TestImagesAllocateLittle: beyond what a format's decoder allocates for itself there is nothing a sample.
func TestImagesAllocateLittle(t *testing.T) {
	var flat bytes.Buffer
	img := goimage.NewPaletted(goimage.Rect(0, 0, 200, 200), color.Palette{color.Black, color.White})
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&flat, img); err != nil {
		t.Fatal(err)
	}
	files := folderOf(map[string]any{"a/1.png": flat.Bytes()})
	set, err := NewImageFolder(imageArgs(func(a *ImageFolderArgs) { a.Channels = 3 }))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := set.Open(func(string) fs.FS { return files })
	if err != nil {
		t.Fatal(err)
	}
	x := part.NewSample(set.Spec())
	size := func(do func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	read := func() {
		if err := samples.Sample(0, x); err != nil {
			t.Fatal(err)
		}
	}
	read()
	alone := size(func() {
		if _, err := png.Decode(bytes.NewReader(flat.Bytes())); err != nil {
			t.Fatal(err)
		}
	})
	if n := size(read); n > alone+20<<10 { // the configuration is read by a decoder of its own
		t.Errorf("a sample allocates %d bytes, its decoder %d", n, alone)
	}
}

// TestSampleBytes: what reading a sample takes follows from the largest of some images, at most max_pixels, and is unknown where none can be read.
func TestSampleBytes(t *testing.T) {
	files := splits()
	files["train/cat/9.png"], files["train/dog/0.png"] = greyPNG(40, 50, 1), "no image"
	files["images/a.png"], files["masks/a.png"] = greyPNG(30, 20, 1), greyPNG(30, 20, 1)
	in := func(string) fs.FS { return folderOf(files) }
	folder := func(change func(*ImageFolderArgs)) part.Dataset {
		d, err := NewImageFolder(imageArgs(change))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	masks, err := NewImageMask(maskArgs(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		set  part.Dataset
		in   func(string) fs.FS
		want int64
	}{
		{"a folder", folder(nil), in, 16 * 2000},
		{"max_pixels", folder(func(a *ImageFolderArgs) { a.MaxPixels = 100 }), in, 16 * 100},
		{"another split", folder(func(a *ImageFolderArgs) { a.Split = "test" }), in, 16 * 3 * int64(len("test/dog/5.png"))},
		{"no folder", folder(nil), func(string) fs.FS { return fstest.MapFS{} }, 0},
	} {
		if got := part.SampleBytes(c.set, c.in); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
	delete(files, "train/cat/9.png")
	for name := range files {
		if strings.HasPrefix(name, "train/") || strings.HasPrefix(name, "val/") || strings.HasPrefix(name, "test/") {
			delete(files, name)
		}
	}
	if got := part.SampleBytes(masks, in); got != 2*16*600 {
		t.Errorf("masks: %d bytes", got)
	}
}
