package tables

import (
	"os"
	"runtime"
	"testing"
	"testing/fstest"

	"qpipe/interp/part"
)

// bounded fails if opening a data set of a file takes more memory than a multiple of it, and reads what it has.
func bounded(t *testing.T, set part.Dataset, err error, files fstest.MapFS, most int) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, _ = opened(set, err, files)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(most) {
		t.Fatalf("%d bytes taken, %d are allowed", n, most)
	}
}

// FuzzNPZ: whatever an archive has in it, there is no panic, and memory is bounded: packed arrays by 64 MiB and 200 times their size.
func FuzzNPZ(f *testing.F) {
	for _, name := range []string{"arrays.npz", "packed.npz"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "bytes", "y")
		f.Add(data, "tf4", "mask")
	}
	f.Fuzz(func(t *testing.T, data []byte, images, labels string) {
		set, err := NewNPZ(npz("a.npz", images, labels, func(a *NPZArgs) { a.MaxSamples = 2 }))
		bounded(t, set, err, fstest.MapFS{"a.npz": {Data: data}}, 2*(64<<20+200*len(data))+16<<20)
	})
}

// FuzzNPY: the same for an array in a file of its own, of which nothing is kept.
func FuzzNPY(f *testing.F) {
	images, err := os.ReadFile("testdata/x_train.npy")
	labels, err2 := os.ReadFile("testdata/y_train.npy")
	if err != nil || err2 != nil {
		f.Fatal(err, err2)
	}
	f.Add(images, labels)
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		a := NPYArgs{ArrayArgs: ArrayDefaults()}
		a.Root, a.MaxSamples = "x", 2
		set, err := NewNPY(a)
		bounded(t, set, err, fstest.MapFS{"x_train.npy": {Data: images}, "y_train.npy": {Data: labels}}, 64*(len(images)+len(labels))+1<<20)
	})
}

// FuzzCSV: whatever the text, there is no panic, and memory is a multiple of it.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{"1,2,0\n3,4,2\n", "a,b,label\n1,2,owl\n 3, 4e1,\"a\"\"nt\"\n", "\ufeff1,2,3\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := NewCSV(csvArgs(nil))
		bounded(t, set, err, fstest.MapFS{"t.csv": {Data: []byte(text)}}, 400*len(text)+1<<20)
	})
}
