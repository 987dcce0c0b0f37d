package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// noisePNG is a PNG file of h×w noisy pixels.
func noisePNG(t *testing.T, r *rand.Rand, h, w int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(r.IntN(256)) | byte(255*(i%4/3))
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, img))
	return b.Bytes()
}

// imageFolder writes three images of noise for each of ten classes and of the splits, a broken one for validation, and two
// lists of the training images.
func imageFolder(t *testing.T, seed uint64) string {
	t.Helper()
	dir, r := t.TempDir(), rand.New(rand.NewPCG(seed, 9))
	lists := [2]string{"file,label\n", "file,label\n"}
	for _, split := range []string{"train", "val", "test"} {
		for i := range 30 {
			name := fmt.Sprintf("%s/%c/%d.png", split, 'a'+i%10, i)
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
			must(t, os.WriteFile(filepath.Join(dir, name), noisePNG(t, r, 40, 30+i), 0o600))
			if split == "train" {
				lists[0] += fmt.Sprintf("%s,%d\n", name, i%10)
				lists[1] += fmt.Sprintf("%s,%d\n", name, 9-i%10)
			}
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "val", "a", "broken.jpg"), []byte("no image"), 0o600))
	for i, text := range lists {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("list%d.csv", i)), []byte(text), 0o600))
	}
	return dir
}

// imageEffects has the attributes of image files and of the transforms that give images a size.
func imageEffects(t *testing.T) map[string]effect {
	t.Helper()
	dir := imageFolder(t, 1)
	set := func(root, split, args, transforms string) string {
		return fmt.Sprintf("root = %q\nsplit = %q\n%s\n%s", root, split, args, transforms)
	}
	const small = `transform "Resize" { size = [28, 28] }`
	all := map[string]effect{}
	with := func(train, test string) slots { return slots{"type": "ImageFolder", "train": train, "test": test} }
	test := set(dir, "test", "", small)
	for attr, v := range map[string][2]string{
		"list": {`list = "list0.csv"`, `list = "list1.csv"`}, "val_samples": {"val_samples = 4", "val_samples = 8"},
		"seed": {"val_samples = 8\nseed = 1", "val_samples = 8\nseed = 2"}, "offset": {"offset = 0", "offset = 8"}, "max_samples": {"max_samples = 24", "max_samples = 16"},
		"class_names": {"class_names = " + renamedClasses()[0], "class_names = " + renamedClasses()[1]},
		"max_pixels":  {"max_pixels = 10000", "max_pixels = 1000"},
	} {
		all["dataset.ImageFolder."+attr] = effect{a: with(set(dir, "train", v[0], small), test), b: with(set(dir, "train", v[1], small), test)}
	}
	all["dataset.ImageFolder.root"] = effect{a: with(set(dir, "train", "", small), test), b: with(set(imageFolder(t, 2), "train", "", small), test)}
	all["dataset.ImageFolder.split"] = effect{a: with(set(dir, "train", "", small), test), b: with(set(dir, "test", "", small), test)}
	all["dataset.ImageFolder.on_error"] = effect{
		a: with(set(dir, "val", `on_error = "stop"`, small), test), b: with(set(dir, "val", `on_error = "skip"`, small), test),
	}
	all["dataset.ImageFolder.channels"] = effect{
		a: with(set(dir, "train", "channels = 1", small), set(dir, "test", "channels = 1", small)),
		b: with(set(dir, "train", "channels = 3", small), test),
	}
	sized := func(name, args, value string) slots {
		tr := fmt.Sprintf("transform %q {\n%s\n%s\n}", name, args, value)
		return with(set(dir, "train", "", tr), set(dir, "test", "", fmt.Sprintf("transform \"CenterCrop\" {\n%s\n}", args)))
	}
	both := func(name, a, b string) effect {
		tr := func(v string) string { return fmt.Sprintf("transform %q { %s }", name, v) }
		return effect{a: with(set(dir, "train", "", tr(a)), set(dir, "test", "", tr(a))), b: with(set(dir, "train", "", tr(b)), set(dir, "test", "", tr(b)))}
	}
	for _, name := range []string{"Resize", "CenterCrop", "RandomResizedCrop"} {
		all["transform."+name+".size"] = both(name, "size = [28, 28]", "size = [24, 24]")
	}
	for _, name := range []string{"Resize", "RandomResizedCrop"} {
		all["transform."+name+".interpolation"] = effect{a: sized(name, "size = [28, 28]", `interpolation = "bilinear"`), b: sized(name, "size = [28, 28]", `interpolation = "nearest"`)}
	}
	all["transform.RandomResizedCrop.scale"] = effect{a: sized("RandomResizedCrop", "size = 28", "scale = [0.1, 0.2]"), b: sized("RandomResizedCrop", "size = 28", "scale = [0.9, 1]")}
	all["transform.RandomResizedCrop.ratio"] = effect{a: sized("RandomResizedCrop", "size = 28", "ratio = [0.5, 0.6]"), b: sized("RandomResizedCrop", "size = 28", "ratio = [1.5, 2]")}
	all["transform.RandomCrop.pad_if_needed"] = effect{a: sized("RandomCrop", "size = 28", "pad_if_needed = false"), b: sized("RandomCrop", "size = 28", "pad_if_needed = true")}
	maps.Copy(all, toneEffects(sized))
	return all
}

// toneEffects has the attributes of transforms of colours; sized is a pair of data sets that get a size of it by CenterCrop.
func toneEffects(sized func(name, args, value string) slots) map[string]effect {
	all := map[string]effect{}
	for name, attrs := range map[string]map[string][2]string{
		"ColorJitter": {"brightness": {"0", "0.5"}, "contrast": {"0", "0.5"}, "saturation": {"0", "0.5"}, "hue": {"0", "0.3"}},
		"Cutout":      {"size": {"8", "12"}, "p": {"0", "1"}, "fill": {"0", "255"}},
		"RandAugment": {"num_ops": {"0", "2"}, "magnitude": {"0", "20"}, "num_magnitude_bins": {"11", "31"}, "fill": {"0", "255"}},
	} {
		for attr, v := range attrs {
			rest := ""
			if name == "Cutout" && attr != "size" {
				rest = "size = 8\n"
			}
			tr := func(value string) string { // crop to one size, then the transform
				return fmt.Sprintf("}\ntransform %q {\n%s%s = %s", name, rest, attr, value)
			}
			all["transform."+name+"."+attr] = effect{a: sized("CenterCrop", "size = 28", tr(v[0])), b: sized("CenterCrop", "size = 28", tr(v[1]))}
		}
	}
	return all
}
