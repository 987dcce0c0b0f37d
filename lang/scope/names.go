package scope

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// Name is something that a reference can name.
type Name struct {
	Kind, Name string    // "dataset" and "train"
	Where      hcl.Range // of its definition
	Address    string
	Block      *config.Block // nil for a local
	Bad        bool          // a mistake in it has been reported
	Used       bool

	expr  hcl.Expression // of a local
	value cty.Value      // of a variable or local
	refs  []program.Ref  // of a local: the stages that it needs, also through others
	state int            // of a local: 0 untouched, 1 being evaluated, 2 done
}

// Word is what a person calls it.
func (n *Name) Word() string {
	if n.Block == nil {
		return "local value"
	}
	return n.Block.Keyword
}

// Declare collects the names of all blocks: each must be an identifier, and
// unique among its kind.
func (s *Scope) Declare(cfg *config.Pipeline) {
	for _, set := range []struct {
		kind   string
		blocks []*config.Block
	}{
		{"var", cfg.Variables},
		{"dataset", cfg.Datasets},
		{"model", cfg.Models},
		{"qconfig", cfg.QConfigs},
		{"stage", cfg.Stages},
		{"output", cfg.Outputs},
		{"network", cfg.Networks},
	} {
		s.names[set.kind] = map[string]*Name{}
		for _, b := range set.blocks {
			s.define(&Name{Kind: set.kind, Name: b.Name, Where: b.NameRange, Address: b.Address(), Block: b})
		}
	}
	s.names["local"] = map[string]*Name{}
	for _, b := range cfg.Locals {
		s.declareLocals(b)
	}
}

func (s *Scope) define(n *Name) {
	if n.Kind != "local" && !hclsyntax.ValidIdentifier(n.Name) {
		s.Errorf(diag.BadLabel, At{Address: n.Address, Subject: syntax.Range(n.Where)},
			"A name has letters, digits, _ and -, and begins with a letter: it is used in references.", "%q is not a name", n.Name)
	}
	if n.Kind == "stage" && hclsyntax.ValidIdentifier(n.Name) {
		s.stageName(n)
	}
	first, taken := s.names[n.Kind][n.Name]
	if !taken {
		s.names[n.Kind][n.Name] = n
		return
	}
	word := n.Kind
	if n.Block != nil {
		word = n.Block.Keyword
	}
	d := s.Errorf(diag.DuplicateName, At{Address: n.Address, Subject: syntax.Range(n.Where)},
		"Rename one of the two; names are unique among the blocks of a kind.", "a second %s is named %q", word, n.Name)
	d.Related = []diag.Related{{Message: "the first is here", Range: syntax.Range(first.Where)}}
}

// stageName checks that the stage can have a folder of its name, of its own on every system.
func (s *Scope) stageName(n *Name) {
	where := At{Address: n.Address, Subject: syntax.Range(n.Where)}
	if err := program.StageName(n.Name); err != nil {
		s.Errorf(diag.BadLabel, where, "Rename the stage.", "%v", err)
	}
	folder := strings.ToLower(n.Name)
	if other := s.folders[folder]; other != nil && other.Name != n.Name {
		d := s.Errorf(diag.DuplicateName, where, "Rename one of the two: on some systems their folders would be one.", "the stages %q and %q differ in case alone", other.Name, n.Name)
		d.Related = []diag.Related{{Message: "the other is here", Range: syntax.Range(other.Where)}}
	}
	s.folders[folder] = n
}

func (s *Scope) declareLocals(b *config.Block) {
	inside, list := config.Inside[config.Locals](b, nil)
	s.Add("locals", list)
	for _, attr := range SortedAttrs(inside.Values) {
		s.define(&Name{Kind: "local", Name: attr.Name, Where: attr.NameRange, Address: "local." + attr.Name, expr: attr.Expr})
	}
}

// SortedAttrs returns attributes in the order of the text.
func SortedAttrs(attrs hcl.Attributes) []*hcl.Attribute {
	return slices.SortedFunc(maps.Values(attrs), func(a, b *hcl.Attribute) int {
		return a.NameRange.Start.Byte - b.NameRange.Start.Byte
	})
}

// Lookup returns what a kind has under a name, nil for nothing.
func (s *Scope) Lookup(kind, id string) *Name { return s.names[kind][id] }

// First is the first name of a kind, or else the word.
func (s *Scope) First(kind, word string) string {
	if names := s.Known(kind); len(names) > 0 {
		return names[0]
	}
	return word
}

// Known lists the names of a kind, sorted.
func (s *Scope) Known(kind string) []string {
	if len(s.sorted[kind]) != len(s.names[kind]) {
		if s.sorted == nil {
			s.sorted = map[string][]string{}
		}
		s.sorted[kind] = slices.Sorted(maps.Keys(s.names[kind]))
	}
	return s.sorted[kind]
}

// maxHints bounds the work of looking for names that are near to unknown ones: where
// thousands are unknown nobody reads what each was meant to be.
const maxHints = 4_000_000

// suggest words the way out for a name that is not there.
func (s *Scope) suggest(kind, missing string) string {
	plural := map[string]string{
		"var": "variables", "local": "local values", "dataset": "datasets", "model": "models", "qconfig": "qconfigs", "stage": "stages",
	}[kind]
	names := s.Known(kind)
	if s.hints -= diag.NearestCost(missing, names); s.hints < 0 {
		return "The text has too many unknown names to look for what each was meant to be."
	}
	if len(names) > 0 {
		return diag.DidYouMean(missing, names, plural)
	}
	keyword := map[string]string{
		"var": `variable "%s" {}`, "local": "locals { %s = … }", "dataset": `dataset "Type" "%s" {}`, "model": `model "Type" "%s" {}`,
		"qconfig": `qconfig "%s" {}`, "stage": `stage "%s" {}`,
	}[kind]
	return "There are no " + plural + ". Declare it: " + fmt.Sprintf(keyword, missing) + "."
}
