package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"qpipe/interp/graph"
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

// drawText draws each stage below the one that it reads, and names the others
// that it reads beside it.
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
	var walk func(s *graph.Stage, first, rest string)
	walk = func(s *graph.Stage, first, rest string) {
		fmt.Fprintf(b, "%s%s  %s\n", first, s.Name, strings.Join(traits(s), ", "))
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
}

// traits say in a few words what a stage does.
func traits(s *graph.Stage) []string {
	var out []string
	switch {
	case s.Trainer != nil && s.Trainer.NumEpochs > 0:
		out = append(out, "trains "+count(s.Trainer.NumEpochs, "epoch"))
	case s.Trainer != nil:
		out = append(out, "trains "+count(s.Trainer.NumSteps, "step"))
	case s.Calibrator != nil:
		out = append(out, "calibrates "+count(s.Calibrator.NumSteps, "step"))
	default:
		out = append(out, "validates")
	}
	if s.Stage.Model != nil {
		out = append(out, fmt.Sprintf("%s %q", s.Stage.Model.Type, s.Stage.Model.Name))
	}
	if s.Model != nil {
		out = append(out, "form "+string(s.Model.Form()))
	}
	if s.Convert != nil {
		out = append(out, s.Convert.QATMode)
	}
	if len(s.Reads) > 1 {
		var names []string
		for _, r := range s.Reads[:len(s.Reads)-1] {
			names = append(names, r.Name)
		}
		out = append(out, "reads also "+strings.Join(names, ", "))
	}
	if len(s.Writes) > 0 {
		out = append(out, "writes "+strings.Join(s.Writes, ", "))
	}
	return out
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
		fmt.Fprintf(b, "  %q [label = %q]\n", s.Name, s.Name+"\n"+strings.Join(traits(s)[:1], ""))
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
		fmt.Fprintf(b, "  s%d[\"%s<br/>%s\"]\n", i, s.Name, traits(s)[0])
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
