package check

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/notation"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// settings decodes the qpipe block and checks the program's version.
func (c *checker) settings() {
	for i, b := range c.cfg.Settings {
		if i > 0 {
			d := c.Errorf(diag.DuplicateBlock, scope.At{Address: "qpipe", Subject: syntax.Range(b.Header)}, "Merge the two.", "a second qpipe block")
			d.Meant = "qpipe"
			d.Related = []diag.Related{{Message: "the first is here", Range: syntax.Range(c.cfg.Settings[0].Header)}}
			continue
		}
		inside, list := config.Inside[config.Settings](b, nil)
		c.Add("qpipe", list)
		s := &c.prog.Settings
		s.Origin = c.origin("qpipe", b.Header)
		record(&s.Origin, inside.RequiredVersion, inside.Seed, inside.Threads)
		if text := ""; c.Get("qpipe", inside.RequiredVersion, &text) && inside.RequiredVersion != nil {
			s.RequiredVersion = text
			c.version(text, inside.RequiredVersion)
		}
		c.Get("qpipe", inside.Seed, &s.Seed)
		if !c.Get("qpipe", inside.Threads, &s.Threads) {
			continue
		}
		switch p := (scope.At{Address: "qpipe", Subject: s.Origin.At("threads")}); {
		case s.Threads < 0:
			c.Errorf(diag.BadValue, p, "0 takes all cores.", "threads must not be negative")
		case s.Threads > program.MostThreads:
			c.Errorf(diag.BadValue, p, "0 takes all cores.", "threads must be at most %d, and is %d", program.MostThreads, s.Threads)
		}
	}
}

func (c *checker) version(text string, a *hcl.Attribute) {
	want, err := notation.VersionConstraint(text)
	if err != nil {
		c.notation(diag.BadVersionRange, "qpipe", a.Expr, err)
		return
	}
	if ok, _ := want.Allows(c.opt.Version); !ok {
		c.Errorf(diag.VersionMismatch, scope.At{Address: "qpipe", Subject: syntax.Range(a.Expr.Range())},
			"Install a version that fits, or change required_version.", "this is qpipe %s, and the pipeline needs %s", c.opt.Version, text)
	}
}

// notation reports a mistake in a one-line notation at its place in the literal.
func (c *checker) notation(code diag.Code, address string, expr hcl.Expression, err *notation.Error) {
	c.Errorf(code, scope.At{Address: address, Subject: c.inLiteral(expr.Range(), err)}, err.Help, "%s", err.Message)
}

// inLiteral narrows the range of a string literal to a place in its text. Where
// the text is not written out in one piece it is the whole range.
func (c *checker) inLiteral(r hcl.Range, err *notation.Error) diag.Range {
	out := syntax.Range(r)
	src := c.files.Source(r.Filename)
	if r.End.Byte > len(src) || r.Start.Byte >= r.End.Byte {
		return out
	}
	raw := string(src[r.Start.Byte:r.End.Byte])
	if len(raw) < 2 || raw[0] != '"' || strings.ContainsAny(raw, "\\$%\n") || err.Offset+err.Length > len(raw)-2 {
		return out
	}
	for _, ch := range []byte(raw) {
		if ch >= 0x80 {
			return out // columns are characters, offsets are bytes
		}
	}
	start := 1 + err.Offset
	out.Start.Byte, out.Start.Column = out.Start.Byte+start, out.Start.Column+start
	out.End = out.Start
	n := max(err.Length, 1)
	out.End.Byte, out.End.Column = out.End.Byte+n, out.End.Column+n
	return out
}

func (c *checker) datasets() {
	for _, b := range c.cfg.Datasets {
		in, ok := inside[config.Dataset](c, b)
		d := &program.Dataset{Name: b.Name}
		d.Call = c.typed(program.DatasetKind, b, in.Rest, ok)
		d.Transforms = c.calls(program.TransformKind, in.Transforms, b.Address()+".transform")
		c.prog.Datasets = append(c.prog.Datasets, d)
		for _, t := range d.Transforms {
			c.noStages(t.Refs, t.Origin.Address)
		}
	}
	circular, large := program.Link(c.prog.Datasets)
	for _, d := range circular {
		c.Errorf(diag.LocalCycle, scope.At{Address: d.Origin.Address, Subject: d.Origin.At("datasets")},
			"Each of them needs the other's samples first. Break the circle.", "dataset.%s contains itself, directly or through others", d.Name)
	}
	for _, d := range large {
		c.Errorf(diag.WrongType, scope.At{Address: d.Origin.Address, Subject: d.Origin.At("datasets")},
			"A data set that is in it several times counts as often.", "dataset.%s is made of more than %d others", d.Name, program.MostSources)
	}
}

func (c *checker) models() {
	for _, b := range c.cfg.Models {
		in, ok := inside[config.Model](c, b)
		c.prog.Models = append(c.prog.Models, &program.Model{Call: c.typed(program.ModelKind, b, in.Rest, ok), Name: b.Name})
	}
}

// typed decodes a block of the top level that is a part. Its name is bad when
// the part is, so that nothing that refers to it is looked at further.
func (c *checker) typed(kind program.Kind, b *config.Block, rest hcl.Body, ok bool) program.Call {
	var call program.Call
	if rest != nil {
		var fine bool
		call, fine = c.call(kind, &config.Part{Type: b.Type, TypeRange: b.TypeRange, Header: b.Header, Rest: rest, Raw: b.Raw()}, b.Address())
		if fine {
			c.noStages(call.Refs, b.Address())
		}
		ok = ok && fine
	}
	if n := c.Lookup(string(kind), b.Name); n.Block == b {
		n.Bad = !ok && call.Network() == nil // a network with mistakes is built as far as it goes, to find more
	}
	return call
}

// noStages reports references to stages where a part belongs to no stage.
func (c *checker) noStages(refs []program.Ref, address string) {
	for _, r := range refs {
		c.Errorf(diag.NotKnownYet, scope.At{Address: address, Subject: r.Range},
			"Only a stage can wait for another stage.", "a dataset or model cannot depend on stage %q", r.Stage)
	}
}

// calls decodes parts of one kind; addresses count per type.
func (c *checker) calls(kind program.Kind, parts []*config.Part, prefix string) []program.Call {
	var out []program.Call
	count := map[string]int{}
	for _, p := range parts {
		call, _ := c.call(kind, p, numbered(prefix, p.Type, count))
		out = append(out, call)
	}
	return out
}

func numbered(prefix, typ string, count map[string]int) string {
	n := count[typ]
	count[typ]++
	return fmt.Sprintf("%s.%s[%d]", prefix, typ, n)
}

// inside decodes the body of a block, dynamic blocks expanded.
func inside[T any](c *checker, b *config.Block) (out *T, ok bool) {
	out = new(T)
	if !c.Resolve(b) {
		return out, false
	}
	ok = c.Expand(scope.At{Address: b.Address(), Subject: syntax.Range(b.Header)}, func(loops *config.Loops) (list diag.List) {
		out, list = config.Inside[T](b, loops)
		return list
	})
	return out, ok
}

// record notes the ranges of the attributes that are written.
func record(o *program.Origin, attrs ...*hcl.Attribute) {
	for _, a := range attrs {
		if a != nil {
			o.Attrs[a.Name], o.Names[a.Name] = syntax.Range(a.Expr.Range()), syntax.Range(a.NameRange)
		}
	}
}
