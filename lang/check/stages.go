package check

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/lint"
	"qpipe/lang/notation"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// stage is a stage of the program with its blocks.
type stage struct {
	lint.Stage
	inside *config.Stage
}

// decodeStages decodes the stages, without looking from one to another.
func (c *checker) decodeStages() {
	for _, b := range c.cfg.Stages {
		if n := c.Lookup("stage", b.Name); n.Block != b {
			continue // a second one of the name: reported
		}
		before := len(c.List)
		in, ok := inside[config.Stage](c, b)
		s := &stage{inside: in}
		s.Stage.Stage, s.Broken = &program.Stage{Name: b.Name, Origin: c.origin(b.Address(), b.Header)}, !ok && misleading(c.List[before:])
		record(&s.Origin, in.Model, in.TrainData, in.ValData, in.DependsOn, in.ProofImages)
		if ok || in.Model != nil {
			c.decodeStage(s)
		}
		s.Written = lint.Written{TrainData: in.TrainData != nil, ValData: in.ValData != nil, QConfig: in.Convert != nil && in.Convert.QConfig != nil}
		c.stages = append(c.stages, s)
		c.prog.Stages = append(c.prog.Stages, s.Stage.Stage)
	}
}

// forRules is the pipeline as the rules see it.
func (c *checker) forRules() *lint.Pipeline {
	p := &lint.Pipeline{Program: c.prog, Signatures: c.opt.Signatures}
	for _, s := range c.stages {
		p.Stages = append(p.Stages, &s.Stage)
	}
	for _, kind := range []string{"var", "local", "dataset", "model", "qconfig", "network"} {
		for _, id := range c.Known(kind) {
			n := c.Lookup(kind, id)
			p.Names = append(p.Names, lint.Name{Kind: kind, Name: id, Word: n.Word(), Address: n.Address, Where: syntax.Range(n.Where), Used: n.Used})
		}
	}
	return p
}

// misleading reports whether mistakes in a stage's blocks would make the rules
// speak of what was meant to be there. A misspelt number misleads no rule.
func misleading(list diag.List) bool {
	return slices.ContainsFunc(list, func(d *diag.Diagnostic) bool {
		number := slices.Contains([]string{"num_epochs", "num_steps", "batch_size", "drop_last"}, d.Meant)
		return d.Code != diag.UnknownAttribute || d.Meant != "" && !number || d.Swapped
	})
}

func (c *checker) decodeStage(s *stage) {
	in, address := s.inside, s.Origin.Address
	s.Model = find(c.prog.Models, c.Declared(address, &in.Model, "model"), func(m *program.Model) string { return m.Name })
	if in.Model == nil {
		c.Missing(address, s.header(c), "model", "Name one: model = model."+c.First("model", "name"))
	}
	data := func(d *program.Dataset) string { return d.Name }
	s.Train = find(c.prog.Datasets, c.Declared(address, &in.TrainData, "dataset"), data)
	s.Val = find(c.prog.Datasets, c.Declared(address, &in.ValData, "dataset"), data)
	s.DependsOn = c.StageList(in.DependsOn, address)
	s.note(address, s.DependsOn)
	if in.Convert != nil {
		c.decodeConvert(s, address+".model_convert_pipeline")
	}
	c.decodeProof(s)
	c.decodeTrainer(s, address+".trainer")
	c.decodeCalibrator(s, address+".calibrator")
	c.decodeValidation(s, address+".validation")
	c.decodeCallbacks(s, address+".callback")
	s.Exports = c.calls(program.ExportKind, in.Exports, address+".export")
	s.noteCalls(s.Exports)
	s.Conditions = c.conditions(in.Preconditions, in.Asserts, address)
	for _, cond := range s.Conditions {
		s.note(cond.Origin.Address, cond.Refs)
	}
}

func (s *stage) header(c *checker) hcl.Range { return c.Lookup("stage", s.Name).Block.Header }

func (s *stage) note(address string, refs []program.Ref) {
	for _, r := range refs {
		s.Refs = append(s.Refs, lint.Ref{Ref: r, Address: address})
	}
}

func (s *stage) noteCalls(calls []program.Call) {
	for _, call := range calls {
		s.note(call.Origin.Address, call.Refs)
	}
}

func find[T any](list []*T, name string, of func(*T) string) *T {
	for _, x := range list {
		if name != "" && of(x) == name {
			return x
		}
	}
	return nil
}

func (c *checker) decodeConvert(s *stage, address string) {
	in := s.inside.Convert
	v := &program.Convert{QATMode: "fuse_bn", Origin: c.origin(address, in.Header)}
	s.Convert = v
	if in.QATMode != nil && c.Get(address, in.QATMode, &v.QATMode) {
		if !c.oneOf(address, in.QATMode, v.QATMode, []string{"fuse_bn", "with_bn", "with_bn_reverse_fold"}) {
			v.QATMode = ""
		}
	}
	v.QConfig = find(c.prog.QConfigs, c.Declared(address, &in.QConfig, "qconfig"), func(q *program.QConfig) string { return q.Name })
	record(&v.Origin, in.QATMode, in.QConfig)
	if s.Model != nil && v.QConfig != nil {
		if n := s.Model.Network(); n != nil {
			v.Own = n.Overrides
		}
	}
	v.Converters = c.calls(program.ConverterKind, in.Converters, address+".converter")
	for _, call := range v.Converters {
		sig, _ := c.opt.Signatures.Signature(program.ConverterKind, call.Type)
		s.Converters = append(s.Converters, sig)
	}
	s.noteCalls(v.Converters)
}

// decodeProof decodes proof_images: a number, or "all".
func (c *checker) decodeProof(s *stage) {
	a, address := s.inside.ProofImages, s.Origin.Address
	if a == nil {
		return
	}
	if v, ok := c.Value(a.Expr, address); !ok {
		return
	} else if v.Type() == cty.String && !v.IsNull() && v.AsString() == "all" {
		s.Proof = program.AllImages
	} else {
		c.positive(address, a, &s.Proof, program.MostImages)
	}
	if !slices.ContainsFunc(s.Converters, func(sig program.Signature) bool { return sig.Kind == "" || sig.To == program.Quantized }) {
		c.Errorf(diag.BadValue, scope.At{Address: address, Subject: syntax.Range(a.NameRange)},
			"It says on how many images QAT2Quantize is proved. Remove it, or write it in the stage that converts to int8.",
			"proof_images in stage %q, which converts nothing to int8", s.Name)
	}
}

func (c *checker) decodeTrainer(s *stage, address string) {
	in := s.inside.Trainer
	if in == nil {
		return
	}
	t := &program.Trainer{BatchSize: 0, DropLast: true, Origin: c.origin(address, in.Header)}
	s.Trainer = t
	record(&t.Origin, in.NumEpochs, in.NumSteps, in.BatchSize, in.DropLast, in.ResumeOptimizer, in.ResumeEpochOrStep)
	c.lengthOf(in, t, address)
	if in.BatchSize == nil {
		c.Missing(address, in.Header, "batch_size", "Add: batch_size = 128")
	} else {
		c.positive(address, in.BatchSize, &t.BatchSize, program.MostImages)
	}
	c.Get(address, in.DropLast, &t.DropLast)
	c.Get(address, in.ResumeOptimizer, &t.ResumeOptimizer)
	t.ResumeEpochOrStep = t.ResumeOptimizer
	c.Get(address, in.ResumeEpochOrStep, &t.ResumeEpochOrStep)
	c.trainerParts(s, in, t, address)
}

func (c *checker) trainerParts(s *stage, in *config.Trainer, t *program.Trainer, address string) {
	if in.Optimizer == nil && c.Meant(address, "optimizer") {
		t.Optimizer = program.Call{Kind: program.OptimizerKind}
	} else if in.Optimizer == nil {
		c.Errorf(diag.MissingBlock, scope.At{Address: address, Subject: t.Origin.Header},
			`Add one: optimizer "SGD" { lr = 0.1 }.`, "the trainer has no optimizer")
	} else {
		t.Optimizer, _ = c.call(program.OptimizerKind, in.Optimizer, address+".optimizer."+in.Optimizer.Type)
	}
	if in.LRUpdater != nil {
		call, _ := c.call(program.LRUpdaterKind, in.LRUpdater, address+".lr_updater."+in.LRUpdater.Type)
		t.LRUpdater = &call
		s.note(call.Origin.Address, call.Refs)
	}
	t.Losses = c.losses(in.Losses, address, t.Origin)
	s.noteCalls(append(program.Calls(t.Losses), t.Optimizer))
}

// standard makes the part that is used where no block is written.
func (c *checker) standard(kind program.Kind, typ string, o program.Origin) program.Call {
	call := program.Call{Kind: kind, Type: typ, Origin: o}
	if sig, ok := c.opt.Signatures.Signature(kind, typ); ok {
		call.Args = reflect.ValueOf(sig.Args()).Elem().Interface()
	}
	return call
}

// lengthOf decodes num_epochs and num_steps, of which exactly one is given.
func (c *checker) lengthOf(in *config.Trainer, t *program.Trainer, address string) {
	p := scope.At{Address: address, Subject: t.Origin.Header}
	switch {
	case in.NumEpochs == nil && in.NumSteps == nil && (c.Meant(address, "num_epochs") || c.Meant(address, "num_steps")):
	case in.NumEpochs == nil && in.NumSteps == nil:
		c.Errorf(diag.EpochsOrSteps, p, "Add num_epochs = 10, or num_steps = 1000.", "the trainer does not say how long it trains")
	case in.NumEpochs != nil && in.NumSteps != nil:
		p.Subject = t.Origin.Names["num_steps"]
		d := c.Errorf(diag.EpochsOrSteps, p, "Remove one of the two.", "the trainer has both num_epochs and num_steps")
		d.Related = []diag.Related{{Message: "num_epochs is here", Range: t.Origin.Names["num_epochs"]}}
	case in.NumEpochs != nil:
		c.positive(address, in.NumEpochs, &t.NumEpochs, program.MostEpochs)
	default:
		c.positive(address, in.NumSteps, &t.NumSteps, program.MostSteps)
	}
}

// positive is get for a number that must be at least 1 and at most most; with a
// mistake the variable keeps its value.
func (c *checker) positive(address string, a *hcl.Attribute, to *int, most int) {
	if a == nil {
		return
	}
	n := *to
	if !c.Get(address, a, &n) {
		return
	}
	fail := func(detail, format string, args ...any) {
		c.Errorf(diag.BadValue, scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())}, detail, format, args...)
	}
	switch {
	case n < 1:
		fail(fmt.Sprintf("Write a number from 1 up, as in %s = 10.", a.Name), "%q must be at least 1, and is %d", a.Name, n)
	case n > most:
		fail(fmt.Sprintf("Write a number from 1 to %d.", most), "%q must be at most %d, and is %d", a.Name, most, n)
	default:
		*to = n
	}
}

func (c *checker) decodeCalibrator(s *stage, address string) {
	in := s.inside.Calibrator
	if in == nil {
		return
	}
	v := &program.Calibrator{BatchSize: 64, Origin: c.origin(address, in.Header)}
	s.Calibrator = v
	record(&v.Origin, in.NumSteps, in.BatchSize)
	if in.NumSteps == nil {
		c.Missing(address, in.Header, "num_steps", "Say on how many batches the observers look: num_steps = 20")
	}
	c.positive(address, in.NumSteps, &v.NumSteps, program.MostSteps)
	c.positive(address, in.BatchSize, &v.BatchSize, program.MostImages)
}

func (c *checker) decodeValidation(s *stage, address string) {
	v := &s.Validation
	v.BatchSize, v.Origin = 256, s.Origin
	if in := s.inside.Validation; in != nil {
		v.Origin = c.origin(address, in.Header)
		record(&v.Origin, in.BatchSize)
		c.positive(address, in.BatchSize, &v.BatchSize, program.MostImages)
		v.Metrics = c.metrics(in.Metrics, address+".metric")
		s.noteCalls(program.Calls(v.Metrics))
	}
	if len(v.Metrics) == 0 {
		v.Metrics = []program.Judge{{Call: c.standard(program.MetricKind, "Accuracy", v.Origin)}}
	}
}

func (c *checker) decodeCallbacks(s *stage, prefix string) {
	count := map[string]int{}
	for _, in := range s.inside.Callbacks {
		address := numbered(prefix, in.Type, count)
		call, _ := c.call(program.CallbackKind, in.Part(), address, "when", "modules")
		cb := program.Callback{Call: call}
		record(&cb.Origin, in.When, in.Modules)
		sig, known := c.opt.Signatures.Signature(program.CallbackKind, in.Type)
		if known {
			c.metaNeed(sig, "when", sig.When, in.When, cb.Origin, `when = "epoch 4"`)
			c.metaNeed(sig, "modules", sig.Modules, in.Modules, cb.Origin, `modules = ["backbone.stem"]`)
		}
		cb.When = c.when(in.When, address, sig.When == program.Required)
		cb.Modules = c.selectors(in.Modules, address)
		s.Callbacks = append(s.Callbacks, cb)
		s.note(address, call.Refs)
	}
}

// metaNeed reports a meta-argument that is missing, or not taken.
func (c *checker) metaNeed(sig program.Signature, attr string, need program.Need, a *hcl.Attribute, o program.Origin, form string) {
	switch {
	case need == program.Required && a == nil:
		c.Errorf(diag.MetaArgument, scope.At{Address: o.Address, Subject: o.Header}, "Add: "+form, "callback %q needs %q", sig.Name, attr)
	case need == program.NotTaken && a != nil:
		c.Errorf(diag.MetaArgument, scope.At{Address: o.Address, Subject: o.Names[attr]}, "Remove it. "+sig.Doc, "callback %q does not take %q", sig.Name, attr)
	}
}

func (c *checker) when(a *hcl.Attribute, address string, required bool) *program.Schedule {
	var text string
	if a == nil {
		return nil
	}
	_, given, ok := c.Assign(address, a, reflect.ValueOf(&text).Elem())
	if !ok || !given && !required {
		return nil // null is as good as not written
	}
	s, err := notation.Schedule(text)
	if err != nil {
		c.notation(diag.BadSchedule, address, a.Expr, err)
		return nil
	}
	s.Range = syntax.Range(a.Expr.Range())
	return s
}

// selectors decodes a list of module selectors; a single string is a list of one.
func (c *checker) selectors(a *hcl.Attribute, address string) []program.Selector {
	if a == nil {
		return nil
	}
	exprs, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		exprs = nil
	}
	var texts []string
	if _, given, ok := c.Assign(address, a, reflect.ValueOf(&texts).Elem()); !ok || !given {
		return nil // null is as good as not written
	}
	var out []program.Selector
	for i, text := range texts {
		expr := a.Expr
		if len(exprs) == len(texts) {
			expr = exprs[i]
		}
		sel, err := notation.Selector(text)
		if err != nil {
			c.notation(diag.BadSelector, address, expr, err)
			continue
		}
		sel.Range = syntax.Range(expr.Range())
		out = append(out, sel)
	}
	if len(texts) == 0 {
		c.Errorf(diag.BadSelector, scope.At{Address: address, Subject: syntax.Range(a.Expr.Range())},
			"Name modules, or remove the attribute to take all.", "modules is empty")
	}
	return out
}
