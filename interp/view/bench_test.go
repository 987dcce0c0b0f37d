package view

import "testing"

func TestRate(t *testing.T) {
	if v, of := rate(200, 4, 100); v != "50" || of != "50 %" {
		t.Errorf("%s, %s", v, of)
	}
	if v, of := rate(200, 0, 100); v != "" || of != "" {
		t.Errorf("%q, %q", v, of)
	}
	if allocations(0.004) != "0" || allocations(2.26) != "2.3" {
		t.Error("allocations")
	}
}
