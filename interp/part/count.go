package part

import "qpipe/lang/diag"

// Count prints a number of things: "1 image", "2 images".
func Count[N int | int32 | int64](n N, thing string) string { return diag.Count(n, thing) }
