package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// memoryPipeline is a complete flow on the built-in data, with parameters: a model, the numbers of images to train and
// to validate on, both batches, and additions to the float stage.
const memoryPipeline = `
dataset "Glyphs" "train" { num_samples = %d }
dataset "Glyphs" "test" {
  split       = "test"
  num_samples = %d
}
model %s
qconfig "q" {
  override "head.fc" {
    activation { dtype = "float32" }
  }
}
stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test
  trainer {
    num_epochs = 3
    batch_size = %d
    optimizer "SGD" {
      lr       = 0.001
      momentum = 0.9
    }
  }
  validation { batch_size = %d }
  callback "Checkpoint" {}
  %s
}
stage "calibration" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test
  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.q
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2Calibration" {}
  }
  calibrator {
    num_steps  = 3
    batch_size = %[4]d
  }
  validation { batch_size = %[5]d }
}
stage "qat" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test
  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.q
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
  }
  trainer {
    num_epochs = 2
    batch_size = %[4]d
    optimizer "SGD" {
      lr       = 0.001
      momentum = 0.9
    }
  }
  validation { batch_size = %[5]d }
  callback "FuseBN" {
    when    = "epoch 1"
    modules = ["backbone.**"]
  }
}
stage "int8" {
  model    = model.net
  val_data = dataset.test
  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.q
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
    converter "QAT2Quantize" {}
  }
  validation { batch_size = %[5]d }
}
`

// TestMemoryOfStages compares the memory that plan reports for stages with the peak of a process that runs only that
// stage, and prints both as a table. Larger networks run with QPIPE_LONG.
func TestMemoryOfStages(t *testing.T) {
	const average = `callback "ExponentialMovingAverage" {}`
	for _, c := range []struct {
		name, model                string
		train, val, batch, valSize int
		more                       string
		long                       bool
	}{
		{"LeNet, averaged weights", `"LeNet" "net" {}`, 1000, 500, 64, 256, average, false},
		{"LeNet, width 32", `"LeNet" "net" { width = 32 }`, 3000, 1000, 512, 512, "", true},
		{"ResNet-20", `"ResNet" "net" { depth = 20 }`, 512, 256, 128, 256, "", true},
		{"MobileNetV2", `"MobileNetV2" "net" {}`, 256, 128, 64, 128, "", true},
		{"ResNet-18, averaged weights", "\"ResNet\" \"net\" {\n  depth = 18\n  width = 64\n}", 256, 256, 64, 256, average, true},
	} {
		if c.long && os.Getenv("QPIPE_LONG") == "" {
			continue
		}
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "x.hcl"), fmt.Appendf(nil, memoryPipeline, c.train, c.val, c.model, c.batch, c.valSize, c.more), 0o600))
		var plan struct {
			Stages []struct {
				Stage  string
				Memory int64 `json:"memory_bytes"`
			}
		}
		cmd := exec.Command("qpipe", "plan", "-json", "x.hcl")
		cmd.Dir = dir
		out, err := cmd.Output()
		must(t, err)
		must(t, json.Unmarshal(out, &plan))
		for _, s := range plan.Stages {
			m := measured(t, dir, 10*time.Minute, "run", "-stage", s.Stage, "x.hcl")
			if m.Code != 0 {
				t.Fatal(m.said)
			}
			ratio := float64(s.Memory) / float64(m.Memory)
			t.Logf("| %s | %s | %d | %d | %.2f |", c.name, s.Stage, s.Memory>>20, m.Memory>>20, ratio)
			if ratio < 1/1.6 || ratio > 1.6 {
				t.Errorf("%s, stage %s: %d MiB are expected, and it takes %d", c.name, s.Stage, s.Memory>>20, m.Memory>>20)
			}
		}
	}
}
