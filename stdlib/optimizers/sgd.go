// Package optimizers is the shelf of optimizers: it turns a gradient into a change of a parameter, with the kernels
// that it is given. It does not change the learning rate over time; the lr updaters do that.
package optimizers

import (
	"math"

	"qpipe/interp/part"
)

// SGDArgs are the arguments of SGD.
type SGDArgs struct {
	LR          float64 `arg:"lr" doc:"Learning rate."`
	Momentum    float64 `arg:"momentum,optional" doc:"Share of the last update's direction that is kept, 0 to below 1."`
	WeightDecay float64 `arg:"weight_decay,optional" doc:"L2 penalty: this times the parameter is added to its gradient. It is applied to every parameter, as in PyTorch."`
	Nesterov    bool    `arg:"nesterov,optional" doc:"Whether to look ahead along the momentum (Nesterov). Needs momentum."`
}

// Validate implements the language's check after decoding.
func (a SGDArgs) Validate() error {
	switch {
	case !(a.LR >= 0) || math.IsInf(a.LR, 0):
		return part.Bad("lr", "%v is not a learning rate; it must be 0 or larger", a.LR)
	case !(a.Momentum >= 0 && a.Momentum < 1):
		return part.Bad("momentum", "%v must be at least 0 and below 1; 0.9 is customary", a.Momentum)
	case !(a.WeightDecay >= 0) || math.IsInf(a.WeightDecay, 0):
		return part.Bad("weight_decay", "%v must be 0 or larger; 1e-4 to 5e-4 is customary", a.WeightDecay)
	case a.Nesterov && a.Momentum == 0:
		return part.Bad("nesterov", "needs a momentum above 0; set momentum, for example to 0.9, or leave nesterov out")
	}
	return nil
}

type sgd struct{ SGDArgs }

// NewSGD returns stochastic gradient descent as in PyTorch's torch.optim.SGD:
//
//	g += weight_decay·w;  v = momentum·v + g;  w -= lr·v
//
// and with nesterov w -= lr·(g + momentum·v).
func NewSGD(a SGDArgs) (part.Optimizer, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return sgd{a}, nil
}

// LR implements part.Optimizer.
func (s sgd) LR() float64 { return s.SGDArgs.LR }

// Slots implements part.Optimizer: PyTorch's name.
func (s sgd) Slots() []string { return []string{"momentum_buffer"} }

// Update implements part.Optimizer.
func (s sgd) Update(u *part.Update) {
	u.Set.SGD(u.W, u.G, u.Slots[0], u.LR, float32(s.Momentum), float32(s.WeightDecay), s.Nesterov)
}
