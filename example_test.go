package main_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"qpipe/interp/cli"
	"qpipe/interp/part"
	"qpipe/stdlib"
)

// AnnounceArgs are the arguments of the callback Announce.
type AnnounceArgs struct {
	Greeting string `arg:"greeting,optional" doc:"The first word of the line."`
}

// announce prints a line after every epoch.
type announce struct{ AnnounceArgs }

func newAnnounce(a AnnounceArgs) (part.Callback, error) { return announce{a}, nil }

// EpochEnd implements part.EpochEnder.
func (a announce) EpochEnd(s *part.State) error {
	fmt.Printf("%s: %s has completed epoch %d, step %d\n", a.Greeting, s.Stage, s.Epoch, s.Step)
	return nil
}

const announced = `
dataset "Glyphs" "train" {
  num_samples = 64
  classes     = "01"
}

model "LeNet" "net" {
  num_classes = 2
  width       = 2
}

stage "float" {
  model      = model.net
  train_data = dataset.train

  trainer {
    num_epochs = 2
    batch_size = 16
    optimizer "SGD" { lr = 0.01 }
  }
  callback "Announce" { greeting = "hello" }
}
`

// Your own program adds a part by appending a row to the table, and otherwise has all of qpipe.
func Example() {
	dir, err := os.MkdirTemp("", "announce")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	pipeline := filepath.Join(dir, "announced.hcl")
	if err := os.WriteFile(pipeline, []byte(announced), 0o644); err != nil {
		fmt.Println(err)
		return
	}

	catalog := append(stdlib.Catalog(), part.CallbackPart("Announce", "Prints a line after every epoch.",
		AnnounceArgs{Greeting: "hi"}, part.NotTaken, part.NotTaken, newAnnounce))

	streams := cli.Streams{Out: io.Discard, Err: os.Stdout}
	code := cli.Main([]string{"run", "-out", filepath.Join(dir, "run"), pipeline}, streams, catalog)
	fmt.Println("exit code", code)

	// Output:
	// hello: float has completed epoch 1, step 4
	// hello: float has completed epoch 2, step 8
	// exit code 0
}
