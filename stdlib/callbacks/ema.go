package callbacks

import (
	"math"

	"qpipe/interp/part"
	"qpipe/ops/nn"
)

// EMAArgs are the arguments of ExponentialMovingAverage.
type EMAArgs struct {
	Decay       float64 `arg:"decay,optional" doc:"Share of the average that is kept at every step, 0 to below 1."`
	WarmupSteps int     `arg:"warmup_steps,optional" doc:"Let the decay grow from 0 as 1 - exp(-t/warmup_steps) after t steps, so that the initial weights lose their influence quickly; 0 uses the full decay at once."`
}

// EMADefaults returns ExponentialMovingAverage's defaults.
func EMADefaults() EMAArgs { return EMAArgs{Decay: 0.999} }

// Validate implements the language's check after decoding.
func (a EMAArgs) Validate() error {
	if !(a.Decay >= 0 && a.Decay < 1) {
		return part.Bad("decay", "%v must be at least 0 and below 1; 0.99 to 0.9999 is customary", a.Decay)
	}
	if a.WarmupSteps < 0 || a.WarmupSteps > part.MostSteps {
		return part.Bad("warmup_steps", "%d steps; it must be 0 to %d", a.WarmupSteps, part.MostSteps)
	}
	return nil
}

// AveragesWeights implements the language's question to callbacks that evaluate with averaged weights.
func (EMAArgs) AveragesWeights() {}

type ema struct {
	EMAArgs
	shadow  *nn.Graph
	updates int
}

// NewEMA returns the callback that keeps a moving average of the weights,
//
//	shadow = d·shadow + (1 - d)·weights,
//
// of BN's running statistics and of the quant nodes' ranges as well. Validation and "load_ema_model" use the average;
// training continues with the weights. Absorptions apply to the average too, with its own statistics.
func NewEMA(a EMAArgs) (part.Callback, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return &ema{EMAArgs: a}, nil
}

// Start implements part.Starter.
func (e *ema) Start(s *part.State) error {
	if e.shadow == nil {
		e.shadow = s.Model.Clone()
	}
	return nil
}

// Shadow implements part.Shadower.
func (e *ema) Shadow() *nn.Graph { return e.shadow }

// State implements part.Stateful.
func (e *ema) State() map[string]float64 { return map[string]float64{"updates": float64(e.updates)} }

// SetState implements part.Stateful.
func (e *ema) SetState(s map[string]float64) { e.updates = int(s["updates"]) }

// decay returns the decay of the next update.
func (e *ema) decay() float64 {
	if e.WarmupSteps == 0 {
		return e.Decay
	}
	return e.Decay * (1 - math.Exp(-float64(e.updates)/float64(e.WarmupSteps)))
}

// StepEnd implements part.StepEnder.
func (e *ema) StepEnd(s *part.State) error {
	rate := float32(1 - e.decay())
	e.updates++
	return e.shadow.Average(s.Model, rate)
}
