package scalars

import (
	"bytes"
	"encoding/csv"
	"maps"
	"slices"
	"strconv"

	"qpipe/interp/part"
)

// CSVLoggerArgs are the arguments of CSVLogger.
type CSVLoggerArgs struct {
	Every
	File string `arg:"file,optional" doc:"Name of the file in the stage's folder."`
}

// CSVLoggerDefaults returns CSVLogger's defaults.
func CSVLoggerDefaults() CSVLoggerArgs { return CSVLoggerArgs{File: "metrics.csv"} }

type csvLogger struct{ CSVLoggerArgs }

// NewCSVLogger returns the callback that writes a table.
func NewCSVLogger(a CSVLoggerArgs) (part.Callback, error) { return csvLogger{a}, a.Validate() }

// Files implements part.Recorder.
func (l csvLogger) Files() []string { return []string{l.File} }

// Record implements part.Recorder: a row for each point, a column for each metric that any of them has.
func (l csvLogger) Record(r *part.Record) error {
	points, names := l.points(r.Points), map[string]bool{}
	for _, p := range points {
		for name := range p.Metrics {
			names[name] = true
		}
	}
	columns := slices.Sorted(maps.Keys(names))
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(append([]string{"epoch", "step", "event", "lr"}, columns...)) // a buffer takes everything
	for _, p := range points {
		row := []string{strconv.Itoa(p.Epoch), strconv.Itoa(p.Step), p.Kind, ""}
		if p.LR != nil {
			row[3] = number(*p.LR)
		}
		for _, name := range columns {
			v, ok := p.Metrics[name]
			if !ok {
				row = append(row, "")
				continue
			}
			row = append(row, number(v))
		}
		_ = w.Write(row)
	}
	w.Flush()
	return r.Write(l.File, b.Bytes())
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
