package view

import (
	"fmt"
	"strings"

	"qpipe/interp/draw"
)

// title says what is shown of which model.
func (n *NetworkItem) title() string {
	text := "model." + n.Model + " (" + n.Type + ")"
	if n.Data != "" {
		text += " for dataset." + n.Data
	}
	switch {
	case n.Stage == "" && n.Fused:
		text += ", fused"
	case n.Stage != "":
		text += ", in stage " + n.Stage + ": " + n.Form
	}
	if n.QATMode != "" {
		text += " " + n.QATMode + ", for " + n.Target
	}
	return text
}

// Network prints a network as a table.
func (s *Sheet) Network(n *NetworkItem) {
	s.Title(n.title())
	if len(n.OtherData) > 0 {
		s.Row("note", "stages also use it on data of other shapes: -data dataset."+strings.Join(n.OtherData, ", -data dataset."))
	}
	if len(n.Outputs) > 1 {
		for _, o := range n.Outputs {
			s.Row("output", fmt.Sprintf("%s: %s of %s", o.Name, shapeText(o.Shape), o.Layer))
		}
	}
	fmt.Fprintln(s)
	s.table(n.rows(), "llllrrlllll", "")
}

// rows are the heads, a row for each layer, and the sums.
func (n *NetworkItem) rows() [][]string {
	rows := [][]string{{"layer", "op", "reads", "output", "params", "MACs", "activation", "weight", "BN", "fused with it", "float island in int8"}}
	last := ""
	for _, l := range n.Layers {
		reads := seenFrom(l.Name, l.Inputs)
		if len(l.Inputs) == 1 && l.Inputs[0] == last {
			reads = ""
		}
		rows = append(rows, []string{
			l.Name, l.Label, reads, l.shapes(), counted(int64(l.Parameters)), counted(l.MACs), l.Activation, l.Weight, l.BN, l.fused(), l.Island,
		})
		last = l.Name
	}
	rows = append(rows, []string{"total", "", "", "", counted(int64(n.Parameters)), counted(n.MACs), "", "", "", "", ""})
	return withoutEmpty(rows)
}

// fused names the layers that are fused with a layer.
func (l *LayerItem) fused() string {
	if l.Op == "" || len(l.Members) < 2 {
		return ""
	}
	return seenFrom(l.Name, l.Members[1:])
}

// seenFrom lists layers, each without the modules that it is in together with the layer of that name; of many the first.
func seenFrom(name string, others []string) string {
	const most = 4
	var words []string
	for i, o := range others {
		if i == most-1 && len(others) > most {
			return fmt.Sprintf("%s and %d more", strings.Join(words, ", "), len(others)-i)
		}
		common := 0
		for i := 0; i < len(o) && i < len(name) && o[i] == name[i]; i++ {
			if o[i] == '.' {
				common = i + 1
			}
		}
		words = append(words, o[common:])
	}
	return strings.Join(words, ", ")
}

// shapes is the shape of the output, or those that other layers read.
func (l *LayerItem) shapes() string {
	var words []string
	for _, s := range l.Shapes {
		words = append(words, shapeText(s))
	}
	return strings.Join(words, ", ")
}

func shapeText(s []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(s), "[]"), " ", "×")
}

// counted is a number with commas, "" for none.
func counted(n int64) string {
	if n == 0 {
		return ""
	}
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// withoutEmpty leaves out the heads of columns in which no row has anything.
func withoutEmpty(rows [][]string) [][]string {
	for k := range rows[0] {
		filled := false
		for _, r := range rows[1:] {
			filled = filled || r[k] != ""
		}
		if !filled {
			rows[0][k] = ""
		}
	}
	return rows
}

// NetworkDiagram is a box for each layer.
func NetworkDiagram(n *NetworkItem) *draw.Diagram {
	d := &draw.Diagram{Name: n.title(), ID: "n"}
	at := map[string]int{}
	for i, l := range n.Layers {
		at[l.Name] = i
		types := l.shapes()
		if l.Activation != "" {
			types += " " + l.Activation
		}
		d.Boxes = append(d.Boxes, draw.Box{Name: l.Name, Lines: []string{l.Name, l.Label, types}, Groups: around(l.Name)})
	}
	for i, l := range n.Layers {
		for _, in := range l.Inputs {
			d.Edges = append(d.Edges, draw.Edge{From: at[in], To: i})
		}
	}
	return d
}

// around are the modules that a layer is in: of "stage1.0.conv" stage1 and stage1.0.
func around(name string) (groups []string) {
	for i, r := range name {
		if r == '.' {
			groups = append(groups, name[:i])
		}
	}
	return groups
}
