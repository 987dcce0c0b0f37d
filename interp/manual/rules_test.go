package manual

import (
	"regexp"
	"strings"
	"testing"

	"qpipe/lang/diag"
)

// TestRules: every row of the tables of rules says what it finds and why, and no code or name is taken twice by mistake.
func TestRules(t *testing.T) {
	names, plain := map[string]bool{}, map[diag.Code]bool{}
	for _, m := range diag.Meanings() {
		if plain[m.Code] {
			t.Errorf("%s has two meanings", m.Code)
		}
		plain[m.Code] = true
	}
	meaning := map[diag.Code]string{}
	for _, m := range diag.Meanings(rules()...) {
		meaning[m.Code] = m.Text
	}
	for _, r := range rules() {
		if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(r.Name) || names[r.Name] {
			t.Errorf("%q is not a name of its own", r.Name)
		}
		names[r.Name] = true
		if r.Summary == "" || strings.HasSuffix(r.Summary, ".") || strings.HasPrefix(r.Summary, "warning") {
			t.Errorf("%s: the summary %q is no clause", r.Name, r.Summary)
		}
		if r.Doc == "" || !strings.HasSuffix(r.Doc, ".") {
			t.Errorf("%s: the doc %q is no sentence", r.Name, r.Doc)
		}
		if !regexp.MustCompile(`^QP[2-4]\d\d$`).MatchString(string(r.Code)) || meaning[r.Code] == "" {
			t.Errorf("%s: the code %q has no meaning", r.Name, r.Code)
		}
	}
}
