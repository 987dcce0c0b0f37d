package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"qpipe/lang/diag"
)

// TestQConfigPage: what docs/qconfig.md says about a dtype and a scheme is also true with every rounding, scale rule
// and per_channel.
func TestQConfigPage(t *testing.T) {
	page, err := os.ReadFile("docs/qconfig.md")
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile("testdata/pipelines/tiny.hcl")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(activation|weight)` \\| `(\\w+)` \\| `(\\w+)` \\| (yes|no)[^|]*\\| (yes|no)[^|]*\\|").FindAllStringSubmatch(string(page), -1)
	if len(rows) != 20 {
		t.Fatalf("the page has %d rows", len(rows))
	}
	for _, r := range rows {
		block, dtype, scheme := r[1], r[2], r[3]
		for i := range 8 {
			text := fmt.Sprintf("%s {\n dtype = %q\n scheme = %q\n rounding = %q\n", block, dtype, scheme, []string{"half_even", "half_up"}[i%2])
			trains, int8 := r[4] == "yes", r[5] == "yes"
			if i/2%2 == 1 {
				text += " scale_rule = \"half_range\"\n"
				refused := scheme == "affine" && dtype != "float32"
				trains, int8 = trains && !refused, int8 && !refused
			}
			if block == "weight" {
				text += fmt.Sprintf(" per_channel = %t\n", i/4 == 1)
			}
			whole := strings.Replace(string(base), `override "head.fc"`, text+"}\noverride \"head.fc\"", 1)
			list, _ := validated(t, whole)
			fits, converts := true, true
			for _, d := range list {
				if d.Severity == diag.Error {
					fits, converts = fits && d.Code == diag.NotConvertible, false
				}
			}
			if fits != trains || converts != int8 {
				t.Errorf("%s\ntrains: %t, becomes int8: %t; the page says %t, %t", text, fits, converts, trains, int8)
			}
		}
	}
}
