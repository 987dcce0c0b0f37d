package check

import (
	"fmt"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// ruleConverterOrder walks the converters with the model's form: each takes one
// form and gives another, and a checkpoint fits only the form it was written
// from. The first converter that does not fit is reported.
func (c *checker) ruleConverterOrder(s *stage) {
	if s.Convert == nil {
		return
	}
	form := program.Float
	loads := map[int]load{}
	for _, l := range s.loads() {
		loads[l.index] = l
	}
	for i, sig := range s.signatures {
		call := s.Convert.Converters[i]
		if sig.Kind == "" {
			return // unknown: what follows cannot be judged
		}
		if sig.From != program.AnyForm && sig.From != form {
			c.errorf(diag.ConverterOrder, place(call.Origin, ""), c.orderHint(s, i, sig),
				"converter %q needs %s model, and here it is %s", call.Type, article(sig.From), form)
			s.sound = false
			return
		}
		if l, ok := loads[i]; ok && !c.loadFits(s, l, form) {
			return
		}
		switch {
		case loads[i].checkpoint.Which == program.Int8:
			form = program.Quantized
		case sig.To != program.AnyForm:
			form = sig.To
		}
	}
}

// article puts "a" or "an" before a word.
func article[T ~string](word T) string {
	if word != "" && strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + string(word)
	}
	return "a " + string(word)
}

// orderHint tells what to put where for a converter that needs another form.
func (c *checker) orderHint(s *stage, i int, sig program.Signature) string {
	for j := range s.signatures[:i] {
		if s.signatures[j].From == sig.From {
			if s.signatures[j].Name == sig.Name {
				return "The model has been converted already. Remove one of the two."
			}
			return fmt.Sprintf("Converter %q has taken the %s model before. Keep one of the two; a stage has one form in the end.", s.signatures[j].Name, sig.From)
		}
	}
	for j := i + 1; j < len(s.signatures); j++ {
		if s.signatures[j].To == sig.From {
			return fmt.Sprintf("Put %q before it: converters run in the order in which they are written.", s.signatures[j].Name)
		}
	}
	if name := c.converterTo(sig.From); name != "" {
		return fmt.Sprintf("Put the converter %q {} before it.", name)
	}
	return "Converters run in the order in which they are written."
}

// converterTo names a registered converter that gives the form.
func (c *checker) converterTo(form program.Form) string {
	for _, name := range c.opt.Signatures.Names(program.ConverterKind) {
		if sig, _ := c.opt.Signatures.Signature(program.ConverterKind, name); sig.To == form && form != program.AnyForm {
			return name
		}
	}
	return ""
}

// loadFits reports a checkpoint of a stage that does not fit the form that the
// model is in where it is loaded.
func (c *checker) loadFits(s *stage, l load, form program.Form) bool {
	if l.checkpoint.Which == program.Int8 {
		if form != program.Float {
			c.errorf(diag.ConverterOrder, place(l.call.Origin, l.attr), "A finished int8 model takes the place of the stage's model: let LoadCheckpoint be its only converter.",
				"an int8 model cannot be loaded into %s model", article(form))
		}
		return form == program.Float
	}
	from := c.stageNamed(l.checkpoint.Stage)
	if from == nil || !from.sound || from == s || !from.trains() {
		return true // a file, or reported elsewhere
	}
	if from.form == form || from.form == program.Calibration && form == program.QAT {
		return true
	}
	d := c.errorf(diag.ConverterOrder, place(l.call.Origin, l.attr), c.loadHint(s, l, from.form, form),
		"stage %q writes a checkpoint of %s model, and here the model is %s", from.Name, article(from.form), form)
	if from.Convert != nil {
		d.Related = note(fmt.Sprintf("stage %q gets its form here", from.Name), from.Convert.Origin.Header)
	}
	return false
}

func (c *checker) loadHint(s *stage, l load, written, form program.Form) string {
	takes := func(f program.Form) bool { return f == written || written == program.Calibration && f == program.QAT }
	for j, sig := range s.signatures {
		switch {
		case j > l.index && takes(sig.To):
			return fmt.Sprintf("Put %q behind %q, which makes a %s model.", l.call.Type, sig.Name, sig.To)
		case j < l.index && takes(sig.From):
			return fmt.Sprintf("Put %q before %q, which still has a %s model.", l.call.Type, sig.Name, sig.From)
		}
	}
	if name := c.converterTo(written); name != "" && form == program.Float {
		return fmt.Sprintf("Put the converter %q {} before it.", name)
	}
	if written == program.QAT && form == program.Calibration {
		return "Calibration comes before QAT: load a float or a calibration checkpoint here."
	}
	return fmt.Sprintf("Load a checkpoint that was written from a %s model.", form)
}
