package verify

import (
	"github.com/spf13/pflag"

	"qpipe/interp/command"
)

// About is the help of the command.
const About = `Compare every integer of an int8 model with everything that promises the same ones:

  the QAT model     that it was made of, in evaluation
  kernels           every kernel set of this machine, with several numbers of threads
  ONNX files        that were exported of it, as qpipe's evaluator of ONNX computes them and,
                    if there is a Python with onnxruntime (QPIPE_PYTHON, or python3), as
                    ONNX Runtime does, with its optimizations of the graph and without

RUN is the folder of a run: its int8 model (of several, that of the stage -stage), the
checkpoint that this was made of, the ONNX files of its stage, and the images of its
val_data. MODEL is an int8 model by itself; -trained names its checkpoint, -against its
ONNX files, and -data a data set of the PIPELINE. Without one the images are random.
Where there is no ONNX file, the model is exported for this, as integer ops.

The result is written beside the model as verify.json: hashes of the model, the files
and the images, versions, and what differs. The exit code is 1 if numbers differ that
must be equal, or if a file could not be compared. Of files with float ops (format =
"qdq") the weights and scales must be equal, and differences of results are counted.`

// Flags are the flags of the command.
type Flags struct {
	command.Inputs
	Against             []string
	Trained, Data       string
	Stage, Out          string
	Images, Batch, Slow int
	Threads             []int
	EMA, JSON           bool
}

// Register adds the flags.
func (f *Flags) Register(fl *pflag.FlagSet) {
	f.Inputs.Register(fl)
	fl.StringArrayVar(&f.Against, "against", nil, "an ONNX `FILE` that was exported of the model (repeatable)")
	fl.StringVar(&f.Trained, "trained", "", "the checkpoint `FILE` that the model was made of")
	fl.BoolVar(&f.EMA, "ema", false, "of -trained: the averaged weights")
	fl.StringVar(&f.Data, "data", "", "the data set, as `dataset.NAME`")
	fl.StringVar(&f.Stage, "stage", "", "of a run: the int8 model of the stage `NAME`")
	fl.StringVar(&f.Out, "out", "", "write the result into this `FILE` (default: verify.json beside the model)")
	fl.IntVar(&f.Images, "images", 64, "a `NUMBER` of images")
	fl.IntVar(&f.Batch, "batch", 8, "`NUMBER` of images at a time")
	fl.IntVar(&f.Slow, "written", 4, "a `NUMBER` of images for qpipe's evaluator of ONNX, which is slow")
	fl.IntSliceVar(&f.Threads, "threads", []int{1, 2, 3}, "`NUMBERS` of threads to compare, as 1,4")
	fl.BoolVar(&f.JSON, "json", false, "as JSON")
}
