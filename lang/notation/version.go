package notation

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

const versionHelp = `A version constraint is "1.2.0", ">= 1.2", "~> 1.2" (1.2 and later, below 2.0), "!= 1.3.1" or several of these with commas between.`

type constraintTree struct {
	First *boundTree   `parser:"@@"`
	Rest  []*boundTree `parser:"(',' @@)*"`
}

type boundTree struct {
	Op      string       `parser:"@('=' | '!=' | '>=' | '<=' | '>' | '<' | '~>')?"`
	Version *versionTree `parser:"@@"`
}

type versionTree struct {
	Parts []*numberTree `parser:"@@ ('.' @@)*"`
	Tag   string        `parser:"@Tag?"`
}

func versionOptions() []participle.Option {
	return []participle.Option{
		participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
			{Name: "Tag", Pattern: `[-+][A-Za-z0-9.+-]+`},
			{Name: "Int", Pattern: `[0-9]+`},
			{Name: "Op", Pattern: `!=|>=|<=|~>|[=<>]`},
			{Name: "Punct", Pattern: `[.,]`},
			{Name: "Space", Pattern: ` +`},
		})),
		participle.Elide("Space"),
	}
}

var constraintParser = sync.OnceValue(func() *participle.Parser[constraintTree] {
	return participle.MustBuild[constraintTree](versionOptions()...)
})

var versionParser = sync.OnceValue(func() *participle.Parser[versionTree] {
	return participle.MustBuild[versionTree](versionOptions()...)
})

// ConstraintEBNF returns the grammar of version constraints.
func ConstraintEBNF() string { return ebnf(constraintParser().String()) }

// Constraint is a parsed version constraint: all its bounds must hold.
type Constraint []versionBound

type versionBound struct {
	op      string
	version version
}

// version is major, minor, patch, …; as many as were written. A version with a tag such as "-rc1" comes before the
// version without it; the part after a "+" is ignored.
type version struct {
	parts []int
	tag   string
}

// VersionConstraint parses a `required_version`.
func VersionConstraint(text string) (Constraint, *Error) {
	tree, err := parse(constraintParser(), text, "version constraint", versionHelp)
	if err != nil {
		return nil, err
	}
	var out Constraint
	for _, b := range append([]*boundTree{tree.First}, tree.Rest...) {
		v, err := b.Version.version()
		if err != nil {
			return nil, err
		}
		out = append(out, versionBound{b.Op, v})
	}
	return out, nil
}

func (t *versionTree) version() (version, *Error) {
	tag, _, _ := strings.Cut(t.Tag, "+")
	v := version{tag: tag}
	for _, p := range t.Parts {
		n, err := p.value(0, versionHelp)
		if err != nil {
			return v, err
		}
		v.parts = append(v.parts, n)
	}
	return v, nil
}

// Allows reports whether the version satisfies the constraint; known is false
// when the text is not a version (a development build), which satisfies all.
func (c Constraint) Allows(text string) (ok, known bool) {
	tree, err := parse(versionParser(), strings.TrimPrefix(text, "v"), "version", versionHelp)
	if err != nil {
		return true, false
	}
	v, err := tree.version()
	if err != nil {
		return true, false
	}
	return !slices.ContainsFunc(c, func(b versionBound) bool { return !b.holds(v) }), true
}

func (b versionBound) holds(v version) bool {
	order := v.compare(b.version)
	switch b.op {
	case "!=":
		return order != 0
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case "<":
		return order < 0
	case "~>":
		return order >= 0 && v.compare(b.version.next()) < 0
	}
	return order == 0
}

func (v version) compare(w version) int {
	for i := range max(len(v.parts), len(w.parts)) {
		if c := cmp.Compare(v.part(i), w.part(i)); c != 0 {
			return c
		}
	}
	switch {
	case v.tag == w.tag:
		return 0
	case v.tag == "":
		return 1
	case w.tag == "":
		return -1
	}
	return cmp.Compare(v.tag, w.tag)
}

func (v version) part(i int) int {
	if i < len(v.parts) {
		return v.parts[i]
	}
	return 0
}

// next is the first version that "~> v" excludes: the second to last part plus one (the last one if it is the only one).
func (v version) next() version {
	i := max(len(v.parts)-2, 0)
	parts := slices.Clone(v.parts[:i+1])
	parts[i]++
	return version{parts: parts}
}
