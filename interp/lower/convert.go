package lower

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/graph"
	"qpipe/interp/netfile"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// walk takes the model of a stage through its converters, one after the other.
type walk struct {
	*lowerer
	s    *graph.Stage
	q    *configured      // nil without a qconfig
	call *program.Call    // the present converter
	last *program.Call    // the last LoadCheckpoint before it
	c    *part.Conversion // has the model
}

// convert applies a stage's converters to the network, which has no parameters. It returns
// nil after a mistake.
func (l *lowerer) convert(s *graph.Stage, built *part.Built) *nn.Graph {
	g := built.Graph.Clone()
	if s.Convert == nil {
		return g
	}
	if misspelt(s.Convert) {
		return nil
	}
	s.Mode = nn.Mode(s.Convert.QATMode)
	w := &walk{lowerer: l, s: s, c: &part.Conversion{Model: g, Mode: s.Mode, Names: built.Names}}
	w.c.Load = w.load
	if b := s.Convert.QConfig; b != nil {
		w.q = l.configured(s.Convert, built.Graph)
		if !w.q.fine {
			return nil
		}
		s.Target, s.QConfig, s.Nodes = nn.Target(b.Target), w.q.of, w.q.nodes
		w.c.Target, w.c.QConfig = s.Target, s.QConfig
	}
	if w.finished() {
		return nil
	}
	for i := range s.Convert.Converters {
		w.call = &s.Convert.Converters[i]
		if !w.step() {
			return nil
		}
	}
	return w.c.Model
}

// misspelt reports whether the stage's qat_mode or qconfig is written but invalid.
// lang/check has reported that.
func misspelt(c *program.Convert) bool {
	_, mode := c.Origin.Attrs["qat_mode"]
	_, block := c.Origin.Attrs["qconfig"]
	return mode && c.QATMode == "" || block && c.QConfig == nil
}

// step applies one converter, and returns false after a mistake. lang/lint has reported a
// converter that does not take the model's form, and one that needs a qconfig where there
// is none.
func (w *walk) step() bool {
	sig, known := w.plan.Catalog.Signature(program.ConverterKind, w.call.Type)
	if !known || sig.From != program.AnyForm && nn.Form(sig.From) != w.c.Model.Form() {
		return false
	}
	if w.q == nil && sig.From == program.Float && sig.To != program.AnyForm {
		return false
	}
	conv, err := part.New[part.Converter](w.plan.Catalog, *w.call)
	if err != nil {
		w.part(diag.BadPart, *w.call, err)
		return false
	}
	if sig.To == program.Quantized {
		if fits, known := w.convertible(), w.observed(); !fits || !known {
			return false
		}
	}
	if sig.To == program.Quantized {
		w.beforeInt8()
	}
	if err := part.Convert(conv, w.c); err != nil {
		w.cannot(err)
		return false
	}
	if sig.From == program.AnyForm {
		w.last = w.call
	}
	return true
}

// cannot reports the error of a converter.
func (w *walk) cannot(err error) {
	if errors.Is(err, errReported) {
		return
	}
	at, err := place(w.call.Origin, err)
	d := diag.Diagnostic{
		Code: diag.BadConversion, Subject: at, Address: w.call.Origin.Address,
		Summary: fmt.Sprintf("%s: %v", w.call.Type, err),
	}
	var node nn.NodeError
	if errors.As(err, &node) {
		d.Module, d.Summary, d.Detail = node.Node, fmt.Sprintf("%s: %v", w.call.Type, node.Err), way(node.Way)
	}
	w.fail(d)
}

// convertible reports why the model cannot become an int8 model, and returns false if it
// cannot. Nodes with the same problem and the same configuration are reported together,
// and only once, even if several stages convert the same model.
func (w *walk) convertible() bool {
	errs := w.c.Model.Convertible()
	for len(errs) > 0 {
		e, by := errs[0], w.configuredBy(errs[0].Node)
		var nodes []string
		errs = slices.DeleteFunc(errs, func(x nn.NodeError) bool {
			same := x.Err.Error() == e.Err.Error() && x.Way == e.Way && w.configuredBy(x.Node) == by
			if same {
				nodes = append(nodes, x.Node)
			}
			return same
		})
		w.inconvertible(e, nodes, by)
	}
	return len(w.c.Model.Convertible()) == 0
}

// configuredBy returns the place where the dtype of the node's activation is written, or that
// of its weight if the weight is float32. It is empty if the default is used.
func (w *walk) configuredBy(node string) diag.Range {
	if w.q == nil {
		return diag.Range{}
	}
	c := w.q.byNode[node]
	s := c.activation
	for _, m := range w.c.Model.Modules() {
		if m.Name == node && m.HasWeight && m.QConfig.Weight.Spec.DType == quant.Float32 {
			s = c.weight
		}
	}
	o, written := s.by["dtype"]
	if !written {
		return diag.Range{}
	}
	return o.At("dtype")
}

// inconvertible reports nodes that cannot become int8 for the same reason.
func (w *walk) inconvertible(e nn.NodeError, nodes []string, by diag.Range) {
	d := diag.Diagnostic{
		Code: diag.NotConvertible, Subject: w.call.Origin.Header, Address: w.call.Origin.Address, Module: e.Node,
		Summary: fmt.Sprintf("%s cannot become int8: %v", e.Node, e.Err), Detail: way(e.Way),
	}
	if more := len(nodes) - 1; more > 0 {
		d.Summary = fmt.Sprintf("%s cannot become int8: %v", graph.Some(nodes), e.Err)
		d.Detail += " The nodes: " + diag.Enumerate(nodes) + "."
	}
	if !by.Empty() {
		d.Related = []diag.Related{{Message: "the node is configured here", Range: by}}
	}
	w.once(fmt.Sprint("int8 ", by, nodes, e.Err), d)
}

// errReported is the error of a converter whose mistake has been reported already.
var errReported = errors.New("reported")

// load follows a LoadCheckpoint: the model absorbs the BNs that the checkpoint's model has
// absorbed, and must then have the same tensors as the checkpoint.
func (w *walk) load(from program.Checkpoint, o part.LoadOptions) error {
	w.remember(from, o)
	if from.Stage == "" {
		return w.loadFile(from, o)
	}
	up := w.plan.Stage(from.Stage)
	name := fmt.Sprintf("stage.%s.checkpoint.%s", from.Stage, from.Which)
	if from.Which == program.Int8 {
		if up == nil || up.Model == nil || up.Model.Form() != nn.Quantized {
			return errReported
		}
		return w.int8(&checkpoint.Snapshot{Form: nn.Quantized, Structure: up.Model.Structure()}, name, o)
	}
	if up == nil || up.Model == nil || len(up.Writes) == 0 {
		w.allObserved() // nothing is known of the checkpoint yet: assume that it has all ranges
		return nil
	}
	if !w.comparable(up) {
		return errReported
	}
	w.s.Loads = append(w.s.Loads, graph.Load{Call: w.call, From: from, Options: o, Up: up})
	writer := up.BestOf()
	gone := writer.Surely // at which epoch "best" will be written is unknown
	if from.Which == "last" {
		writer = up
		gone = map[string]bool{}
		for node := range up.Absorbed {
			gone[node] = true
		}
	}
	if err := w.takeOver(gone, up.Absorbed); err != nil {
		return err
	}
	give := writer.Model.Clone()
	if err := replay(give, gone, up.Absorbed); err != nil {
		return err
	}
	if o.LoadEMAModel && !up.Averages() {
		return part.Bad("load_ema_model", "stage %q keeps no averaged weights", up.Name)
	}
	models := ""
	if mine, theirs := w.s.Stage.Model.Name, up.Stage.Model.Name; mine != theirs {
		models = fmt.Sprintf("That stage has model.%s, and this one model.%s.", theirs, mine)
	}
	err := w.holdTrained(give, give.Tensors(), name, graph.QuantizedBy(up.Stage), o, diag.Diagnostic{
		Summary: fmt.Sprintf("the checkpoint of stage %q (%s)", up.Name, formText(give.Form(), give.Mode())),
		Detail:  models,
		Related: []diag.Related{{Message: "the stage that writes it", Range: up.Origin.Header}},
	})
	w.takeRanges(stageRanges(give), o)
	return err
}

// comparable reports whether a stage's checkpoint can be compared with the model: their forms
// and modes fit. If they do not, lang/lint has reported it.
func (w *walk) comparable(up *graph.Stage) bool {
	from, to := up.Model.Form(), w.c.Model.Form()
	if from != to && (from != nn.Calibration || to != nn.QAT) {
		return false
	}
	folded := up.Mode == nn.FuseBN
	return from == nn.Float || folded == (w.s.Mode == nn.FuseBN) || !folded && len(up.Absorbed) > 0
}

// file returns the file for a path in the pipeline's text.
func (w *walk) file(path string) string { return w.plan.Program.Path(path) }

// loadFile follows a LoadCheckpoint of a file. If the file does not exist yet, it is recorded as missing.
func (w *walk) loadFile(from program.Checkpoint, o part.LoadOptions) error {
	path, full := from.Path, w.file(from.Path)
	if _, err := os.Lstat(full); errors.Is(err, fs.ErrNotExist) {
		w.s.Loads = append(w.s.Loads, graph.Load{Call: w.call, From: from, Options: o, Missing: full})
		w.allObserved() // nothing is known of the file yet: assume that it has all ranges
		return nil
	}
	snap, err := w.peek(full, o)
	if err != nil {
		return part.Bad("checkpoint_path", "%w", err)
	}
	if snap.Form == nn.Quantized {
		if err := w.int8(snap, path, o); err != nil {
			return err
		}
		return w.hold(snap.Model, part.LoadOptions{}, diag.Diagnostic{Summary: path})
	}
	if !formsFit(snap.Form, w.c.Model.Form(), o) {
		return part.Bad("checkpoint_path", "%s was written from a %s model, and the model here is %s: move LoadCheckpoint to a place where the model has that form", path, snap.Form, w.c.Model.Form())
	}
	w.rememberFile(from, snap, o)
	gone, by := map[string]bool{}, map[string]*program.Callback{}
	for _, a := range snap.Absorbed {
		node := checkpoint.Renamed(a.Module, o)
		gone[node], by[node] = true, &program.Callback{Call: *w.call}
	}
	if err := w.takeOver(gone, by); err != nil {
		return err
	}
	tensors := snap.Model
	if o.LoadEMAModel {
		if tensors = snap.Shadow; tensors == nil {
			return part.Bad("load_ema_model", "%s holds no averaged weights", path)
		}
	}
	d := diag.Diagnostic{Summary: fmt.Sprintf("%s (%s)", path, formText(snap.Form, snap.Mode))}
	w.takeRanges(fileRanges(tensors), o)
	if len(snap.Structure) == 0 {
		return w.hold(tensors, o, d)
	}
	was, err := nn.Restore(snap.Structure)
	if err != nil {
		return part.Bad("checkpoint_path", "%s: %w", path, err)
	}
	return w.holdTrained(was, tensors, path, "another one", o, d)
}

// peek reads what the file of a checkpoint says about itself.
func (w *walk) peek(full string, o part.LoadOptions) (*checkpoint.Snapshot, error) {
	if netfile.Is(full) {
		return netfile.Read(full, w.c.Model, o)
	}
	return artifact.Peek(full)
}

// formsFit reports whether weights of one form can be used in another.
func formsFit(from, to nn.Form, o part.LoadOptions) bool {
	quantized := func(f nn.Form) bool { return f == nn.Calibration || f == nn.QAT }
	return from == to || quantized(to) && (quantized(from) || from == nn.Float && o.AllowMiss)
}

// takeOver absorbs in the model what a checkpoint's model has absorbed: the BNs of the nodes
// gone. by has the callbacks that did it.
func (w *walk) takeOver(gone map[string]bool, by map[string]*program.Callback) error {
	maps.Copy(w.s.Absorbed, by)
	maps.Copy(w.s.Surely, gone)
	return replay(w.c.Model, gone, by)
}

// replay absorbs the BNs of the nodes gone, as far as the graph has them, in the same way as the
// callbacks that did it.
func replay(g *nn.Graph, gone map[string]bool, by map[string]*program.Callback) error {
	for _, m := range g.Modules() {
		if !m.Absorbable() || !gone[m.Name] {
			continue
		}
		a, _ := by[m.Name].Args.(program.BNAbsorber)
		if err := g.Absorb(m.Name, a != nil && !a.KeepsScale()); err != nil {
			return fmt.Errorf("taking over the checkpoint's absorption: %w", err)
		}
	}
	return nil
}

// holdTrained is like hold, and also compares the model's quantization with that of the model
// was, which wrote the checkpoint. If the stage does not train, a difference is an error and
// is reported first; if it does, a difference is a warning.
func (w *walk) holdTrained(was *nn.Graph, give []nn.Tensor, from, of string, o part.LoadOptions, d diag.Diagnostic) error {
	trains := w.s.Trainer != nil || w.s.Calibrator != nil
	if !trains {
		if err := w.trainedOtherwise(was, from, of); err != nil {
			return err
		}
	}
	if err := w.hold(give, o, d); err != nil || !trains {
		return err
	}
	return w.trainedOtherwise(was, from, of)
}

// hold compares a checkpoint's tensors with the model's, and reports those that do not fit. d
// begins the diagnostic: its summary names the checkpoint.
func (w *walk) hold(give []nn.Tensor, o part.LoadOptions, d diag.Diagnostic) error {
	m, err := checkpoint.Match(give, w.c.Model.Tensors(), o)
	if err != nil {
		return err
	}
	err = m.Err("")
	if err == nil {
		return nil
	}
	if w.call.Faulty {
		return errReported // its options contain a mistake, so it is not known what they would allow
	}
	var lines []string
	add := func(what string, list []checkpoint.Mismatch, way string) {
		var names []string
		for _, x := range list {
			if x.Reason != "" {
				x.Name += " (" + x.Reason + ")"
			}
			names = append(names, x.Name)
		}
		if len(list) > 0 {
			lines = append(lines, what+": "+diag.Enumerate(names)+".")
			if way != "" {
				lines = append(lines, way+".")
			}
		}
	}
	var e *checkpoint.LoadError
	if errors.As(err, &e) {
		if e.Why != "" {
			lines = append(lines, e.Why+".")
		}
		if text := e.RenameText(); text != "" {
			lines = append(lines, "Likely: "+text+".")
		}
		add("Missing in the checkpoint", e.Missing, "allow_miss = true leaves them as they are")
		add("Not in the model", e.Extra, "ignore_extra = true skips them")
		add("Of another shape", e.Shapes, "ignore_tensor_shape = true leaves them as they are")
		add("Of a type that cannot be loaded", e.Types, "Save them as float32")
	}
	d.Code, d.Subject, d.Address = diag.CheckpointMismatch, w.call.Origin.At("checkpoint_path"), w.call.Origin.Address
	d.Summary += fmt.Sprintf(" does not fit the model (%s)", formText(w.c.Model.Form(), w.c.Model.Mode()))
	d.Detail = strings.TrimSpace(d.Detail + " " + strings.Join(lines, " "))
	w.fail(d)
	return errReported
}

// formText describes the form and the mode of a network.
func formText(f nn.Form, m nn.Mode) string {
	if m == "" || f == nn.Float {
		return "form " + string(f)
	}
	return fmt.Sprintf("form %s, %s", f, m)
}
