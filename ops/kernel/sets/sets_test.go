package sets_test

import (
	"strings"
	"testing"

	"qpipe/ops/kernel/sets"
)

func TestByName(t *testing.T) {
	for _, name := range sets.Names() {
		if s, err := sets.ByName(name); err != nil || s.Name != name {
			t.Errorf("ByName(%q) = %q, %v", name, s.Name, err)
		}
	}
	if s, err := sets.ByName(""); err != nil || s.Name != sets.Default {
		t.Errorf(`ByName("") = %q, %v`, s.Name, err)
	}
	_, err := sets.ByName("turbo")
	for _, name := range sets.Names() {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error %v does not name %s", err, name)
		}
	}
}
