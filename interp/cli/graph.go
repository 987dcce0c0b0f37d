package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"qpipe/interp/graph"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

const aboutGraph = `Draw the stage graph: what runs after what, what each stage reads and leaves.

  text     a tree for people (default)
  dot      for Graphviz: qpipe graph -format=dot x.hcl | dot -Tsvg
  mermaid  for pages that render it`

func (a *app) graphCmd() *cobra.Command {
	var in inputs
	var format string
	cmd := &cobra.Command{
		Use:               "graph [PIPELINE]",
		Short:             "Draw the stage graph",
		Long:              aboutGraph,
		ValidArgsFunction: completePipeline,
		RunE:              func(_ *cobra.Command, args []string) error { return a.graph(in, args, format) },
	}
	in.register(cmd.Flags())
	cmd.Flags().StringVar(&format, "format", "text", "`FORMAT`: text, dot or mermaid")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "dot", "mermaid"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) graph(in inputs, args []string, format string) error {
	draw := map[string]func(*bytes.Buffer, *graph.Plan){"text": drawText, "dot": drawDOT, "mermaid": drawMermaid}[format]
	if draw == nil {
		return usagef("-format must be text, dot or mermaid, not %q", format)
	}
	path, err := one(args)
	if err != nil {
		return err
	}
	l, err := a.sound(path, in, false)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	draw(&b, l.plan)
	_, err = a.Out.Write(b.Bytes())
	return err
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
	for _, line := range table(rows, "lllll") {
		fmt.Fprintln(b, line)
	}
}

// does says what a stage does.
func does(s *graph.Stage) string {
	switch {
	case s.Trainer != nil && s.Trainer.NumEpochs > 0:
		return "trains " + count(s.Trainer.NumEpochs, "epoch")
	case s.Trainer != nil:
		return "trains " + count(s.Trainer.NumSteps, "step")
	case s.Calibrator != nil:
		return "calibrates " + count(s.Calibrator.NumSteps, "step")
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
	writes := s.Writes
	if s.Model != nil && s.Model.Form() == nn.Quantized {
		writes = append(slices.Clone(writes), "int8")
	}
	if len(writes) > 0 {
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
