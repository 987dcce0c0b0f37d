package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"qpipe/interp/command"
	"qpipe/interp/complete"
	"qpipe/interp/console"
	"qpipe/interp/draw"
	"qpipe/interp/view"
	"qpipe/lang/diag"
)

const aboutGraph = `Draw the stage graph: what runs after what, what each stage reads and leaves. With
-model, draw a network: its layers with ops, shapes, parameters and multiply-
accumulates (MACs), as they are written; with -fused, the nodes that they become;
with -stage, the nodes of a stage's model: what its converters, qconfig and target
make of the network, with the types, and what becomes of each BN.

  text     a tree of stages, a table of layers (default)
  dot      for Graphviz: qpipe graph -format=dot x.hcl | dot -Tpdf
  mermaid  for pages that render it
  svg      an image

A network is built for the data of the first stage that uses it, or for -data.
-json prints everything as data.`

// graphFlags are the flags of `qpipe graph`.
type graphFlags struct {
	command.Inputs
	format, model, stage, data string
	fused, json                bool
	depth                      int
}

func (a *app) graphCmd() *cobra.Command {
	var f graphFlags
	cmd := &cobra.Command{
		Use:   "graph [PIPELINE]",
		Short: "Draw the stage graph or a network",
		Long:  aboutGraph,
		Example: `  qpipe graph pipelines/quickstart.hcl
  qpipe graph -model net pipelines/quickstart.hcl
  qpipe graph -model net -fused -depth 1 pipelines/clothing10_resnet20.hcl
  qpipe graph -stage qat -format=svg pipelines/quickstart.hcl > qat.svg`,
		ValidArgsFunction: complete.Pipeline,
		RunE:              func(_ *cobra.Command, args []string) error { return a.graph(f, args) },
	}
	fl := cmd.Flags()
	f.Register(fl)
	fl.BoolVar(&f.json, "json", false, "as JSON")
	fl.StringVar(&f.format, "format", "text", "`FORMAT`: text, dot, mermaid or svg")
	fl.StringVar(&f.model, "model", "", "the network of the model of this `NAME`")
	fl.StringVar(&f.stage, "stage", "", "the network of the stage of this `NAME`, as the stage has it")
	fl.BoolVar(&f.fused, "fused", false, "the network after fusion")
	fl.StringVar(&f.data, "data", "", "the network for this data set, `dataset.NAME`")
	fl.IntVar(&f.depth, "depth", 0, "of a network: make one of all layers with this `NUMBER` of parts of their names in common")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(graphFormats(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("model", complete.Model)
	_ = cmd.RegisterFlagCompletionFunc("stage", complete.Stage)
	_ = cmd.RegisterFlagCompletionFunc("data", complete.Dataset)
	return cmd
}

func graphFormats() []string { return []string{"text", "dot", "mermaid", "svg"} }

// check refuses flags that do not go together.
func (f graphFlags) check() error {
	network := f.model != "" || f.stage != ""
	switch {
	case !slices.Contains(graphFormats(), f.format):
		return command.Wrong("-format must be text, dot, mermaid or svg, not %q", f.format)
	case f.depth < 0:
		return command.Wrong("-depth must not be negative")
	case !network && (f.fused || f.data != "" || f.depth > 0):
		return command.Wrong("-fused, -data and -depth are about a network: name it with -model")
	case f.stage != "" && f.data != "":
		return command.Wrong("-data does not go with -stage, which has its own data")
	}
	return nil
}

func (a *app) graph(f graphFlags, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	path, err := one(args)
	if err != nil {
		return err
	}
	if f.model != "" || f.stage != "" {
		return a.networkGraph(f, path)
	}
	l, err := a.sound(path, f.Inputs, f.json)
	if err != nil {
		return err
	}
	if f.json {
		return a.writeJSON(graphDocument{diag.FormatVersion, l.program.Name, view.StageItems(l.plan), l.report(nil)})
	}
	s := a.sheet()
	s.Stages(l.plan)
	return a.draw(f.format, s, view.StageDiagram(l.plan))
}

// draw prints the text, or draws the diagram.
func (a *app) draw(format string, text *view.Sheet, d *draw.Diagram) error {
	drawing, err := "", error(nil)
	switch format {
	case "text":
		_, err = a.Out.Write(text.Bytes())
		return err
	case "dot":
		drawing = d.DOT()
	case "mermaid":
		drawing = d.Mermaid()
	default:
		if drawing, err = d.SVG(); err != nil {
			return fmt.Errorf("the graph of %s: %w; -depth makes one box of a module", console.Count(len(d.Boxes), "box"), err)
		}
	}
	_, err = io.WriteString(a.out.Raw(), drawing)
	return err
}

// graphDocument is what `graph -json` prints.
type graphDocument struct {
	FormatVersion string           `json:"format_version"`
	Program       string           `json:"program"`
	Stages        []view.StageItem `json:"stages"` // in a possible order of execution
	diag.Items
}
