package view

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"qpipe/interp/console"
	"qpipe/interp/number"
	"qpipe/interp/survey"
)

// Data describes a data set.
func (s *Sheet) Data(d *survey.Survey) {
	s.Title(d.Data)
	s.Row("type", d.Type)
	s.Row("samples", strconv.Itoa(d.Samples))
	if d.Read < d.Samples {
		s.Row("looked at", fmt.Sprintf("the first %d", d.Read))
	}
	for _, in := range d.Inputs {
		unit := ""
		if in.Numbers {
			unit = ", numbers"
		}
		s.Row(cmp.Or(in.Name, "image"), fmt.Sprintf("%d×%d×%d%s", in.Height, in.Width, in.Channels, unit))
		s.Row("  mean", decimals(in.Mean))
		s.Row("  std", decimals(in.Std))
	}
	for _, t := range d.Targets {
		s.Row(cmp.Or(t.Name, "target"), t.Kind)
	}
	s.Row("speed", fmt.Sprintf("%s images/s, %s", console.Short(d.PerSecond), console.Count(d.Threads, "thread")))
	for _, t := range d.Targets {
		rows, all := [][]string{{"label", "class", "count", "share"}}, t.Ignored
		for _, n := range t.Count {
			all += n
		}
		share := func(n int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(all, 1))) }
		for label, n := range t.Count {
			name := ""
			if label < len(t.Names) {
				name = t.Names[label]
			}
			rows = append(rows, []string{strconv.Itoa(label), name, strconv.Itoa(n), share(n)})
		}
		if t.Ignored > 0 {
			rows = append(rows, []string{"", "ignored", strconv.Itoa(t.Ignored), share(t.Ignored)})
		}
		s.section(cmp.Or(t.Name, "classes"), "rlrr", rows)
	}
}

// decimals prints numbers for people, as a list of the language.
func decimals(v []number.Float) string {
	out := make([]string, len(v))
	for i, x := range v {
		out[i] = strconv.FormatFloat(float64(x), 'f', 4, 64)
	}
	return "[" + strings.Join(out, ", ") + "]"
}
