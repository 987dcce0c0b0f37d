package bench

import (
	"runtime"

	"qpipe/lang/diag"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// Report is what `bench -json` prints.
type Report struct {
	FormatVersion string `json:"format_version"`
	Version       string `json:"version"`
	Kernels       string `json:"kernels"`
	OS            string `json:"os"`
	Arch          string `json:"arch"`
	Cores         int    `json:"cores"`
	PeakBy        string `json:"peak_measured_by"`
	Peaks         []Peak `json:"peaks"`
	Nets          []*Net `json:"nets"`
}

// Peak is the machine's peak with a number of threads, in operations per nanosecond (GFLOP/s and GOP/s); a
// multiply-accumulate counts as two.
type Peak struct {
	Threads int     `json:"threads"`
	Float   float64 `json:"float32_gflops"`
	Int8    float64 `json:"int8_gops"`
}

// Net is a network with its measurements.
type Net struct {
	Name   string `json:"name"`
	Input  string `json:"input"`
	Params int    `json:"params,omitempty"`
	MACs   int64  `json:"macs"` // multiply-accumulates per image, forward
	Rows   []Row  `json:"rows"`
}

// Row is a measurement.
type Row struct {
	What    string `json:"what"` // the form
	Does    string `json:"does"` // "inference" or "training"
	Batch   int    `json:"batch"`
	Threads int    `json:"threads"`
	Timing
	Images  float64 `json:"images_per_second"`
	Speed   float64 `json:"gops"` // operations per nanosecond
	Integer bool    `json:"integer"`
	Share   float64 `json:"share_of_peak"`
	Layers  []Layer `json:"layers,omitempty"`
}

// NewReport returns an empty report with the program's version and its kernel set.
func NewReport(version string, set *kernel.Set) *Report {
	return &Report{
		FormatVersion: diag.FormatVersion, Version: version, Kernels: set.Name,
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), PeakBy: peakBy(),
	}
}

// Peak is the machine's peak with so many threads, 0 if it was not measured.
func (r *Report) Peak(threads int, integer bool) float64 {
	for _, p := range r.Peaks {
		switch {
		case p.Threads == threads && integer:
			return p.Int8
		case p.Threads == threads:
			return p.Float
		}
	}
	return 0
}

// describe records what all forms of a network have in common.
func (s *Net) describe(g *nn.Graph, form string) {
	s.Input, s.MACs = g.Input().WithN(0).String(), g.MACs()
	if form != Float || s.Params > 0 {
		return
	}
	for _, p := range g.Params() {
		s.Params += len(p.Data)
	}
}
