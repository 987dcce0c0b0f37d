package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"image"
	"image/png"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
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
	maps.Copy(all, maskEffects(t))
	maps.Copy(all, shardEffects(t))
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

// maskFolder writes twenty images of noise with masks for each of the splits, other masks, and two lists.
func maskFolder(t *testing.T, seed uint64) string {
	t.Helper()
	dir, r := t.TempDir(), rand.New(rand.NewPCG(seed, 11))
	write := func(name string, data []byte) {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	for _, split := range []string{"train", "val", "test"} {
		for i := range 20 {
			write(fmt.Sprintf("%s/images/%d.png", split, i), noisePNG(t, r, 24, 24))
			write(fmt.Sprintf("%s/more/%d.png", split, i), noisePNG(t, r, 24, 24))
			for _, masks := range []string{"masks", "others"} {
				img := image.NewGray(image.Rect(0, 0, 24, 24))
				for p := range img.Pix {
					img.Pix[p] = byte(r.IntN(3))
				}
				var b bytes.Buffer
				must(t, png.Encode(&b, img))
				write(fmt.Sprintf("%s/%s/%d.png", split, masks, i), b.Bytes())
			}
		}
	}
	write("val/images/0.png", []byte("no image"))
	write("some.txt", []byte("1\n2\n3\n4\n5\n6\n7\n8\n9\n"))
	write("others.txt", []byte("11\n12\n13\n14\n15\n16\n17\n18\n19\n"))
	return dir
}

// maskEffects has the attributes of images with masks.
func maskEffects(t *testing.T) map[string]effect {
	t.Helper()
	dir, all := maskFolder(t, 1), map[string]effect{}
	with := func(attr, value string) slots {
		set := func(split string) string {
			text := value
			for key, line := range map[string]string{"root": fmt.Sprintf("root = %q", dir), "split": fmt.Sprintf("split = %q", split), "num_classes": "num_classes = 3"} {
				if key != attr {
					text += "\n" + line
				}
			}
			return text + "\ntransform \"Resize\" { size = [20, 20] }"
		}
		s := slots{"type": "ImageMask", "override": "", "train": set("train"), "model": `model "Network" "net" {
layer "Conv2d" "mask" {
out_channels = 3
kernel_size = 3
padding = 1
}
}`}
		if attr == "on_error" {
			s["train"] = strings.Replace(s["train"], `split = "train"`, `split = "val"`, 1)
		}
		if value = ""; attr == "channels" {
			s["test"] = s["train"]
			return s
		}
		attr = ""
		s["test"] = set("test")
		return s
	}
	for attr, v := range map[string][2]string{
		"root": {fmt.Sprintf("root = %q", dir), fmt.Sprintf("root = %q", maskFolder(t, 2))}, "split": {`split = "train"`, `split = "test"`},
		"images": {`images = "images"`, `images = "more"`}, "masks": {`masks = "masks"`, `masks = "others"`}, "list": {`list = "some.txt"`, `list = "others.txt"`},
		"num_classes": {"num_classes = 3", "num_classes = 2"}, "values": {"values = [0, 1, 2]", "values = [2, 1, 0]"}, "ignore": {"ignore = 255", "ignore = 2"},
		"class_names": {`class_names = ["a", "b", "c"]`, `class_names = ["a", "c", "b"]`}, "channels": {"channels = 1", "channels = 3"},
		"val_samples": {"val_samples = 2", "val_samples = 4"}, "seed": {"val_samples = 4\nseed = 1", "val_samples = 4\nseed = 2"}, "offset": {"offset = 0", "offset = 8"},
		"max_samples": {"max_samples = 16", "max_samples = 8"}, "on_error": {`on_error = "stop"`, `on_error = "skip"`}, "max_pixels": {"max_pixels = 1000", "max_pixels = 100"},
	} {
		all["dataset.ImageMask."+attr] = effect{a: with(attr, v[0]), b: with(attr, v[1])}
	}
	return all
}

// shardFolder writes two archives of noise.
func shardFolder(t *testing.T, seed uint64) string {
	t.Helper()
	dir, r := t.TempDir(), rand.New(rand.NewPCG(seed, 13))
	for k := range 2 {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		add := func(name string, data []byte) {
			must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data))}))
			_, err := w.Write(data)
			must(t, err)
		}
		for i := range 30 {
			add(fmt.Sprintf("%02d.png", i), noisePNG(t, r, 30, 30))
			add(fmt.Sprintf("%02d.other.png", i), noisePNG(t, r, 30, 30))
			add(fmt.Sprintf("%02d.cls", i), fmt.Append(nil, i%10))
			add(fmt.Sprintf("%02d.turned", i), fmt.Append(nil, 9-i%10))
		}
		if k == 1 {
			add("broken.png", []byte("no image"))
			add("broken.cls", []byte("3"))
		}
		must(t, w.Close())
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%c.tar", 'a'+k)), b.Bytes(), 0o600))
	}
	return dir
}

// shardEffects has the attributes of archives.
func shardEffects(t *testing.T) map[string]effect {
	t.Helper()
	dir, all := shardFolder(t, 1), map[string]effect{}
	with := func(attr, value string) slots {
		set := func(attr, text string) string {
			for key, line := range map[string]string{"root": fmt.Sprintf("root = %q", dir), "shards": `shards = ["a.tar"]`} {
				if key != attr && !strings.HasPrefix(text, key) {
					text += "\n" + line
				}
			}
			return text + "\ntransform \"Resize\" { size = [28, 28] }"
		}
		s := slots{"type": "WebDataset", "train": set(attr, value), "test": set("", "max_samples = 20")}
		if attr == "channels" {
			s["test"] = set("", value)
		}
		return s
	}
	for attr, v := range map[string][2]string{
		"root": {fmt.Sprintf("root = %q", dir), fmt.Sprintf("root = %q", shardFolder(t, 2))}, "shards": {`shards = ["a.tar"]`, `shards = ["a.tar", "a.tar"]`},
		"split": {"val_samples = 10\nsplit = \"train\"", "val_samples = 10\nsplit = \"val\""}, "images": {`images = ["png"]`, `images = ["other.png"]`},
		"label": {`label = "cls"`, `label = "turned"`}, "num_classes": {"num_classes = 10", "num_classes = 5"},
		"class_names": {"class_names = " + renamedClasses()[0], "class_names = " + renamedClasses()[1]}, "channels": {"channels = 1", "channels = 3"},
		"val_samples": {"val_samples = 4", "val_samples = 8"}, "seed": {"val_samples = 8\nseed = 1", "val_samples = 8\nseed = 2"}, "offset": {"offset = 0", "offset = 8"},
		"max_samples": {"max_samples = 24", "max_samples = 16"}, "max_pixels": {"max_pixels = 1000", "max_pixels = 100"},
		"on_error": {"shards = [\"b.tar\"]\non_error = \"stop\"", "shards = [\"b.tar\"]\non_error = \"skip\""},
	} {
		all["dataset.WebDataset."+attr] = effect{a: with(attr, v[0]), b: with(attr, v[1])}
	}
	return all
}

// shapesEffects has the attributes of the built-in segmentation set.
func shapesEffects() map[string]effect {
	all := map[string]effect{}
	for attr, v := range map[string][2]string{
		"split": {`"train"`, `"validation"`}, "num_samples": {"32", "40"}, "offset": {"0", "8"}, "seed": {"0", "1"}, "size": {"16", "24"},
		"channels": {"1", "3"}, "classes": {`["circle", "ring"]`, `["circle", "cross"]`}, "max_shapes": {"1", "3"}, "contrast": {"0.1", "0.8"},
		"noise": {"0", "0.3"}, "border": {"false", "true"},
	} {
		with := func(value string) slots {
			both := ""
			for name, usual := range map[string]string{"num_samples": "32", "size": "16", "channels": "1", "classes": `["circle", "ring"]`} {
				if name != attr {
					both += name + " = " + usual + "\n"
				}
			}
			s := slots{
				"type": "Shapes", "train": both + attr + " = " + value, "test": both + "split = \"test\"", "override": "",
				"model": `model "UNet" "net" {` + "\nnum_classes = 3\nwidth = 4\ndepth = 2\n}", "validation": "validation {\nmetric \"MeanIoU\" {}\n}",
			}
			if attr == "size" || attr == "channels" || attr == "classes" || attr == "num_samples" {
				s["test"] += "\n" + attr + " = " + value
			}
			return s
		}
		all["dataset.Shapes."+attr] = effect{a: with(v[0]), b: with(v[1])}
	}
	return all
}
