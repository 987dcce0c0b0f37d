package bench

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"qpipe/interp/command"
	"qpipe/lang/program"
)

// About is the help of `qpipe bench`.
const About = `Measure how fast this machine trains and runs networks: whole steps and, with
-layers, every node. NET is

  a name        lenet, convnet, resnet18c, mnv2c, resnet18, mnv2, resnet50, mnv3s or effb0
  a pipeline    a .hcl file: its models, or those that -stage and -model choose
  a model       an int8 model, measured as it is, or a checkpoint

Weights and images are random, from a seed. A training step is forward pass, loss,
backward pass and the optimizer's update, as a stage does it; an int8 model is made
from a calibrated float one. Times are medians of several turns. Operations are
counted as two a multiply-accumulate, and three times as many for a training step.
The machine's peak, of which shares are given, is measured first: the best that the
kernel set itself reaches on single large convolutions.`

// Flags are the flags of `qpipe bench`.
type Flags struct {
	command.Inputs
	Batches, Threads []int
	What             []string
	Stages, Models   []string
	Time             time.Duration
	Layers           bool
	Once             bool
	JSON             bool
}

// Register adds the flags.
func (f *Flags) Register(fl *pflag.FlagSet) {
	f.Inputs.Register(fl)
	fl.Var(countsFlag{&f.Batches, MostBatch}, "batch", "`NUMBERS` of images at a time, as 1,64 (default: 1 and a large one)")
	fl.Var(countsFlag{&f.Threads, program.MostThreads}, "threads", "`NUMBERS` of threads, as 1,2 (default: all cores)")
	fl.StringSliceVar(&f.What, "what", nil, "what to measure: `FORMS` among float, fuse_bn, with_bn, with_bn_reverse_fold and int8 (default all)")
	fl.StringArrayVar(&f.Stages, "stage", nil, "of a pipeline: the model of this stage `NAME` (repeatable)")
	fl.StringArrayVar(&f.Models, "model", nil, "of a pipeline: the model of this `NAME` (repeatable)")
	fl.DurationVar(&f.Time, "time", time.Second, "about how `LONG` a measurement takes, as 500ms or 3s")
	fl.BoolVar(&f.Layers, "layers", false, "also what every node costs")
	fl.BoolVar(&f.Once, "once", false, "only load the model, run it once and say how long that took")
	fl.BoolVar(&f.JSON, "json", false, "as JSON")
}

// MostTime is how long a measurement may take.
const MostTime = time.Hour

// countsFlag is a list of numbers from 1 to most.
type countsFlag struct {
	list *[]int
	most int
}

func (f countsFlag) Set(s string) error {
	*f.list = nil
	for _, word := range strings.Split(s, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > f.most {
			return fmt.Errorf("%q is not a number from 1 to %d", word, f.most)
		}
		*f.list = append(*f.list, n)
	}
	return nil
}

func (countsFlag) Type() string   { return "NUMBERS" }
func (countsFlag) String() string { return "" }

// AboutWorker is the help of `qpipe bench-worker`.
const AboutWorker = `Do one piece of work again and again, as a line of the standard input says, so that
a script can time it in turns with other programs. WORK is one of

  train NET FORM       a training step: float, fuse_bn, with_bn or with_bn_reverse_fold
  infer NET            a forward pass, of the int8 model or with -form float the float one
  conv SHAPE KIND N    one convolution kernel on N images
  peak KIND            the best of the kernel set's convolutions: f32 or int8
  save NET FILE        write the int8 model of a network, and end
  shapes               list the convolutions: channels in and out, side, kernel, stride, padding, groups

NET is what qpipe bench takes, without pipelines. After one run the worker prints
"ready items=N"; "run K" is answered with "ns TOTAL"; "quit" ends it.`

// WorkerFlags are the flags of `qpipe bench-worker`.
type WorkerFlags struct {
	Batch, Threads int
	Form           string
}

// Register adds the flags.
func (f *WorkerFlags) Register(fl *pflag.FlagSet) {
	fl.IntVar(&f.Batch, "batch", 0, "`NUMBER` of images at a time (default: 64 to train, 1 to infer)")
	fl.IntVar(&f.Threads, "threads", 0, "`NUMBER` of threads (default: all cores)")
	fl.StringVar(&f.Form, "form", Int8, "of infer: `FORM` int8 or float")
}
