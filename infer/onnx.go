package infer

import (
	"encoding/json"
	"fmt"
	"slices"

	"qpipe/interp/part"
	"qpipe/onnx/importer"
	"qpipe/onnx/model"
	"qpipe/ops/tensor"
)

// irVersion is the first byte of an ONNX file: the number of the field that all of them begin with.
const irVersion = 0x08

// Keys of what an ONNX file's metadata says about images, in the JSON of a checkpoint's metadata.
const (
	preprocessingKey     = "qpipe.preprocessing"
	morePreprocessingKey = "qpipe.more_preprocessing"
	classesKey           = "qpipe.classes"
	moreClassesKey       = "qpipe.more_classes"
)

// LoadONNX reads the network in an ONNX file, and its weights in files beside it. Height and width count where the file
// leaves those of its inputs open.
func LoadONNX(path string, height, width int) (*Model, error) {
	m, err := model.Read(path, model.Usual())
	if err != nil {
		return nil, err
	}
	net, err := fromONNX(m, height, width)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return net, nil
}

func readONNX(data []byte) (*Model, error) {
	m, err := model.Parse(data, nil, model.Usual())
	if err != nil {
		return nil, err
	}
	return fromONNX(m, 0, 0)
}

func fromONNX(m *model.Model, height, width int) (*Model, error) {
	shapes, err := shapesOf(m.Graph, height, width)
	if err != nil {
		return nil, err
	}
	net, err := importer.Build(m, shapes, importer.Options{})
	if err != nil {
		return nil, err
	}
	net.Graph.Init(0)
	if err := net.Graph.SetTensors(net.Weights); err != nil {
		return nil, err
	}
	out := newModel(net.Graph, About{Form: string(net.Graph.Form())})
	inputs, err := listed[part.Preprocessing](m, preprocessingKey, morePreprocessingKey)
	if err != nil {
		return nil, err
	}
	classes, err := listed[[]string](m, classesKey, moreClassesKey)
	if err != nil {
		return nil, err
	}
	return out, out.describe(inputs, classes)
}

// listed reads a list from the metadata, whose first element and the others have keys of their own.
func listed[T any](m *model.Model, first, more string) (list []T, err error) {
	read := func(key string, to any) bool {
		i := slices.IndexFunc(m.Metadata, func(e model.Entry) bool { return e.Key == key })
		if i < 0 || err != nil {
			return false
		}
		if json.Unmarshal([]byte(m.Metadata[i].Value), to) != nil {
			err = fmt.Errorf("its metadata %s is not as qpipe writes it (docs/format.md)", key)
		}
		return true
	}
	var head T
	var tail []T
	if read(first, &head) {
		list = append(list, head)
		read(more, &tail)
	}
	return append(list, tail...), err
}

// shapesOf returns the shapes of the inputs. A size that the file leaves open is the given one.
func shapesOf(g *model.Graph, height, width int) (list []tensor.Shape, err error) {
	for _, v := range g.Inputs {
		if slices.ContainsFunc(g.Initializers, func(t *model.Tensor) bool { return t.Name == v.Name }) {
			continue
		}
		s := tensor.Shape{H: 1, W: 1}
		var sides []*int
		switch len(v.Shape) { // without the batch
		case 2:
			sides = []*int{&s.C}
		case 3:
			sides = []*int{&s.C, &s.W}
		case 4:
			sides = []*int{&s.C, &s.H, &s.W}
		default:
			return nil, fmt.Errorf("the input %q has %s; images have 4 (N, C, H and W), and vectors 2", v.Name, part.Count(len(v.Shape), "dimension"))
		}
		given := map[*int]int{&s.H: height, &s.W: width}
		for k, side := range sides {
			*side = v.Shape[k+1].Size
			if *side < 0 {
				*side = given[side]
			}
			if *side < 1 {
				return nil, &OpenError{Input: v.Name}
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// OpenError is an ONNX file that leaves the size of an input open, which LoadONNX can be given.
type OpenError struct{ Input string }

func (e *OpenError) Error() string {
	return fmt.Sprintf("the file leaves the size of its input %q open", e.Input)
}
