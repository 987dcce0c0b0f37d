package sets

import (
	"strings"
	"testing"

	"qpipe/ops/kernel/ref"
)

func TestByName(t *testing.T) {
	names := Names()
	if len(names) < 2 || names[0] != "ref" || names[1] != "portable" {
		t.Errorf("the sets are %v", names)
	}
	for _, name := range names {
		if s, err := ByName(name); err != nil || s.Name != name {
			t.Errorf("ByName(%q) = %v, %v", name, s, err)
		}
	}
	if s, err := ByName(""); err != nil || s.Name != names[len(names)-1] {
		t.Errorf(`ByName("") = %v, %v`, s, err)
	}
	_, err := ByName("turbo")
	for _, name := range names {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error %v does not name %s", err, name)
		}
	}
}

// TestMissing: a set that the machine cannot run is not chosen, and says why.
func TestMissing(t *testing.T) {
	rows := []row{{"ref", "", ref.Set}, {"wide", "VECTORS, MASKS", nil}}
	_, err := find(rows, "wide")
	if want := `the kernel set "wide" needs what this processor lacks: VECTORS, MASKS; here are ref`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err = find(rows, "turbo"); err == nil || strings.Contains(err.Error(), "wide") {
		t.Errorf("%v names a set that does not run here", err)
	}
}
