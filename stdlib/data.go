package stdlib

import (
	"qpipe/interp/part"
	"qpipe/stdlib/concat"
	"qpipe/stdlib/datasets"
	"qpipe/stdlib/shapes"
	"qpipe/stdlib/tables"
	"qpipe/stdlib/transforms"
)

// dataParts are the data sets and their transforms.
func dataParts() part.Catalog {
	return part.Catalog{
		part.DatasetPart("CIFAR10", "CIFAR-10, or other data in its binary layout: 32×32 RGB, ten classes.",
			datasets.CIFAR10Defaults(), datasets.NewCIFAR10),
		part.DatasetPart("CSV", "A table of numbers with a label in each row.",
			tables.CSVDefaults(), tables.NewCSV),
		part.DatasetPart("Concat", "The samples of other data sets, one after the other, or some of them several times.",
			concat.Args{}, concat.New),
		part.DatasetPart("Glyphs", "Built-in: characters drawn from fonts, distorted, on a noisy background; needs no file.",
			datasets.GlyphsDefaults(), datasets.NewGlyphs),
		part.DatasetPart("ImageFolder", "Image files with a class each: a folder for each class, or a list. JPEG, PNG, WebP, BMP, and the first picture of GIF.",
			datasets.ImageFolderDefaults(), datasets.NewImageFolder),
		part.DatasetPart("ImageMask", "Image files, and for each a mask: a file with the class of each pixel.",
			datasets.ImageMaskDefaults(), datasets.NewImageMask),
		part.DatasetPart("MNIST", "MNIST or Fashion-MNIST, from IDX files: 28×28 grey, ten classes.",
			datasets.MNISTDefaults(), datasets.NewMNIST),
		part.DatasetPart("NPY", "NumPy arrays of images or vectors, and of their labels or masks, in files of their own.",
			tables.NPYArgs{ArrayArgs: tables.ArrayDefaults()}, tables.NewNPY),
		part.DatasetPart("NPZ", "The same in an archive, as numpy.savez and numpy.savez_compressed write it.",
			tables.NPZArgs{ArrayArgs: tables.ArrayDefaults()}, tables.NewNPZ),
		part.DatasetPart("Shapes", "Built-in: simple shapes on a noisy ground, with masks; needs no file.",
			shapes.Defaults(), shapes.New),
		part.DatasetPart("WebDataset", "Samples in tar archives: image files with a file for the label of each.",
			datasets.WebDatasetDefaults(), datasets.NewWebDataset),

		part.TransformPart("CenterCrop", "Cuts the middle out of the image.",
			transforms.CenterCropArgs{}, transforms.NewCenterCrop),
		part.TransformPart("ColorJitter", "Changes brightness, contrast, saturation and hue at random, in random order.",
			transforms.ColorJitterArgs{}, transforms.NewColorJitter),
		part.TransformPart("CutMix", "Replaces a rectangle of each image of a batch by that of another one, and mixes their labels.",
			transforms.MixDefaults(), transforms.NewCutMix),
		part.TransformPart("Cutout", "Gives a square at a random place one value.",
			transforms.CutoutDefaults(), transforms.NewCutout),
		part.TransformPart("Mixup", "Blends each image of a batch with another one, and mixes their labels.",
			transforms.MixDefaults(), transforms.NewMixup),
		part.TransformPart("Normalize", "Defines how pixels become the network's input: (pixel/255 - mean)/std.",
			transforms.NormalizeArgs{}, transforms.NewNormalize),
		part.TransformPart("RandAugment", "Makes some of fourteen changes, chosen at random.",
			transforms.RandAugmentDefaults(), transforms.NewRandAugment),
		part.TransformPart("RandomCrop", "Pads the image and crops a rectangle from it at a random place.",
			transforms.RandomCropArgs{}, transforms.NewRandomCrop),
		part.TransformPart("RandomFlip", "Mirrors the image at random.",
			transforms.RandomFlipDefaults(), transforms.NewRandomFlip),
		part.TransformPart("RandomResizedCrop", "Gives a random part of the image the size.",
			transforms.RandomResizedCropDefaults(), transforms.NewRandomResizedCrop),
		part.TransformPart("Resize", "Gives the image another size.",
			transforms.ResizeDefaults(), transforms.NewResize),
	}
}
