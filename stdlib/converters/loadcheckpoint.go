package converters

import (
	"maps"
	"slices"
	"strings"

	"qpipe/interp/part"
)

// LoadCheckpointArgs are the arguments of LoadCheckpoint.
type LoadCheckpointArgs struct {
	CheckpointPath    part.Checkpoint   `arg:"checkpoint_path" doc:"The checkpoint: stage.NAME.checkpoint.best, last or int8, or the path of a file. A safetensors file of another tool, a state dict that PyTorch saved (.pt, .pth) and an ONNX file are read as a float model; of a quantized ONNX file a prepared model gets the ranges, too."`
	AllowMiss         bool              `arg:"allow_miss,optional" doc:"Whether tensors of the model may be missing in the checkpoint; they keep their values."`
	IgnoreExtra       bool              `arg:"ignore_extra,optional" doc:"Whether the checkpoint may have tensors that the model does not have."`
	IgnoreTensorShape bool              `arg:"ignore_tensor_shape,optional" doc:"Whether a tensor with a different shape is skipped; otherwise it is an error."`
	CheckHash         bool              `arg:"check_hash,optional" doc:"Whether the file's hash is verified."`
	LoadEMAModel      bool              `arg:"load_ema_model,optional" doc:"Whether to load the averaged weights (of ExponentialMovingAverage) instead of the trained ones."`
	Rename            map[string]string `arg:"rename,optional" doc:"Beginnings of tensor names in the checkpoint, up to a dot, and their replacements; the longest one counts. In a beginning * stands for any letters but a dot and ** for any parts; in the replacement they are what was there, in order. A beginning that no name has is an error."`
	Names             string            `arg:"names,optional" oneof:"own torchvision" before:"own" doc:"Whose names the tensors have: own for the model's, torchvision for the state dict of a torchvision model, which the model must have a table of names for. Rules of rename come first."`
}

// LoadCheckpointDefaults returns LoadCheckpoint's defaults.
func LoadCheckpointDefaults() LoadCheckpointArgs {
	return LoadCheckpointArgs{CheckHash: true, Names: "own"}
}

// Validate implements the language's check after decoding.
func (a LoadCheckpointArgs) Validate() error {
	if c := a.CheckpointPath; c.Stage == "" && c.Path == "" {
		return part.Bad("checkpoint_path", "is empty; give stage.NAME.checkpoint.best, last or int8, or the path of a file")
	}
	for _, old := range slices.Sorted(maps.Keys(a.Rename)) {
		if strings.TrimSpace(old) != old {
			return part.Bad("rename", "%q is not the start of a tensor's name: there are no spaces in one", old)
		}
		if from, to := wildcards(old), wildcards(a.Rename[old]); len(to) > len(from) || !slices.Equal(to, from[:len(to)]) {
			return part.Bad("rename", "%q = %q: the replacement has wildcards that the rule does not have, or in another order", old, a.Rename[old])
		}
	}
	return nil
}

// wildcards lists those of a rule.
func wildcards(rule string) (list []string) {
	for _, at := range part.Wildcards(rule) {
		list = append(list, rule[at[0]:at[1]])
	}
	return list
}

type loadCheckpoint struct{ LoadCheckpointArgs }

// NewLoadCheckpoint returns the converter that loads a checkpoint into the model as it is at this point of the
// pipeline. A checkpoint records the form of its model, so that the error about one that does not fit can name it.
func NewLoadCheckpoint(a LoadCheckpointArgs) (part.Converter, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return loadCheckpoint{a}, nil
}

// Convert implements part.Converter.
func (l loadCheckpoint) Convert(c *part.Conversion) error {
	if l.Names == "torchvision" && len(c.Names) == 0 {
		return part.Bad("names", "this model has no table of torchvision's names: leave names out, and write rename = { \"theirs\" = \"ours\" } where names differ")
	}
	return c.Load(l.CheckpointPath, part.LoadOptions{
		Torchvision:       l.Names == "torchvision",
		Names:             c.Names,
		AllowMiss:         l.AllowMiss,
		IgnoreExtra:       l.IgnoreExtra,
		IgnoreTensorShape: l.IgnoreTensorShape,
		CheckHash:         l.CheckHash,
		LoadEMAModel:      l.LoadEMAModel,
		Rename:            l.Rename,
	})
}
