// Package infer runs trained networks in a Go program: checkpoints and int8 models that qpipe has written, and networks
// in ONNX files. What it computes are the very numbers of `qpipe eval`.
//
// A [Model] is what a file holds. It is not changed once it is loaded, and is shared. A [Session] has the memory of one
// computation; a goroutine that computes has a Session of its own, and all of them may work at the same time. A
// [Reader] turns image files into pixels; it, too, belongs to one goroutine. There is no other state.
//
// Values are in the order NHWC: images one after another, in each the rows, in each row the pixels, in each pixel the
// channels.
package infer

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/interp/prepare"
	"qpipe/ops/nn"
)

// Model is a trained network.
type Model struct {
	graph   *nn.Graph
	about   About
	inputs  []Input
	scales  []*prepare.Scale // of the inputs; nil where mean and std are not known
	outputs []Output
}

// About says where a model comes from.
type About struct {
	Stage    string // of the pipeline, that has written it; "" for an ONNX file
	Form     string // "float", "calibration", "qat", or "quantized" for an int8 model
	Mode     string // the qat_mode, "" for a float model
	Averaged bool   // the file also has averaged weights (see LoadAveraged)
}

// Input is what the network reads.
type Input struct {
	Name                    string
	Height, Width, Channels int
	Numbers                 bool      // the data consists of numbers, not of the pixels of images
	Mean, Std               []float64 // for each channel; x = (pixel/255 - mean)/std, or (number - mean)/std; nil if the file does not say
	Steps                   []Step    // how images of other sizes get this one; nil if the file does not say
}

// Step changes the size of an image: Op is "resize" or "center_crop", Size height and width or one number, which is
// both, or of "resize" the shorter side. Interpolation is "nearest", "bilinear" or "bicubic".
type Step = part.Step

// Output is what the network computes. For classes it has a value for each; for a map, a value for each pixel and class.
type Output struct {
	Name                    string
	Height, Width, Channels int
	Classes                 []string // their names; nil if the file does not say
	Probabilities           bool     // the network ends in a softmax: the values are probabilities already
}

// Load reads the model in a file: an int8 model or a checkpoint of any form (.safetensors), or a network in a file that
// ends in .onnx. Of a checkpoint these are the weights that were trained.
func Load(path string) (*Model, error) {
	if filepath.Ext(path) == ".onnx" {
		return LoadONNX(path, 0, 0)
	}
	s, err := artifact.Read(path)
	if err != nil {
		return nil, err
	}
	return fromSnapshot(path, s, false)
}

// LoadAveraged is Load with the averaged weights of a checkpoint. It is an error if the file has none.
func LoadAveraged(path string) (*Model, error) {
	s, err := artifact.Read(path)
	if err != nil {
		return nil, err
	}
	if len(s.Shadow) == 0 {
		return nil, fmt.Errorf("%s holds no averaged weights; only checkpoints of a stage with ExponentialMovingAverage have them", path)
	}
	return fromSnapshot(path, s, true)
}

// Read is Load for the bytes of a file. Weights in other files, which an ONNX model may have, are an error.
func Read(data []byte) (*Model, error) {
	if len(data) > 8 && data[0] == irVersion && data[8] != '{' {
		return readONNX(data)
	}
	s, err := artifact.Decode("the model", data)
	if err != nil {
		return nil, err
	}
	return fromSnapshot("the model", s, false)
}

func fromSnapshot(path string, s *checkpoint.Snapshot, averaged bool) (*Model, error) {
	g, err := checkpoint.Restore(s, averaged)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m := newModel(g, About{Stage: s.Stage, Form: string(s.Form), Mode: string(s.Mode), Averaged: len(s.Shadow) > 0})
	if err := m.describe(s.Inputs, s.Classes); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// newModel makes a model of a graph, of which no more than the shapes is known.
func newModel(g *nn.Graph, about About) *Model {
	m := &Model{graph: g, about: about}
	for _, p := range g.Inputs() {
		m.inputs = append(m.inputs, Input{Name: p.Name, Height: p.Shape.H, Width: p.Shape.W, Channels: p.Shape.C})
	}
	m.scales = make([]*prepare.Scale, len(m.inputs))
	ops := map[string]string{}
	for _, n := range g.Modules() {
		ops[n.Name] = n.Op
	}
	for _, p := range g.Outputs() {
		m.outputs = append(m.outputs, Output{
			Name: p.Label, Height: p.Shape.H, Width: p.Shape.W, Channels: p.Shape.C, Probabilities: ops[p.Name] == "softmax",
		})
	}
	return m
}

// describe adds what a file says of the inputs and the classes. An input of which nothing is known has a height of 0.
func (m *Model) describe(inputs []part.Preprocessing, classes [][]string) error {
	for k := range m.inputs {
		if len(inputs) != len(m.inputs) || inputs[k].Height == 0 {
			continue
		}
		p, in := inputs[k], &m.inputs[k]
		in.Numbers, in.Mean, in.Std, in.Steps = p.Numbers, p.Mean, p.Std, p.Steps
		if err := m.scale(k); err != nil {
			return fmt.Errorf("its preprocessing: %w", err)
		}
	}
	for k := range m.outputs {
		if len(classes) == len(m.outputs) && len(classes[k]) <= m.outputs[k].Channels {
			m.outputs[k].Classes = classes[k]
		}
	}
	return nil
}

// scale prepares the conversion of input k, and checks what was said of it.
func (m *Model) scale(k int) (err error) {
	in := m.inputs[k]
	if len(in.Mean) != in.Channels || len(in.Std) != in.Channels {
		return fmt.Errorf("%s and %s for %s", part.Count(len(in.Mean), "mean"), part.Count(len(in.Std), "deviation"), part.Count(in.Channels, "channel"))
	}
	if err = prepare.Check(in.Steps); err != nil {
		return err
	}
	m.scales[k], err = prepare.NewScale(in.Mean, in.Std, in.Numbers)
	return err
}

// About says where the model comes from.
func (m *Model) About() About { return m.about }

// Inputs describes the network's inputs. What the slices in them hold must not be changed.
func (m *Model) Inputs() []Input { return slices.Clone(m.inputs) }

// Outputs describes the network's outputs. What the slices in them hold must not be changed.
func (m *Model) Outputs() []Output { return slices.Clone(m.outputs) }

// WithInput returns the same model with another Mean, Std and Steps of input k, for a file that does not say them. Mean
// and Std have a value for each channel, or one for all.
func (m *Model) WithInput(k int, mean, std []float64, steps []Step) (*Model, error) {
	if k < 0 || k >= len(m.inputs) {
		return nil, fmt.Errorf("the model has no input %d", k)
	}
	c := *m
	c.inputs, c.scales = slices.Clone(m.inputs), slices.Clone(m.scales)
	in := &c.inputs[k]
	in.Mean, in.Std, in.Steps = spread(mean, in.Channels), spread(std, in.Channels), steps
	return &c, c.scale(k)
}

// spread repeats a single value for every channel.
func spread(v []float64, channels int) []float64 {
	if len(v) == 1 {
		return slices.Repeat(v, channels)
	}
	return v
}

// WithClasses returns the same model with other names of the classes of output k.
func (m *Model) WithClasses(k int, names []string) (*Model, error) {
	switch {
	case k < 0 || k >= len(m.outputs):
		return nil, fmt.Errorf("the model has no output %d", k)
	case len(names) > m.outputs[k].Channels:
		return nil, fmt.Errorf("%s for an output with %s", part.Count(len(names), "name"), part.Count(m.outputs[k].Channels, "value"))
	}
	c := *m
	c.outputs = slices.Clone(m.outputs)
	c.outputs[k].Classes = names
	return &c, nil
}

// errUnknown is the error about pixels of which nobody knows how they become the network's input.
var errUnknown = errors.New("the model does not say how pixels become its input: WithInput gives mean and standard deviation")
