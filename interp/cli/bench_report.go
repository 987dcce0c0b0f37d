package cli

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"qpipe/interp/console"
	"qpipe/lang/diag"
	"qpipe/ops/kernel"
	"qpipe/ops/nn"
)

// benchFormat is the version of bench's JSON, which is that of every verb.
const benchFormat = diag.FormatVersion

// benchReport is what `bench -json` prints.
type benchReport struct {
	FormatVersion string          `json:"format_version"`
	Version       string          `json:"version"`
	Kernels       string          `json:"kernels"`
	OS            string          `json:"os"`
	Arch          string          `json:"arch"`
	Cores         int             `json:"cores"`
	PeakBy        string          `json:"peak_measured_by"`
	Peaks         []benchPeak     `json:"peaks"`
	Subjects      []*benchSubject `json:"nets"`
}

// benchPeak is the machine's peak with so many threads, in operations a nanosecond
// (GFLOP/s and GOP/s), two a multiply-accumulate.
type benchPeak struct {
	Threads int     `json:"threads"`
	Float   float64 `json:"float32_gflops"`
	Int8    float64 `json:"int8_gops"`
}

// benchSubject is a network with what was measured of it.
type benchSubject struct {
	Name   string     `json:"name"`
	Input  string     `json:"input"`
	Params int        `json:"params,omitempty"`
	MACs   int64      `json:"macs"` // multiply-accumulates an image, forward
	Rows   []benchRow `json:"rows"`
}

// benchRow is a measurement.
type benchRow struct {
	What    string `json:"what"` // the form
	Does    string `json:"does"` // "inference" or "training"
	Batch   int    `json:"batch"`
	Threads int    `json:"threads"`
	timing
	Images  float64 `json:"images_per_second"`
	Speed   float64 `json:"gops"` // operations a nanosecond
	Integer bool    `json:"integer"`
	Share   float64 `json:"share_of_peak"`
	Layers  []layer `json:"layers,omitempty"`
}

func newBenchReport(set *kernel.Set) *benchReport {
	return &benchReport{
		FormatVersion: benchFormat, Version: version, Kernels: set.Name,
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), PeakBy: peakBy(),
	}
}

func (r *benchReport) peak(threads int, integer bool) float64 {
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

// describe notes what all forms of a network share.
func (s *benchSubject) describe(g *nn.Graph, form string) {
	s.Input, s.MACs = g.Input().WithN(0).String(), g.MACs()
	if form != benchFloat || s.Params > 0 {
		return
	}
	for _, p := range g.Params() {
		s.Params += len(p.Data)
	}
}

// benchHead prints the machine and its peak.
func (a *app) benchHead(r *benchReport) {
	fmt.Fprintf(a.Out, "kernels %s, %s, %s/%s\n", r.Kernels, console.Count(r.Cores, "core"), r.OS, r.Arch)
	for _, p := range r.Peaks {
		fmt.Fprintf(a.Out, "peak    %s: %.3g GFLOP/s float32, %.3g GOP/s int8\n", console.Count(p.Threads, "thread"), p.Float, p.Int8)
	}
	for i, line := range wrapped(r.PeakBy, min(console.Width(a.Out), 100)-8) {
		fmt.Fprintf(a.Out, "%s %s\n", a.paint(a.Out).Dim(fmt.Sprintf("%-7s", [...]string{"", "by"}[max(1-i, 0)])), line)
	}
}

// benchTable prints what was measured of a network.
func (a *app) benchTable(r *benchReport, s *benchSubject) {
	p := a.paint(a.Out)
	head := fmt.Sprintf("%.4g million multiply-accumulates an image of %s", float64(s.MACs)/1e6, s.Input)
	if s.Params > 0 {
		head += ", " + console.Count(s.Params, "parameter")
	}
	fmt.Fprintf(a.Out, "\n%s  %s\n", p.Bold(s.Name), head)
	rows := [][]string{{"form", "does", "batch", "threads", "time", "least", "images/s", "G/s", "of peak", "allocations", "memory"}}
	for _, m := range s.Rows {
		rows = append(rows, []string{
			m.What, m.Does, strconv.Itoa(m.Batch), strconv.Itoa(m.Threads), fine(m.Median), fine(m.Min),
			console.Short(m.Images), console.Short(m.Speed), fmt.Sprintf("%.0f %%", 100*m.Share), allocations(m.Allocs), memory(m.Memory),
		})
	}
	a.printTable(rows, "llrrrrrrrrr")
	for _, m := range s.Rows {
		if len(m.Layers) > 0 {
			fmt.Fprintf(a.Out, "\n%s, %s, batch %d, %s\n", p.Bold(s.Name+", "+m.What), m.Does, m.Batch, console.Count(m.Threads, "thread"))
			a.layerTable(&m, m.Layers, r.peak(m.Threads, m.Integer))
			fmt.Fprintln(a.Out)
			a.layerTable(&m, kinds(m.Layers), r.peak(m.Threads, m.Integer))
		}
	}
}

// layerTable prints a line a layer: time, speed and share of peak forward and
// backward, and its share of the whole.
func (a *app) layerTable(m *benchRow, layers []layer, peak float64) {
	var total int64
	for _, l := range layers {
		total += l.Forward + l.Backward
	}
	rows := [][]string{{"layer", "kind", "MMAC", "forward", "G/s", "of peak", "backward", "G/s", "of peak", "of all"}}
	for _, l := range layers {
		row := []string{l.Name, l.Kind, "", fine(l.Forward), "", "", "", "", "", share(l.Forward+l.Backward, total)}
		if l.MACs > 0 {
			row[2] = console.Short(float64(l.MACs) / 1e6)
			row[4], row[5] = rate(2*l.MACs*int64(m.Batch), l.Forward, peak)
		}
		if l.Backward > 0 {
			row[6] = fine(l.Backward)
		}
		if l.Backward > 0 && l.MACs > 0 {
			row[7], row[8] = rate(4*l.MACs*int64(m.Batch), l.Backward, peak)
		}
		rows = append(rows, row)
	}
	a.printTable(rows, "llrrrrrrrr")
}

// rate prints operations in nanoseconds, and their share of a peak.
func rate(ops, ns int64, peak float64) (speed, of string) {
	if ns <= 0 {
		return "", ""
	}
	v := float64(ops) / float64(ns)
	if peak > 0 {
		of = fmt.Sprintf("%.0f %%", 100*v/peak)
	}
	return console.Short(v), of
}

func share(part, whole int64) string {
	if whole <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// allocations prints a mean; what happens once in many runs is none of theirs.
func allocations(n float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") }

func memory(n int64) string {
	if n <= 0 {
		return ""
	}
	return console.Size(n)
}

// printTable prints rows in columns, the first one as their heads.
func (a *app) printTable(rows [][]string, align string) {
	for i, line := range console.Table(rows, align) {
		if i == 0 {
			line = a.paint(a.Out).Dim(line)
		}
		fmt.Fprintln(a.Out, line)
	}
}

// fine prints nanoseconds with three significant figures.
func fine(ns int64) string {
	v, unit := float64(ns), "ns"
	for _, u := range []string{"µs", "ms", "s"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, u
	}
	if v >= 999.5 {
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + " " + unit
}
