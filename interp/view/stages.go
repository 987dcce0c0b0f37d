package view

import (
	"fmt"
	"strings"

	"qpipe/interp/console"
	"qpipe/interp/draw"
	"qpipe/interp/graph"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// StageItem is a stage in `graph -json`.
type StageItem struct {
	Stage   string     `json:"stage"`
	Does    string     `json:"does"`
	Model   string     `json:"model"`
	Form    string     `json:"form"`
	QATMode string     `json:"qat_mode,omitempty"`
	Reads   []ReadItem `json:"reads"`
	Writes  []string   `json:"writes"`
}

// ReadItem is an edge: what a stage reads of another.
type ReadItem struct {
	Stage string `json:"stage"`
	What  string `json:"what,omitempty"` // "last", "best", "int8", several with commas; "" for only depends_on and metrics
}

// StageItems are the stages of a plan, in a possible order of execution.
func StageItems(p *graph.Plan) []StageItem {
	list := []StageItem{}
	for _, s := range p.Stages {
		i := StageItem{Stage: s.Name, Does: does(s), Model: s.Stage.Model.Name, Form: string(s.Model.Form()), Reads: []ReadItem{}, Writes: written(s)}
		if s.Model.Form() != nn.Float {
			i.QATMode = string(s.Mode)
		}
		for _, r := range s.Reads {
			i.Reads = append(i.Reads, ReadItem{r.Name, reads(s, r.Name)})
		}
		list = append(list, i)
	}
	return list
}

// written lists the files of a model that a stage leaves.
func written(s *graph.Stage) []string {
	list := append([]string{}, s.Writes...)
	if s.Model != nil && s.Model.Form() == nn.Quantized {
		list = append(list, "int8")
	}
	return list
}

// Stages draws each stage below the last stage that it reads from.
func (s *Sheet) Stages(p *graph.Plan) {
	children := map[*graph.Stage][]*graph.Stage{}
	var roots []*graph.Stage
	for _, st := range p.Stages {
		if len(st.Reads) == 0 {
			roots = append(roots, st)
			continue
		}
		parent := st.Reads[len(st.Reads)-1]
		children[parent] = append(children[parent], st)
	}
	var rows [][]string
	var walk func(st *graph.Stage, first, rest string)
	walk = func(st *graph.Stage, first, rest string) {
		rows = append(rows, append([]string{first + st.Name, does(st)}, traits(p, st)...))
		for i, c := range children[st] {
			if i == len(children[st])-1 {
				walk(c, rest+"└─ ", rest+"   ")
			} else {
				walk(c, rest+"├─ ", rest+"│  ")
			}
		}
	}
	for _, st := range roots {
		walk(st, "", "")
	}
	for _, line := range console.Table(rows, "lllll") {
		fmt.Fprintln(s, line)
	}
}

// does says what a stage does.
func does(s *graph.Stage) string {
	switch {
	case s.Trainer != nil && s.Trainer.NumEpochs > 0:
		return "trains " + console.Count(s.Trainer.NumEpochs, "epoch")
	case s.Trainer != nil:
		return "trains " + console.Count(s.Trainer.NumSteps, "step")
	case s.Calibrator != nil:
		return "calibrates " + console.Count(s.Calibrator.NumSteps, "step")
	}
	return "validates"
}

// traits are the columns of a stage: its model (if there are several), its form and mode, and what it reads and writes.
func traits(p *graph.Plan, s *graph.Stage) []string {
	model, form := "", ""
	if len(p.Program.Models) > 1 && s.Stage.Model != nil {
		model = "model." + s.Stage.Model.Name
	}
	if s.Model != nil {
		form = string(s.Model.Form())
	}
	if s.Convert != nil && form != string(program.Float) {
		form += " " + s.Convert.QATMode
	}
	var in []string
	for _, r := range s.Reads {
		in = append(in, strings.TrimSpace(r.Name+" "+reads(s, r.Name)))
	}
	flow := ""
	if len(in) > 0 {
		flow = "reads " + strings.Join(in, ", ")
	}
	if writes := written(s); len(writes) > 0 {
		flow = strings.TrimPrefix(flow+"; writes "+strings.Join(writes, ", "), "; ")
	}
	return []string{model, form, flow}
}

// reads returns for each stage that s reads from, what it reads.
func reads(s *graph.Stage, from string) string {
	var what []string
	add := func(stage, w string) {
		if stage == from && w != "" {
			what = append(what, strings.TrimPrefix(w, "checkpoint."))
		}
	}
	if s.Convert != nil {
		for _, c := range s.Convert.Converters {
			for _, r := range c.Refs {
				add(r.Stage, r.What)
			}
		}
	}
	for _, r := range s.DependsOn {
		add(r.Stage, r.What)
	}
	return strings.Join(what, ", ")
}

// StageDiagram is a box for each stage.
func StageDiagram(p *graph.Plan) *draw.Diagram {
	d := &draw.Diagram{Name: p.Program.Name, Across: true, ID: "s"}
	index := map[*graph.Stage]int{}
	for i, st := range p.Stages {
		index[st] = i
		d.Boxes = append(d.Boxes, draw.Box{Name: st.Name, Lines: []string{st.Name, does(st)}})
	}
	for i, st := range p.Stages {
		for _, r := range st.Reads {
			d.Edges = append(d.Edges, draw.Edge{From: index[r], To: i, Label: reads(st, r.Name)})
		}
	}
	return d
}
