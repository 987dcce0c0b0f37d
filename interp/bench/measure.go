package bench

import (
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"qpipe/interp/memory"
	"qpipe/ops/engine"
)

// Timing is the result of a measurement; times are in nanoseconds per run.
type Timing struct {
	Median int64   `json:"median_ns"`
	Min    int64   `json:"min_ns"`
	Max    int64   `json:"max_ns"`
	Turns  int     `json:"turns"` // the number of times that the median is taken of
	Runs   int     `json:"runs"`  // runs per turn
	Allocs float64 `json:"allocs_per_run"`
	Memory int64   `json:"peak_memory_bytes,omitempty"` // of the process, while running
}

// The number of turns that a measurement takes. With the least number, one bad turn does not change the median much.
const (
	leastTurns = 3
	mostTurns  = 9
)

// measure runs w for about the given time, after a first run that does not count.
func (w *Work) measure(about time.Duration) (Timing, error) {
	clock := w.clock
	if err := w.run(); err != nil {
		return Timing{}, err
	}
	debug.FreeOSMemory() // garbage from building it is not its memory
	memory.ResetPeak()
	from := clock()
	if err := w.run(); err != nil {
		return Timing{}, err
	}
	t := Timing{Runs: 1, Turns: mostTurns}
	if one := max(clock()-from, 1); int64(about) < mostTurns*one {
		t.Turns = max(leastTurns, int(int64(about)/one))
	} else {
		t.Runs = int(int64(about) / mostTurns / one)
	}
	times := make([]int64, t.Turns)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range times {
		from := clock()
		for range t.Runs {
			if err := w.run(); err != nil {
				return Timing{}, err
			}
		}
		times[i] = (clock() - from) / int64(t.Runs)
	}
	runtime.ReadMemStats(&after)
	t.Allocs = float64(after.Mallocs-before.Mallocs) / float64(t.Turns*t.Runs)
	t.Memory = memory.Peak()
	slices.Sort(times)
	t.Min, t.Median, t.Max = times[0], times[t.Turns/2], times[t.Turns-1]
	return t, nil
}

// Layer is what a node costs in one run.
type Layer struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	MACs     int64  `json:"macs"` // of one image, forward
	Forward  int64  `json:"forward_ns"`
	Backward int64  `json:"backward_ns,omitempty"`
}

// layers measures what every node costs: the mean over as many runs as fit into the time.
func (w *Work) layers(about time.Duration) ([]Layer, error) {
	clock := w.clock
	w.net.Profile(clock)
	defer w.net.Profile(nil)
	runs := int64(0)
	for runs == 0 || clock() < int64(about) {
		if err := w.run(); err != nil {
			return nil, err
		}
		runs++
	}
	return perRun(w.net.Times(), runs), nil
}

func perRun(times []engine.NodeTime, runs int64) []Layer {
	list := make([]Layer, len(times))
	for i, t := range times {
		list[i] = Layer{t.Name, t.Kind, t.MACs, t.Forward / runs, t.Backward / runs}
	}
	return list
}

// Kinds sums up the layers by kind, the most expensive first.
func Kinds(layers []Layer) []Layer {
	var sums []Layer
	for _, l := range layers {
		i := slices.IndexFunc(sums, func(s Layer) bool { return s.Kind == l.Kind })
		if i < 0 {
			sums = append(sums, Layer{Kind: l.Kind})
			i = len(sums) - 1
		}
		sums[i].MACs += l.MACs
		sums[i].Forward += l.Forward
		sums[i].Backward += l.Backward
	}
	slices.SortStableFunc(sums, func(a, b Layer) int {
		return int(min(max(b.Forward+b.Backward-a.Forward-a.Backward, -1), 1))
	})
	return sums
}
