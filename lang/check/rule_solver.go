package check

import (
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// ruleOneSolver: a stage trains or calibrates, not both.
func (c *checker) ruleOneSolver(s *stage) {
	if s.Trainer == nil || s.Calibrator == nil {
		return
	}
	d := c.errorf(diag.TwoSolvers, place(s.Calibrator.Origin, ""),
		"Make two stages of it; the second loads the first one's checkpoint.", "stage %q has both a trainer and a calibrator", s.Name)
	d.Related = note("the trainer is here", s.Trainer.Origin.Header)
}

// ruleData: a trainer and a calibrator need train_data; without one of them it is
// not read.
func (c *checker) ruleData(s *stage) {
	given := s.inside.TrainData != nil
	switch {
	case s.Trainer != nil && !given:
		c.errorf(diag.MissingData, place(s.Trainer.Origin, ""), "Add to the stage: train_data = dataset."+orWord(c.known("dataset"), "name"),
			"stage %q trains without train_data", s.Name)
	case s.Calibrator != nil && !given:
		c.errorf(diag.MissingData, place(s.Calibrator.Origin, ""), "Add to the stage: train_data = dataset."+orWord(c.known("dataset"), "name"),
			"stage %q calibrates without train_data", s.Name)
	case given && !s.trains():
		c.warnf(diag.DataUnused, at{address: s.Origin.Address, subject: s.Origin.Names["train_data"]},
			"The stage only converts and validates. Remove train_data, or add a trainer or a calibrator.", "stage %q does not read train_data", s.Name)
	}
}

// ruleSolverForm: float and QAT models are trained, calibration models calibrated.
func (c *checker) ruleSolverForm(s *stage) {
	if !s.sound {
		return
	}
	switch {
	case s.Trainer != nil && s.form == program.Quantized:
		c.errorf(diag.ConverterOrder, place(s.Trainer.Origin, ""),
			"Train in the QAT form, and quantize in a stage of its own that loads this one's checkpoint.", "a quantized model cannot be trained")
	case s.Trainer != nil && s.form == program.Calibration:
		c.errorf(diag.ConverterOrder, place(s.Trainer.Origin, ""),
			`Use calibrator { num_steps = 20 } here, or the converter "Float2QAT" instead.`, "a model in calibration form cannot be trained")
	case s.Calibrator != nil && s.Trainer == nil && s.form != program.Calibration:
		c.errorf(diag.ConverterOrder, place(s.Calibrator.Origin, ""),
			`Add the converter "Float2Calibration" {} to the stage's model_convert_pipeline.`,
			"a calibrator needs a model in calibration form, and here it is %s", s.form)
	}
}

// ruleQConfig: a stage that quantizes says how.
func (c *checker) ruleQConfig(s *stage) {
	if s.Convert == nil || s.inside.Convert.QConfig != nil {
		return
	}
	for i, sig := range s.signatures {
		if sig.From == program.Float && sig.To != program.AnyForm {
			d := c.errorf(diag.NoQConfig, place(s.Convert.Origin, ""), "Add: qconfig = qconfig."+orWord(c.known("qconfig"), "int8"),
				"stage %q quantizes without a qconfig", s.Name)
			d.Related = note("this converter needs it", s.Convert.Converters[i].Origin.Header)
			return
		}
	}
}
