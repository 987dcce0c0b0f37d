package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/console"
	"qpipe/interp/part"
	"qpipe/interp/runs"
	"qpipe/lang/diag"
)

const aboutShow = `Show what a file or a run contains: of a checkpoint or an int8 model the stage and
moment it was written at, its form, metrics, absorbed BNs and tensors; of a run's
folder its stages, metrics and outputs.`

func (a *app) showCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show FILE|RUN",
		Short:   "Show what a checkpoint, an int8 model or a run contains",
		Long:    aboutShow,
		Example: "  qpipe show runs/mnist\n  qpipe show runs/mnist/qat/last.safetensors\n  qpipe show -json runs/mnist | jq .stages",
		Args:    wants(1, 1, "one FILE or RUN"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.show(args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func (a *app) show(path string, asJSON bool) error {
	s := &sheet{paint: a.paint(a.Out)}
	var described any
	if dir := runs.Folder(path); dir != "" {
		d, err := runs.Describe(dir)
		if err != nil {
			return a.fileError(err, asJSON)
		}
		described = d
		s.run(d)
	} else {
		d, err := artifact.Describe(path)
		if err != nil {
			return a.fileError(err, asJSON)
		}
		described = d
		s.file(d)
	}
	if asJSON {
		return a.writeJSON(described)
	}
	_, err := a.Out.Write(s.Bytes())
	return err
}

// fileError shows an error about a file under its code, to a person or as JSON.
func (a *app) fileError(err error, asJSON bool) error {
	var f *artifact.FileError
	if !errors.As(err, &f) {
		return err
	}
	list := diag.List{{Code: f.Code, Summary: f.Error()}}
	if asJSON {
		return cmp.Or(diag.WriteJSON(a.out.Raw(), list, nil), failed(list))
	}
	if err := a.diagnostics(nil, list); err != nil {
		return err
	}
	return exit(exitFailed)
}

// sheet is the text of a description.
type sheet struct {
	bytes.Buffer
	paint console.Painter
}

// row prints a line of the head, if there is something to say.
func (s *sheet) row(name, text string) {
	if text != "" {
		fmt.Fprintf(s, "%s %s\n", s.paint.Dim(fmt.Sprintf("%-10s", name)), console.Printable(text))
	}
}

// section prints a heading and a table; the first row names the columns.
func (s *sheet) section(title, align string, rows [][]string) {
	if len(rows) < 2 {
		return
	}
	fmt.Fprintf(s, "\n%s\n", s.paint.Bold(title))
	for i, line := range console.Table(rows, align) {
		if i == 0 {
			line = s.paint.Dim(line)
		}
		fmt.Fprintf(s, "  %s\n", line)
	}
}

func (s *sheet) file(d *artifact.Description) {
	fmt.Fprintln(s, s.paint.Bold(console.Printable(d.Path)))
	s.row("kind", d.Kind)
	if d.Stage != "" {
		s.row("stage", fmt.Sprintf("%s, %s, %s", d.Stage, console.Count(d.Epoch, "epoch"), console.Count(d.Step, "step")))
	}
	s.row("form", strings.TrimSuffix(d.Form+", "+d.Mode, ", "))
	if d.Input != nil {
		s.row("input", d.Input.String()+pixels(d.Preprocessing))
	}
	s.row("classes", strings.Join(d.Classes, ", "))
	if d.Params > 0 {
		s.row("parameters", strconv.Itoa(d.Params))
	}
	s.row("metrics", strings.TrimSpace(console.Metrics(map[string]float64(d.Metrics))))
	s.row("best", strings.TrimSpace(console.Metrics(map[string]float64(d.Best))))
	s.row("size", console.Size(d.Bytes))
	s.row("storage", d.Storage)
	s.row("sha256", d.SHA256)
	s.row("kernels", d.Kernels)
	s.row("frozen bn", strings.Join(d.FrozenBN, ", "))
	s.section("absorbed", "lrrlrrr", absorbedRows(d.Absorbed))
	s.section("layers", "lllrllll", layerRows(d.Layers))
	s.section("tensors", "lllrr", tensorRows(d.Tensors))
}

// pixels says how an image's bytes become the input.
func pixels(p *part.Preprocessing) string {
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
	return fmt.Sprintf(" %s, (pixel/255 - %s) / %s", p.Colors, text(p.Mean), text(p.Std))
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
	rows := [][]string{{"node", "op", "output", "params", "activation", "weight", "bn", "act"}}
	for _, l := range layers {
		rows = append(rows, []string{l.Name, l.Op, l.Out, strconv.Itoa(l.Params), l.Activation, l.Weight, l.BN, l.Act})
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
		rows = append(rows, []string{t.Name, dtype, fmt.Sprint(t.Shape), extreme(t.Min), extreme(t.Max)})
	}
	return rows
}

func extreme(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%.5g", *v)
}

func (s *sheet) run(d *runs.Description) {
	m := d.Run
	fmt.Fprintln(s, s.paint.Bold(console.Printable(d.Path)))
	s.row("kind", d.Kind)
	s.row("pipeline", strings.Join(m.Files, ", "))
	s.row("note", d.Note)
	if d.Note == "" {
		s.row("seed", strconv.FormatInt(m.Seed, 10))
	}
	s.row("kernels", m.Kernels)
	s.row("qpipe", m.Version)
	for _, l := range d.Logs {
		s.row("log", l)
	}
	rows := [][]string{{"stage", "state", "form", "accuracy", "steps", "time"}}
	files := [][]string{{"file", "size", "sha256"}}
	for _, e := range m.Stages {
		rows = append(rows, []string{e.Name, e.State, e.Form, console.Accuracy(e.Metrics), steps(e.Steps), console.Seconds(e.Seconds)})
		for _, f := range e.Artifacts {
			files = append(files, []string{f.Path, console.Size(f.Bytes), cmp.Or(d.Faults[f.Path], f.SHA256)})
		}
	}
	s.section("stages", "lllrrr", rows)
	for _, e := range m.Stages {
		if e.Error != "" {
			fmt.Fprintf(s, "  %s: %s\n", console.Printable(e.Name), console.Printable(e.Error))
		}
	}
	s.section("files", "lrl", files)
	s.section("kept until a stage is complete", "llrrl", keptRows(d))
	outputs := [][]string{{"output", "value"}}
	for _, o := range m.Outputs {
		outputs = append(outputs, []string{o.Name, console.Value(o.Value)})
	}
	s.section("outputs", "ll", outputs)
}

// keptRows lists earlier results and attempts that wait until another one is complete.
func keptRows(d *runs.Description) [][]string {
	rows := [][]string{{"stage", "state", "accuracy", "steps", "files"}}
	for _, e := range d.Run.Stages {
		for _, k := range e.Kept {
			if len(k.Artifacts) == 0 || k.Dropped {
				continue
			}
			what := path.Dir(k.Artifacts[0].Path) + ": " + console.Count(len(k.Artifacts), "file")
			for _, f := range k.Artifacts {
				if fault := d.Faults[f.Path]; fault != "" {
					what += ", " + path.Base(f.Path) + " " + fault
				}
			}
			rows = append(rows, []string{k.Name, k.State, console.Accuracy(k.Metrics), steps(k.Steps), what})
		}
	}
	return rows
}

// steps prints a stage's steps: none for one that does not train, or has not ended.
func steps(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
