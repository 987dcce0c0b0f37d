package datasets

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"qpipe/interp/part"
)

// shard is a tar archive of files; a number is a picture of that grey, as in folderOf.
func shard(names string, files map[string]any) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	contents := folderOf(files)
	for _, name := range strings.Fields(names) {
		h := &tar.Header{Name: name, Mode: 0o600, Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		} else {
			h.Size = int64(len(contents[name].Data))
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(contents[name].Data); err != nil {
				panic(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func tarArgs(change func(a *WebDatasetArgs)) WebDatasetArgs {
	a := WebDatasetDefaults()
	a.Root, a.Shards, a.Channels, a.Seed = "data", []string{"*.tar"}, 1, 0
	if change != nil {
		change(&a)
	}
	return a
}

// openedTar opens a data set and reads all of its samples.
func openedTar(a WebDatasetArgs, files fstest.MapFS) (string, part.Spec, error) {
	set, err := NewWebDataset(a)
	if err != nil {
		return "", part.Spec{}, err
	}
	samples, err := set.Open(func(string) fs.FS { return files })
	if err != nil {
		return "", part.Spec{}, err
	}
	spec := samples.(part.Teller).Spec()
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

func shards() fstest.MapFS {
	one := shard("./ ./000.cls ./000.png ./001.jpg ./001.json ./001.cls readme.txt", map[string]any{
		"./000.png": 10, "./000.cls": "2\n", "./001.jpg": 11, "./001.cls": " 0", "./001.json": "{}", "readme.txt": "x",
	})
	two := shard("a/7.cls a/7.seg.png a/7.png b/7.png b/7.cls", map[string]any{"a/7.png": 20, "a/7.seg.png": 99, "a/7.cls": "1", "b/7.png": 21, "b/7.cls": "4"})
	return fstest.MapFS{"one.tar": {Data: one}, "two.tar": {Data: zip(two)}}
}

// TestWebDataset: samples come shard by shard, plain or packed; other files are left alone.
func TestWebDataset(t *testing.T) {
	for _, c := range []struct {
		change func(a *WebDatasetArgs)
		want   string
	}{
		{nil, "10:2 11:0 20:1 21:4 of 5"},
		{func(a *WebDatasetArgs) { a.Shards = []string{"two.tar", "one.tar"} }, "20:1 21:4 10:2 11:0 of 5"},
		{func(a *WebDatasetArgs) { a.Images = []string{"jpg"} }, "11:0 of 1"},
		{func(a *WebDatasetArgs) { a.NumClasses = 9 }, "10:2 11:0 20:1 21:4 of 9"},
		{func(a *WebDatasetArgs) { a.Split, a.ValSamples = "val", 1 }, "21:4 of 5"},
		{func(a *WebDatasetArgs) { a.Offset, a.MaxSamples = 1, 2 }, "11:0 20:1 of 5"},
	} {
		got, spec, err := openedTar(tarArgs(c.change), shards())
		if err != nil {
			t.Errorf("%v; want %q", err, c.want)
		} else if text := fmt.Sprintf("%s of %d", got, spec.Targets[0].Classes); text != c.want {
			t.Errorf("%q, want %q", text, c.want)
		}
	}
}

func TestWebDatasetMistakes(t *testing.T) {
	of := func(names string, files map[string]any) fstest.MapFS {
		return fstest.MapFS{"one.tar": {Data: shard(names, files)}}
	}
	whole := shards()["one.tar"].Data
	for _, c := range []struct {
		files  fstest.MapFS
		change func(a *WebDatasetArgs)
		want   string
	}{
		{fstest.MapFS{}, nil, "shards: there is no *.tar"},
		{of("x.txt", map[string]any{"x.txt": "x"}), nil, "they have no sample: a file that ends in jpg, jpeg, png, webp with one that ends in .cls"},
		{of("x.png", map[string]any{"x.png": 1}), nil, "one.tar: x has no label: a file x.cls"},
		{of("x.png x.jpg x.cls", map[string]any{"x.png": 1, "x.jpg": 2, "x.cls": "1"}), nil, "x.jpg: is the second image of its sample"},
		{of("x.png x.cls", map[string]any{"x.png": 1, "x.cls": "cat"}), nil, `x.cls: the label is "cat"`},
		{of("x.png x.cls", map[string]any{"x.png": 1, "x.cls": "7"}), func(a *WebDatasetArgs) { a.NumClasses = 7 }, "x.cls: the label is 7, and there are 7 classes"},
		{of("x.png x.cls", map[string]any{"x.png": "junk", "x.cls": "7"}), nil, "one.tar: x is no JPEG"},
		{fstest.MapFS{"one.tar": {Data: whole[:len(whole)-1700]}}, nil, "one.tar"},
		{fstest.MapFS{"one.tar": {Data: []byte("no archive at all")}}, nil, "is no sound tar archive"},
	} {
		if _, _, err := openedTar(tarArgs(c.change), c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	names := func(a *WebDatasetArgs) { a.ClassNames = []string{"ant", "cat"} }
	if got, _, err := openedTar(tarArgs(names), of("x.png x.cls", map[string]any{"x.png": 5, "x.cls": "cat"})); err != nil || got != "5:1" {
		t.Errorf("%q, %v", got, err)
	}
	if got, _, err := openedTar(tarArgs(func(a *WebDatasetArgs) { a.OnError = "skip" }), of("x.png x.cls y.png y.cls", map[string]any{"x.png": "junk", "x.cls": "1", "y.png": 8, "y.cls": "0"})); err != nil || got != "8:0" {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzWebDataset: whatever an archive has in it, there is no panic, and memory is bounded: by its size, of a packed one by 64 MiB and
// 200 times that, and by the pixels that an image may have.
func FuzzWebDataset(f *testing.F) {
	for _, file := range shards() {
		f.Add(file.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := tarArgs(func(a *WebDatasetArgs) { a.MaxPixels, a.MaxSamples = 1<<12, 1 })
		_, _, _ = openedTar(a, fstest.MapFS{"one.tar": {Data: data}})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(4*(64<<20+200*len(data))) {
			t.Fatalf("%d bytes taken for a file of %d", n, len(data))
		}
	})
}

// FuzzImageList: whatever a list has in it, there is no panic, and each of its rows is a file of the root with a label.
func FuzzImageList(f *testing.F) {
	f.Add("file,label,split\nx.png,1,train\n\"a,b.png\",owl,val\n")
	f.Add("\ufefflabel, file\n7, 1.png\n2, ../2.png\n")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := NewImageFolder(imageArgs(func(a *ImageFolderArgs) { a.List = "l.csv" }))
		if err != nil {
			t.Fatal(err)
		}
		x, err := set.(imageFolder).index(fstest.MapFS{"l.csv": {Data: []byte(text)}})
		if err != nil {
			return
		}
		if len(x.files) != len(x.labels) {
			t.Fatalf("%d files and %d labels", len(x.files), len(x.labels))
		}
		for i, name := range x.files {
			if !fs.ValidPath(name) || x.labels[i] < 0 || int(x.labels[i]) >= x.classes {
				t.Fatalf("%q has the label %d of %d", name, x.labels[i], x.classes)
			}
		}
	})
}
