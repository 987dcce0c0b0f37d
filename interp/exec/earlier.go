package exec

import (
	"strings"

	"qpipe/interp/runs"
)

// fits reports whether the entry is of the same inputs.
func (d *decision) fits(e *runs.StageEntry) bool {
	if e.Hash == "" {
		return d.inputs.sameAsInVersion1(e.Inputs)
	}
	return e.Hash == d.hash
}

// sameAsInVersion1 compares inputs with those that format version 1 has written of them: it had no word for
// what could not be said then (a value of 0), named the direction of a metric where today's default is
// "auto", and wrote out what an override leaves as it is.
func (in inputs) sameAsInVersion1(old inputs) bool {
	for key, is := range in {
		was, had := old[key]
		switch {
		case had && was == is, !had && (is == "0" || strings.HasPrefix(key, "qconfig.override[")):
		case strings.HasSuffix(key, ".mode") && is == `"auto"` && was == old.direction(key):
		default:
			return false
		}
	}
	for key := range old {
		if _, has := in[key]; !has && !strings.HasPrefix(key, "qconfig.override[") {
			return false
		}
	}
	return true
}

// direction is the mode that "auto" stands for.
func (in inputs) direction(key string) string {
	if in[strings.TrimSuffix(key, ".mode")+".monitor"] == `"loss"` {
		return `"min"`
	}
	return `"max"`
}
