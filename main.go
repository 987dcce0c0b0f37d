// Command qpipe trains a neural network from a pipeline file and makes it int8
// on the way: float, calibration, quantization-aware training, integer inference.
package main

import (
	"os"

	"qpipe/interp/cli"
	"qpipe/stdlib"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.System(), stdlib.Catalog()))
}
