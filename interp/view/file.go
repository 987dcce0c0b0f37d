package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/console"
	"qpipe/interp/part"
	"qpipe/ops/tensor"
)

// File describes a checkpoint or an int8 model.
func (s *Sheet) File(d *artifact.Description) {
	s.Title(d.Path)
	s.Row("kind", d.Kind)
	if d.Stage != "" {
		s.Row("stage", fmt.Sprintf("%s, %s, %s", d.Stage, console.Count(d.Epoch, "epoch"), console.Count(d.Step, "step")))
	}
	s.Row("form", strings.TrimSuffix(d.Form+", "+d.Mode, ", "))
	if d.Input != nil && len(d.Inputs) == 0 {
		s.Row("input", d.Input.String()+values(d.Preprocessing))
	}
	for _, in := range d.Inputs {
		s.Row("input "+in.Name, in.Shape.String()+values(in.Preprocessing))
	}
	for _, out := range d.Outputs {
		s.Row("output "+out.Name, out.Shape.String())
	}
	for _, names := range append([][]string{d.Classes}, d.MoreClasses...) {
		s.Row("classes", strings.Join(names, ", "))
	}
	if d.Params > 0 {
		s.Row("parameters", strconv.Itoa(d.Params))
	}
	s.Row("metrics", strings.TrimSpace(console.Metrics(map[string]float64(d.Metrics))))
	s.Row("best", strings.TrimSpace(console.Metrics(map[string]float64(d.Best))))
	s.Row("size", console.Size(d.Bytes))
	s.Row("storage", d.Storage)
	s.Row("sha256", d.SHA256)
	s.Row("kernels", d.Kernels)
	s.Row("frozen bn", strings.Join(d.FrozenBN, ", "))
	s.section("absorbed", "lrrlrrr", absorbedRows(d.Absorbed))
	s.section("layers", "lllrlllll", layerRows(d.Layers))
	s.section("tensors", "lllrr", tensorRows(d.Tensors))
}

// values says how what the data gives becomes the input.
func values(p *part.Preprocessing) string {
	if p == nil {
		return ""
	}
	text := func(v []float64) string {
		if len(slices.Compact(slices.Clone(v))) == 1 {
			return fmt.Sprint(float32(v[0]))
		}
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = fmt.Sprint(float32(x))
		}
		return "(" + strings.Join(parts, ", ") + ")"
	}
	if p.Numbers {
		return fmt.Sprintf(" numbers, (number - %s) / %s", text(p.Mean), text(p.Std))
	}
	return fmt.Sprintf(" %s, %s(pixel/255 - %s) / %s", p.Colors, sized(p.Steps), text(p.Mean), text(p.Std))
}

// sized says how images get their size.
func sized(steps []part.Step) (text string) {
	for _, s := range steps {
		size := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(s.Size), "[]")), "×")
		if s.Op == part.Resize {
			text += fmt.Sprintf("resized to %s (%s), ", size, s.Interpolation)
		} else {
			text += fmt.Sprintf("the middle %s, ", size)
		}
	}
	return text
}

func absorbedRows(absorbed []checkpoint.Absorption) [][]string {
	rows := [][]string{{"module", "epoch", "step", "scale", "largest change", "steps", "integers changed"}}
	for _, r := range absorbed {
		rows = append(rows, []string{
			r.Module, strconv.Itoa(r.Epoch), strconv.Itoa(r.Step), console.Kept(r.WeightScale),
			fmt.Sprintf("%.3g", r.MaxChange), fmt.Sprintf("%.3g", r.MaxSteps), fmt.Sprintf("%d of %d", r.Changed, r.Integers),
		})
	}
	return rows
}

func layerRows(layers []artifact.Layer) [][]string {
	rows := [][]string{{"node", "op", "output", "params", "activation", "weight", "bn", "act", ""}}
	for _, l := range layers {
		island := ""
		if l.Island != "" {
			island = "float island: " + l.Island
		}
		rows = append(rows, []string{l.Name, l.Op, l.Out, strconv.Itoa(l.Params), l.Activation, l.Weight, l.BN, l.Act, island})
	}
	return rows
}

func tensorRows(tensors []artifact.TensorInfo) [][]string {
	rows := [][]string{{"name", "type", "shape", "smallest", "largest"}}
	for _, t := range tensors {
		dtype := t.DType
		if t.Codes != "" {
			dtype += " (" + t.Codes + " codes)"
		}
		rows = append(rows, []string{t.Name, dtype, tensor.List(t.Shape...), extreme(t.Min), extreme(t.Max)})
	}
	return rows
}

func extreme(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%.5g", *v)
}
