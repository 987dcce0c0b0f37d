package artifact

import (
	"qpipe/interp/checkpoint"
	"qpipe/ops/nn"
	"qpipe/ops/quant"
)

// upgrade converts a snapshot of an older format version to the current one.
func upgrade(s *checkpoint.Snapshot, version int) error {
	if version > 1 || len(s.Structure) == 0 {
		return nil
	}
	g, err := nn.Restore(s.Structure)
	if err != nil {
		return err
	}
	s.Structure = g.Structure()
	if s.Form == nn.Quantized {
		ownZeroPoints(s, g)
	}
	return nil
}

// ownZeroPoints shifts the zero points of uint8 codes, which version 1 stored minus 128.
func ownZeroPoints(s *checkpoint.Snapshot, g *nn.Graph) {
	points := map[string][]int32{}
	for _, t := range s.Model {
		if z, ok := t.Data.([]int32); ok && len(z) == 1 {
			points[t.Name] = z
		}
	}
	for _, m := range g.Modules() {
		if z := points[m.Name+".act_zero_point"]; z != nil && m.QConfig.Activation.Spec.DType == quant.UInt8 {
			z[0] += 128
		}
	}
}
