package lint

import (
	"fmt"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func converterOrder() Rule {
	return Rule{
		About: diag.About{
			Name: "converter-order", Code: "QP233",
			Summary: "the converters are in an order that cannot work",
			Doc: "Each converter takes a model of one form and gives another, a checkpoint fits the form that it was written from, " +
				"and only float and QAT models are trained, only calibration models calibrated.",
		},
		Check: each(func(_ *Pipeline, s *Stage, report diag.Reporter) {
			if s.misplaced != nil {
				report(s.misplaced)
			}
			if d := s.solverForm(); d != nil {
				report(d)
			}
		}),
	}
}

// solverForm reports a solver that cannot work on the form of the stage's model.
func (s *Stage) solverForm() *diag.Diagnostic {
	switch {
	case !s.sound:
	case s.Trainer != nil && s.form == program.Quantized:
		return found(at(s.Trainer.Origin, ""),
			"Train in the QAT form, and quantize in a stage of its own that loads this one's checkpoint.", "a quantized model cannot be trained")
	case s.Trainer != nil && s.form == program.Calibration:
		return found(at(s.Trainer.Origin, ""),
			`Use calibrator { num_steps = 20 } here, or the converter "Float2QAT" instead.`, "a model in calibration form cannot be trained")
	case s.Calibrator != nil && s.Trainer == nil && s.form != program.Calibration:
		return found(at(s.Calibrator.Origin, ""),
			`Add the converter "Float2Calibration" {} to the stage's model_convert_pipeline.`,
			"a calibrator needs a model in calibration form, and here it is %s", s.form)
	}
	return nil
}

// walk follows the model's form through the converters up to the first one that does not fit.
func (p *Pipeline) walk(s *Stage) {
	if s.Convert == nil {
		return
	}
	form := program.Float
	loads := map[int]load{}
	for _, l := range s.loads {
		loads[l.index] = l
	}
	for i, sig := range s.Converters {
		call := s.Convert.Converters[i]
		if sig.Kind == "" {
			return // unknown: what follows cannot be judged
		}
		if sig.From != program.AnyForm && sig.From != form {
			s.misplaced = found(at(call.Origin, ""), p.orderHint(s, i, sig),
				"converter %q needs %s model, and here it is %s", call.Type, diag.Article(sig.From), form)
			s.sound = false
			return
		}
		if l, ok := loads[i]; ok {
			if s.misplaced = p.misfit(s, l, form); s.misplaced != nil {
				return
			}
		}
		switch {
		case loads[i].checkpoint.Which == program.Int8:
			form = program.Quantized
		case sig.To != program.AnyForm:
			form = sig.To
		}
	}
}

// orderHint says what to put where for a converter that needs another form.
func (p *Pipeline) orderHint(s *Stage, i int, sig program.Signature) string {
	for _, before := range s.Converters[:i] {
		if before.From == sig.From {
			if before.Name == sig.Name {
				return "The model has been converted already. Remove one of the two."
			}
			return fmt.Sprintf("Converter %q has taken the %s model before. Keep one of the two; a stage has one form in the end.", before.Name, sig.From)
		}
	}
	for _, after := range s.Converters[i+1:] {
		if after.To == sig.From {
			return fmt.Sprintf("Put %q before it: converters run in the order in which they are written.", after.Name)
		}
	}
	if name := p.converterTo(sig.From); name != "" {
		return fmt.Sprintf("Put the converter %q {} before it.", name)
	}
	return "Converters run in the order in which they are written."
}

// converterTo names a registered converter that gives the form.
func (p *Pipeline) converterTo(form program.Form) string {
	for _, name := range p.Signatures.Names(program.ConverterKind) {
		if sig, _ := p.Signatures.Signature(program.ConverterKind, name); sig.To == form && form != program.AnyForm {
			return name
		}
	}
	return ""
}

// misfit returns what is wrong with loading a stage's checkpoint into a model of the form, nil if
// nothing is.
func (p *Pipeline) misfit(s *Stage, l load, form program.Form) *diag.Diagnostic {
	if l.checkpoint.Which == program.Int8 {
		if form == program.Float {
			return nil
		}
		return found(at(l.call.Origin, l.attr), "A finished int8 model takes the place of the stage's model: let LoadCheckpoint be its only converter.",
			"an int8 model cannot be loaded into %s model", diag.Article(form))
	}
	from := p.stage(l.checkpoint.Stage)
	if from == nil || !from.sound || from == s || !from.trains() {
		return nil // a file, or reported elsewhere
	}
	if from.form == form || from.form == program.Calibration && form == program.QAT {
		return nil
	}
	d := found(at(l.call.Origin, l.attr), p.loadHint(s, l, from.form, form),
		"stage %q writes a checkpoint of %s model, and here the model is %s", from.Name, diag.Article(from.form), form)
	if from.Convert != nil {
		related(d, fmt.Sprintf("stage %q gets its form here", from.Name), from.Convert.Origin.Header)
	}
	return d
}

func (p *Pipeline) loadHint(s *Stage, l load, written, form program.Form) string {
	takes := func(f program.Form) bool { return f == written || written == program.Calibration && f == program.QAT }
	for j, sig := range s.Converters {
		switch {
		case j > l.index && takes(sig.To):
			return fmt.Sprintf("Put %q behind %q, which makes a %s model.", l.call.Type, sig.Name, sig.To)
		case j < l.index && takes(sig.From):
			return fmt.Sprintf("Put %q before %q, which still has a %s model.", l.call.Type, sig.Name, sig.From)
		}
	}
	if name := p.converterTo(written); name != "" && form == program.Float {
		return fmt.Sprintf("Put the converter %q {} before it.", name)
	}
	if written == program.QAT && form == program.Calibration {
		return "Calibration comes before QAT: load a float or a calibration checkpoint here."
	}
	return fmt.Sprintf("Load a checkpoint that was written from a %s model.", form)
}
