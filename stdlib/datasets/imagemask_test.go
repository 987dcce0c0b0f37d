package datasets

import (
	"bytes"
	goimage "image"
	"image/color"
	"image/png"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"qpipe/interp/part"
)

// maskPNG is a mask of h×w pixels with a palette, whose numbers are those of values in turn.
func maskPNG(h, w int, values ...uint8) []byte {
	var palette color.Palette
	for i := range 256 {
		palette = append(palette, color.RGBA{uint8(i * 37), uint8(i * 11), uint8(i), 255})
	}
	img := goimage.NewPaletted(goimage.Rect(0, 0, w, h), palette)
	for i := range img.Pix {
		img.Pix[i] = values[i%len(values)]
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func maskArgs(change func(a *ImageMaskArgs)) ImageMaskArgs {
	a := ImageMaskDefaults()
	a.Root, a.Seed, a.NumClasses = "data", 0, 3
	if change != nil {
		change(&a)
	}
	return a
}

// openedMasks opens a data set and reads all of its samples: for each the grey of its first pixel and the labels of its first row.
func openedMasks(a ImageMaskArgs, files map[string]any) (greys []int, rows [][]int32, err error) {
	set, err := NewImageMask(a)
	if err != nil {
		return nil, nil, err
	}
	samples, err := set.Open(func(string) fs.FS { return folderOf(files) })
	if err != nil {
		return nil, nil, err
	}
	x := part.NewSample(set.Spec())
	for i := range samples.Len() {
		if err := samples.Sample(i, x); err != nil {
			return nil, nil, err
		}
		if err := set.Spec().Check(x); err != nil {
			return nil, nil, err
		}
		greys, rows = append(greys, int(x.Images[0].Pix[0])), append(rows, slices.Clone(x.Targets[0].Labels[:x.Targets[0].W]))
	}
	return greys, rows, nil
}

// pairs are three images of 2×3 pixels with masks; the last one is for validation.
func pairs() map[string]any {
	return map[string]any{
		"train/images/a.png": greyPNG(2, 3, 10), "train/masks/a.png": maskPNG(2, 3, 0, 1, 255),
		"train/images/deep/b.jpg": greyPNG(2, 3, 20), "train/masks/deep/b.png": maskPNG(2, 3, 2), "train/masks/spare.png": maskPNG(1, 1, 0),
		"val/images/c.png": greyPNG(2, 3, 30), "val/masks/c.png": greyPNG(2, 3, 1), "names.txt": "deep/b\n\n",
	}
}

func TestImageMask(t *testing.T) {
	for _, c := range []struct {
		change func(a *ImageMaskArgs)
		greys  []int
		rows   [][]int32
	}{
		{nil, []int{10, 20}, [][]int32{{0, 1, part.Ignored}, {2, 2, 2}}},
		{func(a *ImageMaskArgs) { a.Split = "val" }, []int{30}, [][]int32{{1, 1, 1}}},
		{func(a *ImageMaskArgs) { a.List = "names.txt" }, []int{20}, [][]int32{{2, 2, 2}}},
		{func(a *ImageMaskArgs) { a.NumClasses, a.Values, a.Ignore = 2, []int{1, 0}, 255 }, nil, nil},
		{func(a *ImageMaskArgs) { a.NumClasses, a.Values, a.MaxSamples = 3, []int{1, 0, 2}, 1 }, []int{10}, [][]int32{{1, 0, part.Ignored}}},
		{func(a *ImageMaskArgs) { a.Split, a.ValSamples = "val", 1 }, []int{20}, [][]int32{{2, 2, 2}}},
	} {
		greys, rows, err := openedMasks(maskArgs(c.change), pairs())
		if (err != nil) != (c.greys == nil) || !slices.Equal(greys, c.greys) || !slices.EqualFunc(rows, c.rows, slices.Equal) {
			t.Errorf("%v %v, %v; want %v %v", greys, rows, err, c.greys, c.rows)
		}
	}
	set, err := NewImageMask(maskArgs(nil))
	if err != nil {
		t.Fatal(err)
	}
	_, names, err := part.Listed(set, func(string) fs.FS { return folderOf(pairs()) })
	if want := "train/images/a.png train/images/deep/b.jpg train/masks/a.png train/masks/deep/b.png"; err != nil || strings.Join(names, " ") != want {
		t.Errorf("%v, %v", names, err)
	}
}

func TestImageMaskMistakes(t *testing.T) {
	with := func(name string, v any) map[string]any {
		files := pairs()
		if files[name] = v; v == nil {
			delete(files, name)
		}
		return files
	}
	var coloured bytes.Buffer
	if err := png.Encode(&coloured, goimage.NewNRGBA(goimage.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		files  map[string]any
		change func(a *ImageMaskArgs)
		want   string
	}{
		{with("train/masks/a.png", nil), nil, "masks: there is no mask of train/images/a.png in train/masks"},
		{with("train/masks/a.png", maskPNG(3, 2, 0)), nil, "train/images/a.png has 2×3 pixels, and its mask train/masks/a.png 3×2"},
		{with("train/masks/a.png", maskPNG(2, 3, 0, 0, 0, 0, 7)), nil, "train/masks/a.png has the number 7 at row 1, column 1, which is that of no class"},
		{with("train/masks/a.png", coloured.Bytes()), nil, "train/masks/a.png is a coloured PNG image: a mask has a number for each pixel"},
		{with("train/masks/a.png", "<html>"), nil, "train/masks/a.png is a web page"},
		{pairs(), func(a *ImageMaskArgs) { a.Masks = "labels" }, "masks: the folder train/labels cannot be read"},
		{with("names.txt", "x"), func(a *ImageMaskArgs) { a.List = "names.txt" }, "list: there is no image x in train/images"},
		{pairs(), func(a *ImageMaskArgs) { a.Values = []int{0, 1, 255} }, "values: 255; each is another number"},
		{pairs(), func(a *ImageMaskArgs) { a.Split = "test" }, "split: there is no folder test"},
	} {
		if _, _, err := openedMasks(maskArgs(c.change), c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	files := with("train/masks/a.png", "junk")
	greys, _, err := openedMasks(maskArgs(func(a *ImageMaskArgs) { a.OnError = "skip" }), files)
	if err != nil || !slices.Equal(greys, []int{20}) {
		t.Errorf("%v, %v", greys, err)
	}
}
