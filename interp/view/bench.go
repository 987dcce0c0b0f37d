package view

import (
	"fmt"
	"strconv"
	"strings"

	"qpipe/interp/bench"
	"qpipe/interp/console"
)

// BenchHead prints the machine and its peak.
func (s *Sheet) BenchHead(r *bench.Report) {
	fmt.Fprintf(s, "kernels %s, %s, %s/%s\n", r.Kernels, console.Count(r.Cores, "core"), r.OS, r.Arch)
	for _, p := range r.Peaks {
		fmt.Fprintf(s, "peak    %s: %.3g GFLOP/s float32, %.3g GOP/s int8\n", console.Count(p.Threads, "thread"), p.Float, p.Int8)
	}
	for i, line := range console.Wrapped(r.PeakBy, s.columns-8) {
		fmt.Fprintf(s, "%s %s\n", s.paint.Dim(fmt.Sprintf("%-7s", [...]string{"", "by"}[max(1-i, 0)])), line)
	}
}

// BenchNet prints the measurements of a network.
func (s *Sheet) BenchNet(r *bench.Report, n *bench.Net) {
	head := fmt.Sprintf("%.4g million multiply-accumulates an image of %s", float64(n.MACs)/1e6, n.Input)
	if n.Params > 0 {
		head += ", " + console.Count(n.Params, "parameter")
	}
	fmt.Fprintf(s, "\n%s  %s\n", s.paint.Bold(n.Name), head)
	rows := [][]string{{"form", "does", "batch", "threads", "time", "least", "images/s", "G/s", "of peak", "allocations", "memory"}}
	for _, m := range n.Rows {
		rows = append(rows, []string{
			m.What, m.Does, strconv.Itoa(m.Batch), strconv.Itoa(m.Threads), console.Nanoseconds(m.Median), console.Nanoseconds(m.Min),
			console.Short(m.Images), console.Short(m.Speed), fmt.Sprintf("%.0f %%", 100*m.Share), allocations(m.Allocs), memory(m.Memory),
		})
	}
	s.table(rows, "llrrrrrrrrr", "")
	for _, m := range n.Rows {
		if len(m.Layers) > 0 {
			fmt.Fprintf(s, "\n%s, %s, batch %d, %s\n", s.paint.Bold(n.Name+", "+m.What), m.Does, m.Batch, console.Count(m.Threads, "thread"))
			s.layers(&m, m.Layers, r.Peak(m.Threads, m.Integer))
			fmt.Fprintln(s)
			s.layers(&m, bench.Kinds(m.Layers), r.Peak(m.Threads, m.Integer))
		}
	}
}

// layers prints one line per layer: time, speed and share of the peak, forward and backward, and its share of the
// whole.
func (s *Sheet) layers(m *bench.Row, layers []bench.Layer, peak float64) {
	var total int64
	for _, l := range layers {
		total += l.Forward + l.Backward
	}
	rows := [][]string{{"layer", "kind", "MMAC", "forward", "G/s", "of peak", "backward", "G/s", "of peak", "of all"}}
	for _, l := range layers {
		row := []string{l.Name, l.Kind, "", console.Nanoseconds(l.Forward), "", "", "", "", "", share(l.Forward+l.Backward, total)}
		if l.MACs > 0 {
			row[2] = console.Short(float64(l.MACs) / 1e6)
			row[4], row[5] = rate(2*l.MACs*int64(m.Batch), l.Forward, peak)
		}
		if l.Backward > 0 {
			row[6] = console.Nanoseconds(l.Backward)
		}
		if l.Backward > 0 && l.MACs > 0 {
			row[7], row[8] = rate(4*l.MACs*int64(m.Batch), l.Backward, peak)
		}
		rows = append(rows, row)
	}
	s.table(rows, "llrrrrrrrr", "")
}

// rate prints the rate of operations done in a time, and its share of a peak.
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

// allocations prints a mean; what happens only once in many runs does not count.
func allocations(n float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") }

func memory(n int64) string {
	if n <= 0 {
		return ""
	}
	return console.Size(n)
}
