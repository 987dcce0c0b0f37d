package infer_test

import (
	"fmt"
	"log"

	"qpipe/infer"
)

// A model that a pipeline has trained says what a picture shows.
func Example() {
	model, err := infer.Load("../testdata/formats/manifest-2/complete/int_infer/int8.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	session, err := model.NewSession(infer.Options{Batch: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()

	in, out := model.Inputs()[0], model.Outputs()[0]
	pixels := make([]uint8, in.Height*in.Width*in.Channels)
	for i := range pixels { // a ring
		y, x := float64(i/in.Width)-13.5, float64(i%in.Width)-13.5
		if r := y*y/64 + x*x/36; r > 0.6 && r < 1.4 {
			pixels[i] = 255
		}
	}
	values, err := session.RunPixels(pixels)
	if err != nil {
		log.Fatal(err)
	}
	best := 0
	for class, v := range values[0] {
		if v > values[0][best] {
			best = class
		}
	}
	fmt.Println(out.Classes[best])
	// Output: 0
}
