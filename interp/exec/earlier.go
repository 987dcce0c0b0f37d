package exec

import (
	"strings"

	"qpipe/interp/runs"
)

// fits reports whether an entry of the manifest has the same inputs.
func (d *decision) fits(e *runs.StageEntry) bool {
	if e.Hash == "" {
		return d.inputs.sameAsInVersion1(e.Inputs)
	}
	return e.Hash == d.hash
}

// sameAsInVersion1 compares inputs with those in a manifest of format version 1, which differ in three ways. It
// has no entry for attributes that did not exist then; they must be 0. It has "min" or "max" for the mode of a
// monitor where the default is now "auto". It lists also those attributes of an override that the
// override does not change.
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

// direction returns the mode that "auto" stands for.
func (in inputs) direction(key string) string {
	if in[strings.TrimSuffix(key, ".mode")+".monitor"] == `"loss"` {
		return `"min"`
	}
	return `"max"`
}
