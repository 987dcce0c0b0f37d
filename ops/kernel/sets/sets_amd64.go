package sets

import (
	"strings"

	"golang.org/x/sys/cpu"

	"qpipe/ops/kernel/avx2"
	"qpipe/ops/kernel/avx512"
)

// feature is a part of the instruction set. cpu reports it only where the operating
// system saves its registers too.
type feature struct {
	name string
	has  bool
}

// machine has the sets of this architecture.
func machine() []row {
	return []row{
		{"avx2", missing(avx2Needs()), avx2.Set},
		{"avx512", missing(avx512Needs()), avx512.Set},
	}
}

func avx2Needs() []feature {
	return []feature{{"AVX2", cpu.X86.HasAVX2}, {"FMA", cpu.X86.HasFMA}, {"BMI2", cpu.X86.HasBMI2}}
}

func avx512Needs() []feature {
	return append(avx2Needs(), []feature{
		{"AVX512F", cpu.X86.HasAVX512F},
		{"AVX512BW", cpu.X86.HasAVX512BW},
		{"AVX512VL", cpu.X86.HasAVX512VL},
		{"AVX512DQ", cpu.X86.HasAVX512DQ},
		{"AVX512VNNI", cpu.X86.HasAVX512VNNI},
	}...)
}

// missing names the features that the machine lacks.
func missing(needs []feature) string {
	var names []string
	for _, f := range needs {
		if !f.has {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}
