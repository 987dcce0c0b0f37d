package syntax

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"pgregory.net/rapid"
)

// evaluated is the value of an expression as a pipeline has it.
func evaluated(t interface{ Fatal(...any) }, text string) string {
	e, diags := hclsyntax.ParseExpression([]byte(text), "x", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	meter(e)
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		return "error"
	}
	if v.Type().FriendlyName() == "bool" {
		return fmt.Sprint(v.True())
	}
	return v.AsBigFloat().Text('g', 20)
}

// TestDecimals: what is equal by arithmetic compares as equal, and so does what is
// a difference, a product or a share of decimals.
func TestDecimals(t *testing.T) {
	for text, want := range map[string]string{
		"0.83 - 0.82 <= 0.01": "true", "0.97 - 0.96 <= 0.01": "true", "0.82 >= 0.83 - 0.01": "true",
		"0.1 + 0.2 == 0.3": "true", "0.1 * 3 == 0.3": "true", "0.3 / 0.1 == 3": "true", "0.83 - 0.82 - 0.01 == 0": "true",
		"0.3 % 0.1 == 0": "true", "-7.5 % 2 == -1.5": "true", "1 / 3 * 3 <= 1": "true", "(0.83 - 0.82) * 100 < 1": "false",
		"1 / 0": "+Inf", "1e-300 * 1e-300 > 0": "true", "1e300 + 1 == 1e300 + 1": "true", "2 - 3": "-1", "1 / 3 == 1 / 3": "true",
	} {
		if got := evaluated(t, text); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// TestDecimalsAreExact: any sum, difference and product of decimals is the decimal
// that rational numbers have.
func TestDecimalsAreExact(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		draw := func(name string) string {
			return fmt.Sprintf("%d.%0*d", rapid.IntRange(-999, 999).Draw(r, name), rapid.IntRange(1, 9).Draw(r, name+" digits"), rapid.IntRange(0, 9).Draw(r, name+" part"))
		}
		a, b := draw("a"), draw("b")
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		for op, z := range map[string]*big.Rat{"+": new(big.Rat).Add(x, y), "-": new(big.Rat).Sub(x, y), "*": new(big.Rat).Mul(x, y)} {
			n, _ := z.FloatPrec()
			text := fmt.Sprintf("(%s) %s (%s) == %s", a, op, b, z.FloatString(n))
			if got := evaluated(r, text); got != "true" {
				r.Fatalf("%s is %s", text, got)
			}
		}
	})
}
