package manual

import (
	"fmt"
	"strings"

	"qpipe/interp/lower"
	"qpipe/interp/reference"
	"qpipe/lang/check"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
	"qpipe/ops/quant"
)

const qconfigHead = `# The qconfig

This page is generated from the table of attributes that ` + "`qpipe validate`" + ` uses, and by validating examples.

A qconfig says how every node of a network is quantized. A node is a convolution or linear layer with the BN, the addition and
the activation after it, or a separate addition, pooling, concatenation or BN. The network's input is a node too, with
the name ` + "`input`" + `. ` + "`activation {}`" + ` applies to a node's output, ` + "`weight {}`" + ` to the weight of a convolution or linear layer. Max
pooling, flatten, separate activations and ops that only move values pass on the codes that they get, and have no quantization
of their own.

` + "```hcl\n" + qconfigExample + "```" + `

A missing block or attribute has its default. ` + "`target`" + ` is described [below](#targets). ` + "`override \"selector\" {}`" + ` ([language.md](language.md)) changes, for the nodes that it
selects, the attributes that it contains, and leaves the others unchanged. If several overrides select a node, the last one wins for each
attribute. A different observer starts with its own defaults. ` + "`qpipe plan`" + ` shows the settings of every node, and which block they come from.
[numerics.md](numerics.md) has the formulas.

## Attributes

`

const qconfigExample = `qconfig "mixed" {
  activation {
    observer           = "percentile"
    percentile         = 99.9
    averaging_constant = 0.05
  }
  weight {
    dtype = "int4"
  }
  override "head.fc" {
    activation { dtype = "float32" } # high-precision output
    weight { dtype = "int8" }
  }
}
`

// qconfigPage writes docs/qconfig.md.
func (m Manual) qconfigPage() (string, error) {
	var b strings.Builder
	b.WriteString(qconfigHead)
	b.WriteString("| attribute | values | default in `activation` | in `weight` | meaning |\n|---|---|---|---|---|\n")
	for _, q := range program.QuantAttributes() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", q.Name, m.quantValues(q), asWritten(q, q.Activation), asWritten(q, q.Weight), q.Doc)
	}
	codeSpans(&b)
	m.observers(&b)
	if err := m.combinations(&b); err != nil {
		return "", err
	}
	targets(&b)
	return b.String(), nil
}

// quantValues lists an attribute's values as they are written.
func (m Manual) quantValues(q program.QuantAttribute) string {
	words := q.Words
	switch {
	case q.Name == "observer":
		words = m.Catalog.Names(program.ObserverKind)
	case words == nil:
		return "`true`, `false`"
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("`%q`", w)
	}
	return strings.Join(quoted, ", ")
}

func asWritten(q program.QuantAttribute, value string) string {
	switch {
	case value == "":
		return "not taken"
	case q.Words == nil && q.Name != "observer":
		return "`" + value + "`"
	}
	return fmt.Sprintf("`%q`", value)
}

// codeSpans writes the table of the types' codes.
func codeSpans(b *strings.Builder) {
	b.WriteString("\nThe codes of each type. A symmetric weight with `scale_rule = \"max\"` does not use the smallest code, so that the negative of every code is a code too.\n\n")
	b.WriteString("| dtype | activation | weight | weight, `half_range` |\n|---|---|---|---|\n")
	for _, d := range []quant.DType{quant.Int4, quant.Int8, quant.Int16, quant.UInt8} {
		span := func(narrow bool) string {
			lo, hi := quant.Spec{DType: d, Narrow: narrow}.Limits()
			return fmt.Sprintf("%d to %d", lo, hi)
		}
		weight, wide := span(true), span(false)
		if d == quant.Int16 || d == quant.UInt8 {
			weight, wide = "not taken", "not taken"
		}
		fmt.Fprintf(b, "| `%v` | %s | %s | %s |\n", d, span(false), weight, wide)
	}
}

// observers lists the observers.
func (m Manual) observers(b *strings.Builder) {
	b.WriteString("\n## Observers\n\nOnly `activation {}` takes an observer. At every step the scale of a weight follows from its current values, as with `min_max`, which may be written there. The arguments are in [reference.md](reference.md#observers), the formulas in [numerics.md](numerics.md#observers).\n\n| observer | |\n|---|---|\n")
	for _, d := range reference.Of(m.Catalog) {
		if d.Kind == program.ObserverKind {
			fmt.Fprintf(b, "| `%s` | %s |\n", d.Name, d.Doc)
		}
	}
}

// combinations writes which combinations are allowed, by validating a small network with each.
func (m Manual) combinations(b *strings.Builder) error {
	if v := m.judge(strings.Replace(qconfigExample, "mixed", "int8", 1)); v.trains != "" {
		return fmt.Errorf("the example of the page: %s", v.trains)
	}
	b.WriteString("\n## Allowed combinations\n\nThe table shows whether a stage may train with a setting, and whether `QAT2Quantize` can then convert the model to int8: if all nodes have the setting, if a layer in the middle has it, and if only the network's last layer has it.\n\n")
	b.WriteString("| block | dtype | scheme | trains | becomes int8 | a layer in the middle | only the last layer |\n|---|---|---|---|---|---|---|\n")
	for _, block := range []string{"activation", "weight"} {
		for _, dtype := range program.QuantAttributes()[0].Words {
			for _, scheme := range program.QuantAttributes()[1].Words {
				inside := fmt.Sprintf("%s {\n dtype = %q\n scheme = %q\n}", block, dtype, scheme)
				all := m.judge("qconfig \"int8\" {\n" + inside + "\n}\n")
				of := func(node string) verdict {
					return m.judge(fmt.Sprintf("qconfig \"int8\" {\n override %q {\n%s\n}\n}\n", node, inside))
				}
				middle, last := of("backbone.conv2"), of("head.fc")
				row := []string{yes(all.trains), all.becomes(), middle.becomes(), last.becomes()}
				if all.trains != "" || last.trains != "" {
					row = append(row[:1], "no", "no", "no")
				}
				fmt.Fprintf(b, "| `%s` | `%s` | `%s` | %s |\n", block, dtype, scheme, strings.Join(row, " | "))
			}
		}
	}
	half := m.judge("qconfig \"int8\" {\n activation {\n scheme = \"affine\"\n scale_rule = \"half_range\"\n}\n}\n")
	fmt.Fprintf(b, "\nEvery row allows both values of `rounding`, and those of weights both values of `per_channel`. `scale_rule = \"half_range\"` requires `scheme = \"symmetric\"`: %s.\n", half.trains)
	b.WriteString(islandsText)
	return nil
}

const islandsText = `
## Float islands

A node with a float32 weight, or with an operand that is float32, stays float32 in the int8 model: it is a float island. Its values are
those of the QAT model's evaluation, bit for bit on the same machine, and so are the integers that it is quantized to at its end. A
float32 output of a node with integer operands is computed out of integers; what reads it is an island. ` + "`qpipe validate`" + ` names all of them, with the reason (QP343), but
for the usual case of a network whose output is float32; ` + "`qpipe plan -nodes`" + ` and ` + "`qpipe show`" + ` list them.

Float32 sums are rounded, in an order that depends on the kernel set (` + "`qpipe version`" + `). So behind an island another kind of processor may compute a
code that is one larger or smaller, where a value lies next to the border between two codes. A model without islands has the same integers everywhere.

Where an island is meant, a network says so with ` + "`layer \"DeQuantStub\"`" + ` and ` + "`layer \"QuantStub\"`" + ` ([networks.md](networks.md#float-islands)): what lies
between them is float32 unless an ` + "`override`" + ` that selects it writes a ` + "`dtype`" + `, and ` + "`qpipe validate`" + ` does not name it.
`

// verdict is why a stage may not train with a qconfig, and why the trained model cannot be converted to int8, both empty if
// nothing is wrong; and whether the int8 model has float islands.
type verdict struct {
	trains, int8 string
	islands      bool
}

func (v verdict) becomes() string {
	if v.int8 == "" && v.islands {
		return "yes, as a float island"
	}
	return yes(v.int8)
}

func yes(reason string) string {
	if reason == "" {
		return "yes"
	}
	return "no: " + reason
}

const judged = `
dataset "Glyphs" "d" {}
model "LeNet" "net" {}
stage "qat" {
  model      = model.net
  train_data = dataset.d
  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 1
    batch_size = 64
    optimizer "SGD" { lr = 0.01 }
  }
}
stage "int8" {
  model    = model.net
  val_data = dataset.d
  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}
`

// judge validates a qconfig.
func (m Manual) judge(qconfig string) (v verdict) {
	files, list := syntax.ParseSource("qconfig.hcl", []byte(qconfig+judged))
	p, more := check.Check(files, check.Options{Signatures: m.Catalog})
	list = append(list, more...)
	if p != nil {
		plan, more := lower.Lower(p, m.Catalog)
		list = append(list, more...)
		for _, s := range plan.Stages {
			v.islands = v.islands || s.Before != nil && len(s.Before.Islands()) > 0
		}
	}
	for _, d := range list {
		_, why, ok := strings.Cut(d.Summary, "cannot become int8: ")
		switch {
		case d.Severity != diag.Error:
		case !ok && v.trains == "":
			v.trains = d.Summary
		case ok && v.int8 == "":
			v.int8 = why
		}
	}
	return v
}
