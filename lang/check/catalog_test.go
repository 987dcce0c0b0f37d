package check

import (
	"errors"
	"fmt"
	"slices"

	"qpipe/lang/program"
)

// shelf is a small catalogue in the likeness of the real one.
type shelf []program.Signature

func (s shelf) Signature(k program.Kind, name string) (program.Signature, bool) {
	for _, sig := range s {
		if sig.Kind == k && sig.Name == name {
			return sig, true
		}
	}
	return program.Signature{}, false
}

func (s shelf) Names(k program.Kind) []string {
	var out []string
	for _, sig := range s {
		if sig.Kind == k {
			out = append(out, sig.Name)
		}
	}
	slices.Sort(out)
	return out
}

func part[A any](k program.Kind, name string, defaults A) program.Signature {
	return program.Signature{Kind: k, Name: name, Doc: "A " + name + ".", Args: func() any { a := defaults; return &a }}
}

type (
	noArgs    struct{}
	mnistArgs struct {
		Root       string `arg:"root" doc:"Folder with the IDX files."`
		Split      string `arg:"split,optional" oneof:"train validation test" doc:"Which part."`
		ValSamples int    `arg:"val_samples,optional" doc:"How many images are held out."`
	}
	cropArgs struct {
		Size    int `arg:"size" doc:"Height and width in pixels."`
		Padding int `arg:"padding,optional" doc:"Pixels added on each side."`
	}
	normalizeArgs struct {
		Mean []float64 `arg:"mean" doc:"Mean per channel."`
	}
	resnetArgs struct {
		Depth      int `arg:"depth" doc:"Number of weight layers: 8, 20 or 18."`
		NumClasses int `arg:"num_classes,optional" doc:"Number of classes."`
	}
	networkArgs struct {
		Network program.Network `arg:"network,network"`
	}
	convArgs struct {
		Out    int   `arg:"out" doc:"Output channels."`
		Kernel []int `arg:"kernel,single" doc:"Height and width."`
		Stride int   `arg:"stride,optional" doc:"Distance."`
	}
	sgdArgs struct {
		LR          float64 `arg:"lr" doc:"Learning rate."`
		Momentum    float64 `arg:"momentum,optional" doc:"Share that is kept."`
		WeightDecay float64 `arg:"weight_decay,optional" doc:"L2 penalty."`
		Nesterov    bool    `arg:"nesterov,optional" doc:"Look ahead."`
	}
	cosArgs struct {
		WarmupBy  string `arg:"warmup_by,optional" oneof:"epoch step" doc:"Unit of warmup_len."`
		WarmupLen int    `arg:"warmup_len,optional" doc:"Length of the warm-up."`
	}
	lossArgs struct {
		LabelSmoothing float64 `arg:"label_smoothing,optional" doc:"Share spread over all classes."`
	}
	fuseArgs struct {
		WeightScale string `arg:"weight_scale,optional" oneof:"keep recompute" doc:"What becomes of the scale."`
	}
	checkpointArgs struct {
		Monitor string `arg:"monitor,optional" doc:"The metric that decides."`
		Mode    string `arg:"mode,optional" oneof:"max min" doc:"Which is better."`
	}
	emaArgs struct {
		Decay float64 `arg:"decay,optional" doc:"Share that is kept."`
	}
	loadArgs struct {
		CheckpointPath program.Checkpoint `arg:"checkpoint_path" doc:"The checkpoint."`
		AllowMiss      bool               `arg:"allow_miss,optional" doc:"Tensors may be missing."`
		Rename         map[string]string  `arg:"rename,optional" doc:"Prefixes to replace."`
	}
	averaging struct {
		AveragingConstant float64 `arg:"averaging_constant,optional" doc:"Share of the present batch."`
	}
	percentileArgs struct {
		averaging
		Percentile float64 `arg:"percentile,optional" doc:"Share of the values, in percent."`
	}
	fixedArgs struct {
		Scale float64 `arg:"scale" doc:"The scale."`
	}
	stackArgs struct {
		Units []unitArgs `arg:"unit,block" doc:"Its layers."`
		Head  *headArgs  `arg:"head,block,optional" doc:"Its end."`
		Note  string     `arg:"note,optional"`
	}
	unitArgs struct {
		Kind  string   `arg:"kind,label" oneof:"conv pool"`
		Width int      `arg:"width" doc:"Channels."`
		Acts  *actArgs `arg:"act,block,optional" doc:"What follows."`
	}
	actArgs struct {
		Limit float64            `arg:"limit,optional" doc:"The largest value."`
		From  program.Checkpoint `arg:"from,optional"`
	}
	concatArgs struct {
		Datasets []program.Source `arg:"datasets" doc:"The parts."`
	}
	headArgs struct {
		Classes int `arg:"classes,optional"`
	}
	exportArgs struct {
		Path string `arg:"path,optional" doc:"File to write."`
	}
)

func (a resnetArgs) Validate() error {
	if !slices.Contains([]int{8, 18, 20}, a.Depth) {
		return &program.ArgError{Attr: "depth", Err: errors.New("must be 8, 18 or 20")}
	}
	return nil
}

func (a *headArgs) SetDefaults() { a.Classes = 10 }

func (a actArgs) Validate() error {
	if a.Limit < 0 {
		return &program.ArgError{Attr: "limit", Err: errors.New("must not be negative")}
	}
	return nil
}

func (a stackArgs) Validate() error {
	for i, u := range a.Units {
		if u.Width > 99 {
			return &program.ArgError{Attr: fmt.Sprintf("unit[%d].width", i), Err: errors.New("is too large")}
		}
	}
	return nil
}

func (a lossArgs) Validate() error {
	if a.LabelSmoothing == 0.5 {
		panic("a part that breaks")
	}
	return nil
}

func (a fuseArgs) KeepsScale() bool      { return a.WeightScale != "recompute" }
func (a checkpointArgs) KeepsBest() bool { return a.Monitor != "" }
func (emaArgs) AveragesWeights()         {}

func catalogue() shelf {
	callback := func(s program.Signature, when, modules program.Need) program.Signature {
		s.When, s.Modules = when, modules
		return s
	}
	converter := func(s program.Signature, from, to program.Form) program.Signature {
		s.From, s.To = from, to
		return s
	}
	return shelf{
		part(program.DatasetKind, "MNIST", mnistArgs{Split: "train"}),
		part(program.DatasetKind, "Glyphs", noArgs{}),
		part(program.DatasetKind, "Concat", concatArgs{}),
		part(program.TransformKind, "RandomCrop", cropArgs{}),
		part(program.TransformKind, "Normalize", normalizeArgs{}),
		part(program.ModelKind, "ResNet", resnetArgs{NumClasses: 10}),
		part(program.ModelKind, "Network", networkArgs{}),
		part(program.LayerKind, "Conv", convArgs{Stride: 1}),
		part(program.LayerKind, "Sum", noArgs{}),
		part(program.ModelKind, "LeNet", noArgs{}),
		part(program.ModelKind, "Stack", stackArgs{Note: "none"}),
		part(program.OptimizerKind, "SGD", sgdArgs{}),
		part(program.LRUpdaterKind, "CosLrUpdater", cosArgs{WarmupBy: "epoch"}),
		part(program.LossKind, "CrossEntropyLoss", lossArgs{}),
		part(program.MetricKind, "Accuracy", noArgs{}),
		callback(part(program.CallbackKind, "FuseBN", fuseArgs{WeightScale: "keep"}), program.Required, program.Optional),
		callback(part(program.CallbackKind, "FreezeBN", noArgs{}), program.Required, program.Optional),
		callback(part(program.CallbackKind, "Checkpoint", checkpointArgs{Mode: "max"}), program.NotTaken, program.NotTaken),
		callback(part(program.CallbackKind, "ExponentialMovingAverage", emaArgs{Decay: 0.999}), program.NotTaken, program.NotTaken),
		converter(part(program.ConverterKind, "LoadCheckpoint", loadArgs{}), program.AnyForm, program.AnyForm),
		converter(part(program.ConverterKind, "Float2Calibration", noArgs{}), program.Float, program.Calibration),
		converter(part(program.ConverterKind, "Float2QAT", noArgs{}), program.Float, program.QAT),
		converter(part(program.ConverterKind, "QAT2Quantize", noArgs{}), program.QAT, program.Quantized),
		part(program.ObserverKind, "min_max", averaging{0.01}),
		part(program.ObserverKind, "percentile", percentileArgs{averaging{0.01}, 99.99}),
		part(program.ObserverKind, "fixed_scale", fixedArgs{}),
		part(program.ExportKind, "ONNX", exportArgs{}),
	}
}
