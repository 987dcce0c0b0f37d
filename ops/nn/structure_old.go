package nn

import (
	"encoding/json"

	"qpipe/ops/convbn"
	"qpipe/ops/kernel"
	"qpipe/ops/layer"
	"qpipe/ops/op"
	"qpipe/ops/quant"
	"qpipe/ops/tensor"
)

// graphJSON1 is the structure's version 1, which had the names and numbers of Go values.
type graphJSON1 struct {
	Form     Form
	Mode     Mode `json:"qat_mode"`
	Output   string
	Absorbed []Absorbed
	Nodes    []nodeJSON1
}

type nodeJSON1 struct {
	Name, Op        string
	Members, Inputs []string
	Out             tensor.Shape
	Act             kernel.Act
	BN              json.RawMessage
	Pool            *kernel.Pool
	Activation      *quant.Spec
	Conv            *struct {
		kernel.Conv
		Add, Bias, Frozen bool
		Weight            quant.Spec
	}
}

// decodeStructure1 reads version 1 as if it had been written today.
func decodeStructure1(structure []byte) (graphJSON, error) {
	var old graphJSON1
	if err := json.Unmarshal(structure, &old); err != nil {
		return graphJSON{}, err
	}
	j := graphJSON{Version: structureVersion, Form: old.Form, Mode: old.Mode, Output: old.Output, Absorbed: old.Absorbed}
	for _, o := range old.Nodes {
		n := nodeJSON{nodeHead: nodeHead{Name: o.Name, Op: o.Op, Members: o.Members, Inputs: o.Inputs, Shape: layer.ExtentsOf(o.Out)}}
		n.Quant, n.fields = o.Activation, layer.Fields{"bn": o.BN}
		if o.Act != kernel.None {
			n.Act = [...]string{"", "relu", "relu6", "unknown"}[min(o.Act, 3)]
		}
		body := layer.Body(nil)
		if c := o.Conv; c != nil {
			body = &convbn.Node{Geom: c.Conv, Add: c.Add, Bias: c.Bias, Frozen: c.Frozen, Weight: c.Weight}
		} else if o.Pool != nil {
			body = op.NewPool(*o.Pool)
		}
		if body != nil {
			for _, a := range body.Attrs() {
				data, err := json.Marshal(a.Value)
				if err != nil {
					return j, err
				}
				n.fields[a.Key] = data
			}
		}
		j.Nodes = append(j.Nodes, n)
	}
	return j, nil
}
