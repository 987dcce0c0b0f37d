package exec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/event"
	"qpipe/interp/graph"
	"qpipe/interp/netfile"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/interp/proof"
	"qpipe/interp/runs"
	"qpipe/interp/stage"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// conversion is a stage's model, with weights, while converters work on it.
type conversion struct {
	part.Conversion
	last     *checkpoint.Snapshot    // the checkpoint that was loaded last, nil if none
	from     string                  // its name in the pipeline
	path     string                  // its file
	options  part.LoadOptions        // the options it was loaded with
	absorbed []checkpoint.Absorption // receipts of the loaded checkpoints and of the conversion
	proof    *runs.Proof             // of the int8 model, nil if the stage makes none
}

// convert builds the stage's model, initializes it from the seed and applies the converters.
func (s *session) convert(st *graph.Stage, j *stage.Job) (*conversion, error) {
	data := cmp.Or(j.Train, j.Val)
	m, err := newPart[part.Model](s, st.Stage.Model.Call)
	if err != nil {
		return nil, err
	}
	built, err := part.Build(m, data.Spec.Shapes(), s.data)
	if err == nil {
		err = built.Init(s.prog.Settings.Seed)
	}
	if err != nil {
		return nil, place.At(st.Stage.Model.Origin, err)
	}
	c := &conversion{Conversion: part.Conversion{Model: built.Graph, Mode: st.Mode, Target: st.Target, QConfig: st.QConfig, Names: built.Names}}
	if st.Convert == nil {
		return c, nil
	}
	for i := range st.Convert.Converters {
		if err := s.converter(st, j, c, st.Convert.Converters[i]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// converter applies one converter, and then checks what it has done to a trained model (see prove).
func (s *session) converter(st *graph.Stage, j *stage.Job, c *conversion, call program.Call) error {
	conv, err := newPart[part.Converter](s, call)
	if err != nil {
		return err
	}
	c.Load = func(from program.Checkpoint, o part.LoadOptions) error { return s.load(st, c, call, from, o) }
	before, from := c.Model, c.Model.Form()
	if from == nn.Float && c.Mode == nn.FuseBN && c.last != nil {
		before = before.Clone() // the converter folds BNs in the model itself
	}
	if err := part.Convert(conv, &c.Conversion); err != nil {
		return cannotConvert(call, err)
	}
	if err := s.prove(st, j, c, call, before, from); err != nil {
		return place.At(call.Origin, err)
	}
	return nil
}

// prove compares the models before and after a converter that has changed the form of a
// trained model. An int8 model must compute the same integers as the QAT model. BNs that
// were folded or absorbed get receipts.
func (s *session) prove(st *graph.Stage, j *stage.Job, c *conversion, call program.Call, before *nn.Graph, from nn.Form) error {
	p := &proof.Prover{
		Stage: st.Name, Call: call, Mode: c.Mode, Images: st.Proof, Feed: cmp.Or(j.Val, j.Train), Seed: s.prog.Settings.Seed,
		Loaded:  proof.Loaded{Snapshot: c.last, From: c.from, EMA: c.options.LoadEMAModel},
		Kernels: s.Kernels, Workers: s.pool, Clock: s.now, Stop: s.Stop, Events: s.journal.Event,
	}
	switch to := c.Model.Form(); {
	case from == nn.QAT && to == nn.Quantized:
		found, absorbed, err := p.Quantized(s.ctx, before, c.Model)
		c.proof, c.absorbed = found, append(c.absorbed, absorbed...)
		return err
	case from == nn.Float && to != nn.Float && to != nn.Quantized && c.Mode == nn.FuseBN && c.last != nil:
		return p.Folded(before, c.Model)
	}
	return nil
}

// cannotConvert places the error of a converter.
func cannotConvert(call program.Call, err error) error {
	var known *place.Error
	if errors.As(err, &known) {
		return err
	}
	d := place.Diagnose(call.Origin, err)
	d.Code, d.Summary = diag.CannotConvert, fmt.Sprintf("%s: %s", call.Type, d.Summary)
	return &place.Error{Diagnostic: d}
}

// load loads a checkpoint into the present model.
func (s *session) load(st *graph.Stage, c *conversion, call program.Call, from program.Checkpoint, o part.LoadOptions) error {
	path, said := s.resolve(from.Path), from.Path
	read := func() (*checkpoint.Snapshot, error) {
		if netfile.Is(path) {
			return netfile.Read(path, c.Model, o)
		}
		return artifact.ReadWeights(path, o.CheckHash)
	}
	if from.Stage != "" {
		path, said = s.folder.File(from.Stage, from.Which), fmt.Sprintf("stage.%s.checkpoint.%s", from.Stage, from.Which)
		read = func() (*checkpoint.Snapshot, error) { return s.folder.Own(from.Stage, from.Which) }
	}
	snap, err := read()
	if err != nil {
		return place.AtArg(call.Origin, "checkpoint_path", err)
	}
	done, err := takeIn(st, c, snap, said, o)
	if err != nil {
		return cannotLoad(call, path, err)
	}
	if err := s.otherwise(st, c, call, snap, said); err != nil {
		return err
	}
	s.loaded(st, said, done)
	c.last, c.from, c.path, c.options = snap, said, path, o
	for _, a := range snap.Absorbed {
		if !slices.ContainsFunc(c.absorbed, func(b checkpoint.Absorption) bool { return a.Module == b.Module }) {
			c.absorbed = append(c.absorbed, a)
		}
	}
	return nil
}

// takeIn loads a snapshot's tensors into the model. An int8 model replaces it.
func takeIn(st *graph.Stage, c *conversion, snap *checkpoint.Snapshot, from string, o part.LoadOptions) (*checkpoint.Loaded, error) {
	if snap.Form != nn.Quantized {
		return checkpoint.Load(c.Model, snap, o)
	}
	g, err := checkpoint.Int8Model(c.Model, snap, o)
	if err != nil {
		return nil, err
	}
	done, err := checkpoint.Load(g, snap, part.LoadOptions{})
	if err == nil && c.QConfig != nil {
		err = configured(st, c, g, from)
	}
	c.Model, c.Mode = g, g.Mode()
	return done, err
}

// configured returns an error if the stage's qconfig differs from that of the loaded int8 model.
func configured(st *graph.Stage, c *conversion, int8 *nn.Graph, from string) error {
	list, err := checkpoint.ConfiguredOtherwise(c.Model, int8, c.Target, c.QConfig)
	if err == nil && len(list) > 0 {
		err = &place.Error{Diagnostic: graph.Otherwise(st, from, "another one", list)}
	}
	return err
}

// loaded emits what a LoadCheckpoint has loaded.
func (s *session) loaded(st *graph.Stage, from string, l *checkpoint.Loaded) {
	text := fmt.Sprintf("loaded %d of %s from %s", l.Tensors, diag.Count(l.Of, "tensor"), from)
	if n := len(l.Missed); n > 0 {
		text += fmt.Sprintf("; %d keep their values (%s)", n, some(l.Missed))
	}
	if n := len(l.Passed); n > 0 {
		text += fmt.Sprintf("; %d of the checkpoint were passed over (%s)", n, some(l.Passed))
	}
	s.emit(st.Name, event.Load{Message: text, Checkpoint: from, Tensors: l.Tensors, Of: l.Of, Missed: l.Missed, Passed: l.Passed})
}

// some lists the first three names.
func some(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// otherwise returns an error if a stage evaluates or converts a model with another
// quantization than it was trained with, because that would be another model. A stage that
// trains or calibrates may change the quantization.
func (s *session) otherwise(st *graph.Stage, c *conversion, call program.Call, snap *checkpoint.Snapshot, from string) error {
	list, err := checkpoint.TrainedOtherwise(c.Model, snap)
	if err != nil {
		return cannotLoad(call, from, err)
	}
	if len(list) == 0 || st.Trainer != nil || st.Calibrator != nil {
		return nil
	}
	return &place.Error{Diagnostic: graph.Otherwise(st, from, "another one", list)}
}

// cannotLoad places the error of loading a checkpoint.
func cannotLoad(call program.Call, path string, err error) error {
	var known *place.Error
	if errors.As(err, &known) {
		return err
	}
	d := place.Diagnose(call.Origin, err)
	var arg *program.ArgError
	if !errors.As(err, &arg) {
		d.Subject = call.Origin.At("checkpoint_path")
	}
	head, rest, _ := strings.Cut(d.Summary, "\n")
	d.Code, d.Summary = diag.CannotLoad, path+": "+head
	if rest != "" {
		d.Detail = rest
	}
	return &place.Error{Diagnostic: d}
}
