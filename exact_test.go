package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/interp/artifact"
	"qpipe/interp/checkpoint"
	"qpipe/interp/feed"
	"qpipe/interp/runs"
	"qpipe/ops/engine"
	"qpipe/ops/kernel/sets"
	"qpipe/ops/nn"
	"qpipe/stdlib/datasets"
)

// exactNet is a net of TestTrainedNetsAreExact: a model block, the images that it is
// trained and tested on, and the learning rate.
type exactNet struct {
	name, model   string
	images, tests int
	lr            float64
}

// exactNets are the nets: with QPIPE_LONG=all on all test images, otherwise the slow ones on fewer.
func exactNets() []exactNet {
	nets := []exactNet{
		{"LeNet", `model "LeNet" "net" {}`, 6000, 10000, 0.02},
		{"ResNet-8", `model "ResNet" "net" { depth = 8 }`, 3000, 10000, 0.05},
		{"ResNet-20", `model "ResNet" "net" { depth = 20 }`, 3000, 2000, 0.05},
		{"MobileNetV2 0.35", `model "MobileNetV2" "net" { width_mult = 0.35 }`, 2000, 1000, 0.05},
		{"MobileNetV2 1.0", `model "MobileNetV2" "net" {}`, 500, 500, 0.05},
	}
	for i := range nets {
		if os.Getenv("QPIPE_LONG") == "all" {
			nets[i].tests = 10000
		}
	}
	return nets
}

// exactPipeline trains two epochs in float, two quantized in each mode with every BN left
// to QAT2Quantize, and proves the conversion on all test images.
func exactPipeline(n exactNet) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
variable "data_dir" { type = string }
dataset "MNIST" "train" {
  root        = var.data_dir
  max_samples = %d
}
dataset "MNIST" "test" {
  root        = var.data_dir
  split       = "test"
  max_samples = %d
}
%s
qconfig "int8" {
  override "head.fc" {
    activation { dtype = "float32" }
  }
}
stage "float" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 2
    batch_size = 50
    optimizer "SGD" {
      lr       = %g
      momentum = 0.9
    }
    lr_updater "CosLrUpdater" {
      warmup_by  = "step"
      warmup_len = 20
    }
  }
}
`, n.images, n.tests, n.model, n.lr)
	for _, mode := range []nn.Mode{nn.FuseBN, nn.WithBN, nn.ReverseFold} {
		fmt.Fprintf(&b, `
stage "qat_%[1]s" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test
  model_convert_pipeline {
    qat_mode = %[1]q
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 2
    batch_size = 50
    optimizer "SGD" { lr = %g }
  }
  callback "Validation" { interval = 2 }
}
stage "int8_%[1]s" {
  model        = model.net
  val_data     = dataset.test
  proof_images = "all"
  model_convert_pipeline {
    qat_mode = %[1]q
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat_%[1]s.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}
`, mode, n.lr/10)
	}
	return b.String()
}

// TestTrainedNetsAreExact trains nets on MNIST and counts, on test images, the
// integers of the whole net that the conversion changes, in each mode, and those that the
// absorption of every BN changes under reverse fold: none. The accuracies of a mode's two
// stages are the same number.
func TestTrainedNetsAreExact(t *testing.T) {
	data := filepath.Join(longShared(t), "data", "mnist")
	for _, net := range exactNets() {
		t.Run(net.name, func(t *testing.T) {
			dir := t.TempDir()
			file, out := filepath.Join(dir, "exact.hcl"), filepath.Join(dir, "run")
			if err := os.WriteFile(file, []byte(exactPipeline(net)), 0o600); err != nil {
				t.Fatal(err)
			}
			if code := run(t, "run", "-out", out, "-var", "data_dir="+data, file); code != 0 {
				t.Fatalf("exit code %d", code)
			}
			m, err := runs.ReadManifest(out)
			if err != nil {
				t.Fatal(err)
			}
			for _, mode := range []string{"fuse_bn", "with_bn", "with_bn_reverse_fold"} {
				int8 := m.Stage("int8_" + mode)
				qat, accuracy, p := m.Stage("qat_" + mode).Metrics["accuracy"], int8.Metrics["accuracy"], int8.Proof
				t.Logf("%s, %s: accuracy %.4f trained, %.4f in int8; %d of %d integers changed at %d nodes, %d images", net.name, mode, qat, accuracy, p.Changed, p.Total, len(p.Nodes), p.Images)
				if p.Changed != 0 || p.Images != net.tests || p.Total < net.tests*100 || accuracy != qat {
					t.Error("not exact")
				}
			}
			absorbedIsExact(t, filepath.Join(out, "qat_with_bn_reverse_fold", "last.safetensors"), data, net.tests)
		})
	}
}

// absorbedIsExact absorbs every BN of a checkpoint's model and compares the evaluation
// before and after.
func absorbedIsExact(t *testing.T, path, data string, tests int) {
	t.Helper()
	set, err := sets.ByName("")
	must(t, err)
	pool := engine.NewWorkers(2)
	defer pool.Close()
	const batch = 50
	var nodes []string
	open := func(absorb bool) *engine.Net {
		snap, err := artifact.Read(path)
		must(t, err)
		g, err := checkpoint.Restore(snap, false)
		must(t, err)
		nodes = nil
		for _, m := range g.Modules() {
			nodes = append(nodes, m.Name)
			if absorb && m.BN != "" {
				must(t, g.Absorb(m.Name, false))
			}
		}
		net, err := engine.Compile(g, batch, false, set, pool)
		must(t, err)
		net.Keep()
		return net
	}
	before, after := open(false), open(true)
	args := datasets.MNISTDefaults()
	args.Root, args.Split = data, "test"
	test, err := datasets.NewMNIST(args)
	must(t, err)
	samples, err := test.Open(os.DirFS)
	must(t, err)
	pictures := &feed.Feed{Spec: test.Spec(), Samples: samples}
	total, changed := 0, 0
	must(t, pictures.Each(tests, batch, 0, func(b *feed.Batch) error {
		before.ForwardAll(b.Inputs(), len(b.Index), engine.Eval)
		after.ForwardAll(b.Inputs(), len(b.Index), engine.Eval)
		for _, node := range nodes {
			p, ok := before.Codes(node)
			q, _ := after.Codes(node)
			if !ok { // float32
				x, _, _, _ := before.Output(node)
				y, _, _, _ := after.Output(node)
				p, q = make([]int8, len(x)), make([]int8, len(x))
				for i, v := range x {
					if v != y[i] {
						q[i] = 1
					}
				}
			}
			total += len(p)
			for i, c := range p {
				if c != q[i] {
					changed++
				}
			}
		}
		return nil
	}))
	t.Logf("every BN absorbed under reverse fold: %d of %d integers changed", changed, total)
	if changed != 0 || total < tests*100 {
		t.Error("absorption is not exact")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
