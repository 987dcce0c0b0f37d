package diag

// Code names a kind of diagnostic: QP1xx text, QP2xx meaning, QP3xx graph,
// QP4xx run, QP9xx a bug of ours.
type Code string
