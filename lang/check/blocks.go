package check

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/notation"
	"qpipe/lang/program"
	"qpipe/lang/syntax"
)

// settings decodes the qpipe block and checks the program's version.
func (c *checker) settings() {
	for i, b := range c.cfg.Settings {
		if i > 0 {
			d := c.errorf(diag.DuplicateBlock, at{address: "qpipe", subject: syntax.Range(b.Header)}, "Merge the two.", "a second qpipe block")
			d.Meant = "qpipe"
			d.Related = []diag.Related{{Message: "the first is here", Range: syntax.Range(c.cfg.Settings[0].Header)}}
			continue
		}
		inside, list := config.Inside[config.Settings](b, nil)
		c.add("qpipe", list)
		s := &c.prog.Settings
		s.Origin = c.origin("qpipe", b.Header)
		record(&s.Origin, inside.RequiredVersion, inside.Seed, inside.Threads)
		if text := ""; c.get("qpipe", inside.RequiredVersion, &text) && inside.RequiredVersion != nil {
			s.RequiredVersion = text
			c.version(text, inside.RequiredVersion)
		}
		c.get("qpipe", inside.Seed, &s.Seed)
		if !c.get("qpipe", inside.Threads, &s.Threads) {
			continue
		}
		switch p := (at{address: "qpipe", subject: s.Origin.At("threads")}); {
		case s.Threads < 0:
			c.errorf(diag.BadValue, p, "0 takes all cores.", "threads must not be negative")
		case s.Threads > program.MostThreads:
			c.errorf(diag.BadValue, p, "0 takes all cores.", "threads must be at most %d, and is %d", program.MostThreads, s.Threads)
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
		c.errorf(diag.VersionMismatch, at{address: "qpipe", subject: syntax.Range(a.Expr.Range())},
			"Install a version that fits, or change required_version.", "this is qpipe %s, and the pipeline needs %s", c.opt.Version, text)
	}
}

// record notes the ranges of the attributes that are written.
func record(o *program.Origin, attrs ...*hcl.Attribute) {
	for _, a := range attrs {
		if a != nil {
			o.Attrs[a.Name], o.Names[a.Name] = syntax.Range(a.Expr.Range()), syntax.Range(a.NameRange)
		}
	}
}

// notation reports a mistake in a one-line notation at its place in the literal.
func (c *checker) notation(code diag.Code, address string, expr hcl.Expression, err *notation.Error) {
	c.errorf(code, at{address: address, subject: c.inLiteral(expr.Range(), err)}, err.Help, "%s", err.Message)
}

// inLiteral narrows the range of a string literal to a place in its text. Where
// the text is not written out in one piece the whole range stands.
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

// inside decodes the body of a block, dynamic blocks expanded.
func inside[T any](c *checker, b *config.Block) (*T, bool) {
	ok := c.loops(b)
	if !ok {
		return new(T), false
	}
	c.budget.Refill()
	out, list := decodeGuarded[T](b, &config.Loops{Context: c.context, Check: c.checkLoop})
	if c.budget.Overdrawn() && !c.spent && c.overdrawn(at{address: b.Address(), subject: syntax.Range(b.Header)}, "the dynamic blocks of this block make too much") {
		return out, false
	}
	return out, c.add(b.Address(), list)
}

func decodeGuarded[T any](b *config.Block, loops *config.Loops) (out *T, list diag.List) {
	defer func() {
		if recover() != nil {
			out, list = new(T), diag.List{notExpanded(syntax.Range(b.Header))}
		}
	}()
	return config.Inside[T](b, loops)
}

func notExpanded(header diag.Range) *diag.Diagnostic {
	return &diag.Diagnostic{
		Code: diag.BadDynamic, Summary: "the dynamic blocks of this block cannot be expanded",
		Detail: "Write them in a simpler form.", Subject: header,
	}
}

// checkLoop judges the value of a for_each before its blocks are made.
func (c *checker) checkLoop(v cty.Value, expr hcl.Expression, _ *hcl.EvalContext) hcl.Diagnostics {
	fail := func(summary, detail string) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: expr.Range().Ptr()}}
	}
	switch {
	case !v.IsKnown():
		return fail("Dynamic for_each is not known before the run", "Only what is known before the run can make blocks.")
	case v.IsNull() || !v.CanIterateElements():
		return nil // dynblock says it
	}
	if c.blocks += v.LengthInt(); c.blocks > maxBlocks {
		return fail("Dynamic for_each makes too many blocks", fmt.Sprintf("A pipeline's dynamic blocks make at most %d blocks.", maxBlocks))
	}
	return nil
}

// loops resolves what the for_each and labels of dynamic blocks refer to.
func (c *checker) loops(b *config.Block) bool {
	if b.Raw() == nil {
		return true
	}
	return c.loopReferences(b.Raw(), b.Address(), nil)
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
		call, fine = c.call(kind, &config.Part{Type: b.Type, TypeRange: b.TypeRange, Header: b.Header, Rest: rest}, b.Address())
		if fine {
			c.noStages(call.Refs, b.Address())
		}
		ok = ok && fine
	}
	if n := c.names[string(kind)][b.Name]; n.block == b {
		n.bad = !ok
	}
	return call
}

// noStages reports references to stages where a part belongs to no stage.
func (c *checker) noStages(refs []program.Ref, address string) {
	for _, r := range refs {
		c.errorf(diag.NotKnownYet, at{address: address, subject: r.Range},
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
