package stage

import "qpipe/ops/nn"

// LoadTensors puts a snapshot's tensors into a graph: it replays the snapshot's
// absorptions, then matches by name. The error is a *LoadError that names every
// tensor that does not fit; the graph is of no use after it.
func LoadTensors(g *nn.Graph, s *Snapshot, o LoadOptions) error { panic("not built yet") }
