package lower_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"qpipe/interp/graph"
	"qpipe/interp/parttest"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/ops/nn"
)

// TestOverridesMerge: a node has each attribute from the last override that matches it and
// writes that attribute, or else from the qconfig. The plan says from which block.
func TestOverridesMerge(t *testing.T) {
	values := map[string][]string{
		"dtype": {"int8", "int4"}, "scheme": {"symmetric", "affine"}, "rounding": {"half_even", "half_up"},
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		p, text := parttest.Flow()
		q := p.QConfigs[0]
		want := map[string]string{"dtype": "int8", "scheme": "symmetric", "rounding": "half_even", "averaging_constant": "0.01"}
		who := map[string]string{"dtype": q.Activation.Origin.Address}
		for i := range 1 + r.IntN(5) {
			address := fmt.Sprintf("qconfig.int8.override[%d].activation", i+1)
			var written []string
			o := q.Activation
			set := func(attr string, to *string) {
				if r.IntN(2) == 0 {
					*to = values[attr][r.IntN(2)]
					written = append(written, attr)
				}
			}
			set("dtype", &o.DType)
			set("scheme", &o.Scheme)
			set("rounding", &o.Rounding)
			if r.IntN(2) == 0 {
				o.Observer.Args = parttest.ObserverArgs{Constant: float64(i+1) / 10}
				written = append(written, "averaging_constant")
			}
			o.Origin = text.Origin(address, written...)
			selector := []string{"body.a", "body.*", "body.a.conv", "body.b", "head.fc"}[r.IntN(5)]
			q.Overrides = append(q.Overrides, program.Override{Selector: text.Selector(selector), Activation: &o, Origin: text.Origin(address)})
			if selector == "body.b" || selector == "head.fc" {
				continue
			}
			for _, attr := range written {
				want[attr] = map[string]string{
					"dtype": o.DType, "scheme": o.Scheme, "rounding": o.Rounding,
					"averaging_constant": fmt.Sprint(o.Observer.Args.(parttest.ObserverArgs).Constant),
				}[attr]
				who[attr] = address
			}
		}
		plan, list := lowered(t, p)
		if list.HasErrors() {
			t.Fatalf("seed %d: %s", seed, list[0].Summary)
		}
		st := plan.Stage("qat")
		nodes := st.Nodes
		at := slices.IndexFunc(nodes, func(n graph.NodeQConfig) bool { return n.Node == "body.a.conv" })
		got, by := map[string]string{}, map[string]string{}
		for _, a := range nodes[at].Activation {
			got[a.Name] = a.Value
			if a.Origin.Address != "" {
				by[a.Name] = a.Origin.Address
			}
		}
		for attr, v := range want {
			if got[attr] != v {
				t.Errorf("seed %d: %s is %s, want %s", seed, attr, got[attr], v)
			}
			if by[attr] != who[attr] {
				t.Errorf("seed %d: %s is said by %q, want %q", seed, attr, by[attr], who[attr])
			}
		}
		cfg := st.QConfig(nn.Module{Name: "body.a.conv"}).Activation
		if cfg.Spec.DType.String() != want["dtype"] || cfg.Spec.Scheme.String() != want["scheme"] || cfg.Spec.Rounding.String() != want["rounding"] || fmt.Sprint(float64(int(cfg.Observer.Averaging()*100+0.5))/100) != want["averaging_constant"] {
			t.Errorf("seed %d: the network gets %+v, want %v", seed, cfg, want)
		}
	}
}

// TestOverridesThatDoNotGoTogether: a value that does not fit those of other blocks is
// reported once, where it is written.
func TestOverridesThatDoNotGoTogether(t *testing.T) {
	override := func(text *parttest.Text, i int, of program.Quant, attr string, change func(q *program.Quant)) program.Override {
		address := fmt.Sprintf("qconfig.int8.override[%d].activation", i)
		change(&of)
		of.Origin = text.Origin(address, attr)
		return program.Override{Selector: text.Selector("body.*"), Activation: &of, Origin: text.Origin(address)}
	}
	for _, c := range []struct {
		says string
		attr [2]string
		with [2]func(q *program.Quant)
	}{
		{"", [2]string{"scheme", "dtype"}, [2]func(q *program.Quant){func(q *program.Quant) { q.Scheme = "affine" }, func(q *program.Quant) { q.DType = "uint8" }}},
		{"uint8 has no symmetric range", [2]string{"rounding", "dtype"}, [2]func(q *program.Quant){func(q *program.Quant) { q.Rounding = "half_up" }, func(q *program.Quant) { q.DType = "uint8" }}},
		{"scale_rule has no effect with a zero point", [2]string{"scheme", "scale_rule"}, [2]func(q *program.Quant){func(q *program.Quant) { q.Scheme = "affine" }, func(q *program.Quant) { q.ScaleRule = "half_range" }}},
	} {
		p, text := parttest.Flow()
		q := p.QConfigs[0]
		for i := range 2 {
			q.Overrides = append(q.Overrides, override(text, i+1, q.Activation, c.attr[i], c.with[i]))
		}
		_, list := lowered(t, p)
		if c.says == "" && len(list) > 0 || c.says != "" && (len(list) != 1 || list[0].Code != diag.BadDType || list[0].Summary != c.says || list[0].Subject != q.Overrides[2].Activation.Origin.At(c.attr[1])) {
			t.Errorf("%q: %v", c.says, list)
		}
	}
}
