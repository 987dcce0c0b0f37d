package graph

import (
	"fmt"
	"math"

	"qpipe/interp/stage"
	"qpipe/lang/diag"
)

func noEffect() Rule {
	return Rule{
		About: diag.About{
			Name: "no-effect", Code: diag.NoEffect, Severity: diag.Warning,
			Summary: "a value has no effect, because a recovery uses another one",
			Doc:     "A recovery takes the weights, the learning rate and the order of the images from the training that it continues.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			for _, s := range p.Stages {
				if s.Past == nil {
					continue
				}
				for _, d := range []*diag.Diagnostic{s.ignoredAverage(), p.ignoredRate(s), p.ignoredSeed(s)} {
					if d != nil {
						report(d)
					}
				}
			}
		},
	}
}

// ignoredAverage warns that a recovery continues with the trained weights, although the averaged ones are loaded.
func (s *Stage) ignoredAverage() *diag.Diagnostic {
	load := s.Past.Load
	if s.Past.Form != s.Model.Form() || len(load.Options.Rename) > 0 || !load.Options.LoadEMAModel {
		return nil
	}
	return &diag.Diagnostic{
		Subject: load.Call.Origin.At("load_ema_model"), Address: load.Call.Origin.Address,
		Summary: "load_ema_model has no effect: training continues with the weights that were trained",
		Detail:  "resume_optimizer restores these, because the optimizer's state belongs to them. Set load_ema_model = false, or resume_optimizer = false to begin with the averaged weights.",
		Related: []diag.Related{{Message: "the recovery is asked for here", Range: trainerAt(s, "resume_optimizer")}},
	}
}

// ignoredSeed warns of a seed that a full recovery does not use.
func (p *Plan) ignoredSeed(s *Stage) *diag.Diagnostic {
	set := p.Program.Settings
	at, written := set.Origin.Attrs["seed"]
	if !written || set.Seed == s.Past.Seed || !s.Trainer.ResumeEpochOrStep || !p.recovers(s) {
		return nil
	}
	return &diag.Diagnostic{
		Subject: at, Address: set.Origin.Address,
		Summary: fmt.Sprintf("seed = %d has no effect on the order of the images in stage %q: it continues with seed %d, that of %s", set.Seed, s.Name, s.Past.Seed, s.Past.Whence),
		Detail:  fmt.Sprintf("Full recovery continues with the order that training began with. Write seed = %d, or set resume_epoch_or_step = false.", s.Past.Seed),
		Related: []diag.Related{{Message: "the recovery is asked for here", Range: trainerAt(s, "resume_optimizer")}},
	}
}

// ignoredRate warns of a learning rate that is not used because the optimizer is resumed.
func (p *Plan) ignoredRate(s *Stage) *diag.Diagnostic {
	o := s.Trainer.Optimizer.Origin
	if w, ok := p.rateUnused(s); ok {
		return s.warning(w, o, o.At("lr"))
	}
	if s.Trainer.ResumeEpochOrStep || !math.IsNaN(s.Past.Rate) || !p.recovers(s) {
		return nil
	}
	return &diag.Diagnostic{
		Subject: o.At("lr"), Address: o.Address,
		Summary: fmt.Sprintf("lr = %g is not used: training continues with the learning rate that %s has when it writes the checkpoint", p.Optimizer(s.Trainer).LR(), s.Past.Whence),
		Detail:  "resume_optimizer restores the checkpoint's learning rate, and an lr_updater starts from it. The run will report its value. To train with this lr, set resume_optimizer = false.",
		Related: s.Past.related(),
	}
}

// rateUnused returns the warning that the run would give for a rate that it does not use.
func (p *Plan) rateUnused(s *Stage) (stage.Warning, bool) {
	if s.Past == nil || math.IsNaN(s.Past.Rate) || s.Trainer.ResumeEpochOrStep || !p.recovers(s) {
		return stage.Warning{}, false
	}
	lr := p.Optimizer(s.Trainer).LR()
	if stage.SameRate(s.Past.Rate, lr) {
		return stage.Warning{}, false
	}
	return stage.RateUnused(s.Past.Whence, lr, s.Past.Rate), true
}
