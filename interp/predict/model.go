package predict

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"qpipe/infer"
	"qpipe/interp/artifact"
	"qpipe/lang/diag"
)

// load reads the model, adds what the command line says of images, and judges whether it takes images.
func (w *work) load() (err error) {
	path, isRef := w.o.Model, false
	if named, _, ok := artifact.Reference(w.o.Model, w.o.Out); ok {
		path, isRef = named, true
	}
	switch w.model, err = w.read(path); {
	case err != nil && isRef:
		return fmt.Errorf("%w; run the stage first: -out names the folder of the run", err)
	case err != nil:
		return err
	}
	if err := w.describe(path); err != nil {
		return err
	}
	if w.model.About().Averaged && !w.o.EMA {
		w.list = append(w.list, &diag.Diagnostic{
			Code: diag.AveragedBest, Severity: diag.Warning,
			Summary: fmt.Sprintf("%s also holds averaged weights, which are not used", path),
			Detail:  "The metrics in the file were measured with the averaged weights. Use -ema to predict with these.",
		})
	}
	return w.judge(path)
}

// read reads a file. What an ONNX file leaves open of its size follows from the steps.
func (w *work) read(path string) (*infer.Model, error) {
	onnx := filepath.Ext(path) == ".onnx"
	switch {
	case onnx && w.o.EMA:
		return nil, fmt.Errorf("%s: an ONNX file has one set of weights; leave out -ema", path)
	case w.o.EMA:
		return infer.LoadAveraged(path)
	case !onnx:
		return infer.Load(path)
	}
	h, wide := 0, 0
	for _, s := range w.o.Given.Steps {
		if h, wide = 0, 0; s.Op == "center_crop" || len(s.Size) == 2 {
			h, wide = s.Size[0], s.Size[len(s.Size)-1]
		}
	}
	m, err := infer.LoadONNX(path, h, wide)
	if open := (*infer.OpenError)(nil); errors.As(err, &open) {
		return nil, fmt.Errorf("%w; -crop HEIGHT,WIDTH or -resize HEIGHT,WIDTH says it", err)
	}
	return m, err
}

// describe changes what the model says of images to what the command line says.
func (w *work) describe(path string) (err error) {
	g, in := w.o.Given, w.model.Inputs()
	if len(in) > 0 && (g.Mean != nil || g.Steps != nil) {
		mean, std, steps := g.Mean, g.Std, g.Steps
		if mean == nil {
			mean, std = in[0].Mean, in[0].Std
		}
		if steps == nil {
			steps = in[0].Steps
		}
		if mean == nil {
			return unknownValues(path)
		}
		if w.model, err = w.model.WithInput(0, mean, std, steps); err != nil {
			return fmt.Errorf("-mean, -std, -resize or -crop do not fit %s: %w", path, err)
		}
	}
	if g.Classes != nil {
		if w.model, err = w.model.WithClasses(0, g.Classes); err != nil {
			return fmt.Errorf("-classes does not fit %s: %w", path, err)
		}
	}
	return nil
}

func unknownValues(path string) error {
	return fmt.Errorf("%s does not say how pixels become its input: give -mean and -std, of pixels between 0 and 1, such as -mean 0.485,0.456,0.406 -std 0.229,0.224,0.225", path)
}

// judge refuses a network that does not take one image, or whose maps are no classes.
func (w *work) judge(path string) error {
	in := w.model.Inputs()
	switch {
	case len(in) != 1:
		return fmt.Errorf("%s has %s, and a file is one image; the Go package qpipe/infer runs it", path, diag.Count(len(in), "input"))
	case in[0].Numbers:
		return fmt.Errorf("%s takes numbers, not images; the Go package qpipe/infer runs it", path)
	case in[0].Mean == nil:
		return unknownValues(path)
	}
	if _, err := w.model.NewReader(0); err != nil {
		return fmt.Errorf("%s does not take images: %w", path, err)
	}
	maps := 0
	for _, out := range w.model.Outputs() {
		if out.Height*out.Width == 1 {
			continue
		}
		if maps++; out.Channels < 2 || out.Channels > mostLabels {
			return fmt.Errorf("%s gives %s for each pixel; the labels of a mask are 0 to 1 at least, and 0 to %d at most", path, diag.Count(out.Channels, "value"), mostLabels-1)
		}
	}
	if w.o.Masks != "" && maps == 0 {
		return fmt.Errorf("%s gives an answer for the image, not for its pixels: there is no mask for -mask", path)
	}
	return nil
}

// named is what an output is called, if there are several.
func (w *work) named(k int) string {
	all := w.model.Outputs()
	if len(all) < 2 {
		return ""
	}
	return cmp.Or(strings.TrimSpace(all[k].Name), fmt.Sprint(k))
}
