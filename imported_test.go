package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qpipe/internal/refvec"
)

// imported is a network of the shared folder, and how it is trained.
type imported struct {
	name   string
	shape  [3]int // rows, columns, channels
	model  string // more arguments of the model
	bns    string // the convolutions whose BN is absorbed; "" where there is none
	labels int    // classes; a mask has as many
	mask   bool
	losses []string
}

// TestImported: networks of ONNX files are calibrated, trained quantized in every mode with their BNs absorbed by name, become int8 models
// with the integers of the QAT models (the run proves it), and ONNX files again.
func TestImported(t *testing.T) {
	folder := refvec.Folder(t, "onnx-models")
	for _, n := range []imported{
		{name: "mobilenetv2_tiny", shape: [3]int{32, 32, 3}, bns: `["f.0.*", "f.3.m.*"]`, labels: 10, losses: []string{""}},
		{name: "squeezenet_tiny", shape: [3]int{48, 48, 3}, model: `outputs = ["GlobalAveragePool"]`, labels: 10, losses: []string{""}},
		{name: "unet_tiny", shape: [3]int{24, 32, 3}, bns: `["e1.0", "t1", "d2.*"]`, labels: 2, mask: true, losses: []string{"output_0", "output_1"}},
	} {
		t.Run(n.name, func(t *testing.T) {
			dir, out := t.TempDir(), t.TempDir()
			n.data(t, dir)
			file := filepath.Join(dir, "x.hcl")
			must(t, os.WriteFile(file, []byte(n.pipeline(filepath.Join(folder, n.name+".onnx"))), 0o600))
			if code := run(t, "run", "-out", out, file); code != 0 {
				t.Fatalf("exit code %d", code)
			}
			written, err := filepath.Glob(filepath.Join(out, "int8_*", "model.onnx"))
			must(t, err)
			if len(written) != len(anchorModes()) {
				t.Errorf("the ONNX files are %v", written)
			}
			for stage, acc := range readAccuracies(t, out) {
				if mode, is := strings.CutPrefix(stage, "int8_"); is && acc != readAccuracies(t, out)["qat_"+mode] {
					t.Errorf("%s: accuracy %v, trained with %v", mode, acc, readAccuracies(t, out)["qat_"+mode])
				}
			}
		})
	}
}

// importedImages is how many images there are.
const importedImages = 24

// data writes images of stripes whose width is the label, or with the label as a mask.
func (n imported) data(t *testing.T, dir string) {
	t.Helper()
	h, w, c := n.shape[0], n.shape[1], n.shape[2]
	var x, y []byte
	for i := range importedImages {
		for p := range h * w {
			label := i % n.labels
			if n.mask {
				label = (p/w + i) / 6 % n.labels
				y = append(y, byte(label))
			}
			for k := range c {
				x = append(x, byte((p%w/(1+label)%2)*160+(p*p*7+p*k+i)%90))
			}
		}
		if !n.mask {
			y = append(y, byte(i%n.labels))
		}
	}
	writeNPY(t, filepath.Join(dir, "x.npy"), x, importedImages, h, w, c)
	if n.mask {
		writeNPY(t, filepath.Join(dir, "y.npy"), y, importedImages, h, w)
	} else {
		writeNPY(t, filepath.Join(dir, "y.npy"), y, importedImages)
	}
}

// writeNPY writes bytes as NumPy's format has them.
func writeNPY(t *testing.T, path string, data []byte, shape ...int) {
	t.Helper()
	head := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%s,), }", strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ", "), "[]"))
	head += strings.Repeat(" ", 63-(10+len(head))%64) + "\n"
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	must(t, binary.Write(&b, binary.LittleEndian, uint16(len(head))))
	b.WriteString(head)
	b.Write(data)
	must(t, os.WriteFile(path, b.Bytes(), 0o600))
}

// pipeline calibrates the network, and trains and converts it in each mode.
func (n imported) pipeline(path string) string {
	var b strings.Builder
	metric := "Accuracy"
	if n.mask {
		metric = "MeanIoU"
	}
	fmt.Fprintf(&b, `
dataset "NPY" "data" {
  root   = "."
  images = "x.npy"
  labels = "y.npy"
}
model "ONNX" "net" {
  path = %q
  %s
}
qconfig "int8" {}
`, path, n.model)
	var losses, metrics string
	for _, output := range n.losses {
		if output == "" {
			losses, metrics = "loss \"CrossEntropyLoss\" {}\n", "metric \"Accuracy\" {}\n"
			continue
		}
		losses += fmt.Sprintf("loss \"CrossEntropyLoss\" { output = %q }\n", output)
		metrics += fmt.Sprintf("metric %q { output = %q }\n", metric, output)
	}
	stage := func(name, converters, rest string) {
		fmt.Fprintf(&b, "stage %q {\nmodel = model.net\ntrain_data = dataset.data\nval_data = dataset.data\nmodel_convert_pipeline {\nqconfig = qconfig.int8\n%s}\nvalidation {\n%s}\n%s}\n", name, converters, metrics, rest)
	}
	for _, mode := range anchorModes() {
		form := fmt.Sprintf("qat_mode = %q\nconverter \"Float2QAT\" {}\n", mode)
		load := func(stage string) string {
			return fmt.Sprintf("converter \"LoadCheckpoint\" { checkpoint_path = stage.%s_%s.checkpoint.last }\n", stage, mode)
		}
		stage("calibration_"+mode, fmt.Sprintf("qat_mode = %q\nconverter \"Float2Calibration\" {}\n", mode), "calibrator {\nnum_steps = 2\nbatch_size = 8\n}\n")
		fuse := ""
		if mode != "fuse_bn" && n.bns != "" {
			fuse = fmt.Sprintf("callback \"FuseBN\" {\nwhen = \"step 2\"\nmodules = %s\nweight_scale = \"recompute\"\n}\n", n.bns)
		}
		stage("qat_"+mode, form+load("calibration"), "trainer {\nnum_steps = 4\nbatch_size = 8\noptimizer \"SGD\" { lr = 0.001 }\n"+losses+"}\n"+fuse)
		stage("int8_"+mode, form+load("qat")+"converter \"QAT2Quantize\" {}\n", "export \"ONNX\" {}\n")
	}
	return b.String()
}
