package predict

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"qpipe/infer"
	"qpipe/interp/command"
	"qpipe/lang/files"
)

// About is the help of the command.
const About = `Say what a network sees in image files: classes with scores or, if it gives each pixel
a class, a mask. MODEL is

  a file        runs/digits/int8/int8.safetensors, or a checkpoint
  a reference   stage.qat.checkpoint.best, in the run's folder (-out)
  ONNX          net.onnx, in float32

FILES are JPEG, PNG, WebP, BMP or GIF images, or folders of them. How an image becomes
the network's input (size, channels, mean and deviation) and what the classes are
called is written in the model by the run that trained it; for a model of another
tool, flags say it. An image of another size is an error if nothing says how it gets
the network's: it is never stretched silently.

A score is the softmax of the network's output: how sure the network is, which need
not be how often it is right. A file that cannot be read is named, the others get
their answers, and the exit code is 1.`

// Flags are the flags of the command.
type Flags struct {
	JSON                 bool
	out, masks, classes  string
	mean, std            string
	resize, crop, filter string
	top, threads         int
	ema                  bool
}

// Register adds the flags.
func (f *Flags) Register(fl *pflag.FlagSet) {
	fl.IntVar(&f.top, "top", 3, "list so many classes: a `NUMBER`")
	fl.StringVar(&f.masks, "mask", "", "write masks into this `FOLDER`: PNG files with a palette, whose indices are the labels")
	fl.BoolVar(&f.ema, "ema", false, "use the averaged weights of a checkpoint")
	fl.StringVar(&f.out, "out", "", "`FOLDER` of the run, for a reference")
	fl.StringVar(&f.resize, "resize", "", "resize images first: `HEIGHT,WIDTH`, or one number for the shorter side")
	fl.StringVar(&f.crop, "crop", "", "then cut out the middle: `HEIGHT,WIDTH`, or one number for both")
	fl.StringVar(&f.filter, "interpolation", "bilinear", "of -resize: `FILTER` nearest, bilinear or bicubic")
	fl.StringVar(&f.mean, "mean", "", "mean of each channel, of pixels between 0 and 1: `NUMBERS`, as 0.485,0.456,0.406")
	fl.StringVar(&f.std, "std", "", "standard deviation of each channel: `NUMBERS`")
	fl.StringVar(&f.classes, "classes", "", "`FILE` with the names of the classes, one on each line")
	fl.IntVar(&f.threads, "threads", 0, "`NUMBER` of threads (default: all cores); never changes a result")
	fl.BoolVar(&f.JSON, "json", false, "as JSON")
}

// Options are what the command line asks for. cores is the number of threads without -threads.
func (f Flags) Options(args []string, cores int) (o Options, err error) {
	o = Options{Model: args[0], Files: args[1:], Out: f.out, EMA: f.ema, Top: f.top, Masks: f.masks, Threads: cmp.Or(f.threads, cores)}
	reference := strings.HasPrefix(o.Model, "stage.")
	switch {
	case strings.HasSuffix(o.Model, ".hcl"):
		return o, command.Wrong("%s is a pipeline; name a model that it has trained, such as stage.NAME.checkpoint.best -out RUN", o.Model)
	case reference && f.out == "":
		return o, command.Wrong("%s is a file of which run? -out names its folder", o.Model)
	case !reference && f.out != "":
		return o, command.Wrong("-out is for a reference, such as stage.qat.checkpoint.best; %s is a file", o.Model)
	case f.top < 1:
		return o, command.Wrong("-top must be at least 1")
	case (f.mean == "") != (f.std == ""):
		return o, command.Wrong("-mean and -std belong together")
	}
	if o.Given, err = f.given(); err != nil {
		return o, err
	}
	return o, command.Threads(f.threads)
}

// given is what the flags say of images.
func (f Flags) given() (g Given, err error) {
	if g.Mean, err = numbers("mean", f.mean, strconv.ParseFloat); err != nil {
		return g, err
	}
	if g.Std, err = numbers("std", f.std, strconv.ParseFloat); err != nil {
		return g, err
	}
	if !slices.Contains([]string{"nearest", "bilinear", "bicubic"}, f.filter) {
		return g, command.Wrong("-interpolation must be nearest, bilinear or bicubic, not %q", f.filter)
	}
	for _, s := range []struct{ flag, text, op, filter string }{{"resize", f.resize, "resize", f.filter}, {"crop", f.crop, "center_crop", ""}} {
		size, err := numbers(s.flag, s.text, func(w string, _ int) (int, error) { return strconv.Atoi(w) })
		switch {
		case err != nil:
			return g, err
		case len(size) > 2:
			return g, command.Wrong("-%s: want HEIGHT,WIDTH or one number, got %s", s.flag, s.text)
		case size != nil:
			g.Steps = append(g.Steps, infer.Step{Op: s.op, Size: size, Interpolation: s.filter})
		}
	}
	if f.classes == "" {
		return g, nil
	}
	text, err := files.ReadNamed(f.classes, mostNames)
	if err != nil {
		return g, command.Wrong("-classes: %s: %v", f.classes, files.Cause(err))
	}
	g.Classes = strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	return g, nil
}

// mostNames is the most bytes of a file with the names of classes.
const mostNames = 1 << 20

// numbers reads a list of numbers.
func numbers[T any](flag, text string, parse func(word string, bits int) (T, error)) (list []T, err error) {
	if text == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		v, err := parse(strings.TrimSpace(word), 64)
		if err != nil {
			return nil, command.Wrong("-%s: %q is not a number", flag, word)
		}
		list = append(list, v)
	}
	return list, nil
}
