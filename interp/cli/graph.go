package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"qpipe/interp/console"
	"qpipe/interp/graph"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

const aboutGraph = `Draw the stage graph: what runs after what, what each stage reads and leaves.

  text     a tree for people (default)
  dot      for Graphviz: qpipe graph -format=dot x.hcl | dot -Tsvg
  mermaid  for pages that render it

-json prints it as data.`

func (a *app) graphCmd() *cobra.Command {
	var in inputs
	var format string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "graph [PIPELINE]",
		Short:             "Draw the stage graph",
		Long:              aboutGraph,
		ValidArgsFunction: completePipeline,
		RunE:              func(_ *cobra.Command, args []string) error { return a.graph(in, args, format, asJSON) },
	}
	in.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text, dot or mermaid")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "dot", "mermaid"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) graph(in inputs, args []string, format string, asJSON bool) error {
	draw := map[string]func(*bytes.Buffer, *graph.Plan){"text": drawText, "dot": drawDOT, "mermaid": drawMermaid}[format]
	if draw == nil {
		return usagef("-format must be text, dot or mermaid, not %q", format)
	}
	path, err := one(args)
	if err != nil {
		return err
	}
	l, err := a.sound(path, in, asJSON)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(graphDocument{diag.FormatVersion, l.program.Name, stageItems(l.plan), l.report(nil)})
	}
	var b bytes.Buffer
	draw(&b, l.plan)
	to := a.Out
	if format != "text" {
		to = a.out.Raw()
	}
	_, err = to.Write(b.Bytes())
	return err
}

// graphDocument is what `graph -json` prints.
type graphDocument struct {
	FormatVersion string      `json:"format_version"`
	Program       string      `json:"program"`
	Stages        []stageItem `json:"stages"` // in an order in which they can run
	diag.Items
}

// stageItem is a stage in `graph -json`.
type stageItem struct {
	Stage   string     `json:"stage"`
	Does    string     `json:"does"`
	Model   string     `json:"model"`
	Form    string     `json:"form"`
	QATMode string     `json:"qat_mode,omitempty"`
	Reads   []readItem `json:"reads"`
	Writes  []string   `json:"writes"`
}

// readItem is an edge: what a stage reads of another.
type readItem struct {
	Stage string `json:"stage"`
	What  string `json:"what,omitempty"` // "last", "best", "int8", several with commas; "" for depends_on and metrics alone
}

func stageItems(p *graph.Plan) []stageItem {
	list := []stageItem{}
	for _, s := range p.Stages {
		i := stageItem{Stage: s.Name, Does: does(s), Model: s.Stage.Model.Name, Form: string(s.Model.Form()), Reads: []readItem{}, Writes: written(s)}
		if s.Model.Form() != nn.Float {
			i.QATMode = string(s.Mode)
		}
		for _, r := range s.Reads {
			i.Reads = append(i.Reads, readItem{r.Name, reads(s, r.Name)})
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

// drawText draws each stage below the last of those that it reads.
func drawText(b *bytes.Buffer, p *graph.Plan) {
	children := map[*graph.Stage][]*graph.Stage{}
	var roots []*graph.Stage
	for _, s := range p.Stages {
		if len(s.Reads) == 0 {
			roots = append(roots, s)
			continue
		}
		parent := s.Reads[len(s.Reads)-1]
		children[parent] = append(children[parent], s)
	}
	var rows [][]string
	var walk func(s *graph.Stage, first, rest string)
	walk = func(s *graph.Stage, first, rest string) {
		rows = append(rows, append([]string{first + s.Name, does(s)}, traits(p, s)...))
		for i, c := range children[s] {
			if i == len(children[s])-1 {
				walk(c, rest+"└─ ", rest+"   ")
			} else {
				walk(c, rest+"├─ ", rest+"│  ")
			}
		}
	}
	for _, s := range roots {
		walk(s, "", "")
	}
	for _, line := range console.Table(rows, "lllll") {
		fmt.Fprintln(b, line)
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

// traits are the columns of a stage: its model (where there are several), its
// form and mode, and what it reads and writes.
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

// reads returns for each stage that s reads what it reads of it.
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

func drawDOT(b *bytes.Buffer, p *graph.Plan) {
	fmt.Fprintf(b, "digraph %q {\n  rankdir = LR\n  node [shape = box, style = rounded]\n", p.Program.Name)
	for _, s := range p.Stages {
		fmt.Fprintf(b, "  %q [label = %q]\n", s.Name, s.Name+"\n"+does(s))
	}
	for _, s := range p.Stages {
		for _, r := range s.Reads {
			fmt.Fprintf(b, "  %q -> %q [label = %q]\n", r.Name, s.Name, reads(s, r.Name))
		}
	}
	fmt.Fprintln(b, "}")
}

func drawMermaid(b *bytes.Buffer, p *graph.Plan) {
	fmt.Fprintln(b, "flowchart LR")
	index := map[*graph.Stage]int{}
	for i, s := range p.Stages {
		index[s] = i
		fmt.Fprintf(b, "  s%d[\"%s<br/>%s\"]\n", i, s.Name, does(s))
	}
	for _, s := range p.Stages {
		for _, r := range s.Reads {
			if what := reads(s, r.Name); what != "" {
				fmt.Fprintf(b, "  s%d -->|%s| s%d\n", index[r], what, index[s])
			} else {
				fmt.Fprintf(b, "  s%d --> s%d\n", index[r], index[s])
			}
		}
	}
}
