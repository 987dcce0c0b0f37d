package stage

// Renamed is the name that a checkpoint's tensor has after LoadCheckpoint's
// rename: the longest prefix that ends at a dot is replaced.
func Renamed(name string, rename map[string]string) string { return renamed(name, rename) }
