package exec

import (
	"qpipe/interp/graph"
	"qpipe/lang/diag"
)

// Decision says what a run would do with a stage, and why: what `qpipe plan` prints.
type Decision struct {
	Stage  string `json:"stage"`
	Run    bool   `json:"run"`
	Reason string `json:"reason"`
}

// Explain says what Run would do with the same options. It takes no lock, writes
// nothing and trains nothing; it reads the manifest and the data files' hashes.
func Explain(p *graph.Plan, o Options) ([]Decision, diag.List) { panic("not built yet") }
