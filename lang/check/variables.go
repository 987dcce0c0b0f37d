package check

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"qpipe/lang/check/functions"
	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/syntax"
)

// variable is a declared variable while its value is being found.
type variable struct {
	*name
	inside   *config.Variable
	want     cty.Type
	defaults *typeexpr.Defaults
	nullable bool
}

// given is a value from outside: already evaluated, or text to be read in the
// light of the variable's type.
type given struct {
	value cty.Value // when text is not set
	text  *string
	where string    // "-var depth", for the text's source
	at    hcl.Range // of the value
	bad   bool      // a mistake in it has been reported
}

func (c *checker) variables() {
	outside := c.outsideValues()
	for _, b := range c.cfg.Variables {
		n := c.names["var"][b.Name]
		if n.block != b {
			continue // a second one of the name: reported
		}
		n.value = cty.DynamicVal
		v, ok := c.decodeVariable(n)
		if !ok {
			n.bad = true
			continue
		}
		var g *given
		x, found := outside[n.name]
		if found {
			g = &x
		}
		if x.bad || !found && c.valuesLost && v.inside.Default == nil {
			n.bad = true
			continue
		}
		n.bad = !c.setVariable(v, g)
	}
	values := map[string]cty.Value{}
	for id, n := range c.names["var"] {
		values[id] = n.value
	}
	c.context.Variables["var"] = cty.ObjectVal(values)
	for _, b := range c.cfg.Variables {
		if n := c.names["var"][b.Name]; n.block == b && !n.bad {
			c.validateVariable(n)
		}
	}
}

func (c *checker) decodeVariable(n *name) (*variable, bool) {
	inside, list := config.Inside[config.Variable](n.block, nil)
	ok := c.add(n.address, list)
	v := &variable{name: n, inside: inside, want: cty.DynamicPseudoType, nullable: true}
	var description string
	ok = c.get(n.address, inside.Description, &description) && ok
	ok = c.get(n.address, inside.Nullable, &v.nullable) && ok
	if inside.Type != nil {
		var diags hcl.Diagnostics
		v.want, v.defaults, diags = typeexpr.TypeConstraintWithDefaults(inside.Type.Expr)
		for _, d := range syntax.TranslateAs(diags, diag.BadVariableType) {
			d.Code, d.Address, ok = diag.BadVariableType, n.address, false
			d.Detail += " A type is string, number, bool, any, list(string), map(number), object({ a = string }) and so on."
			c.list = append(c.list, d)
		}
	}
	return v, ok
}

// setVariable gives the variable its value: from outside, else its default.
func (c *checker) setVariable(v *variable, g *given) bool {
	if v.inside.Default != nil {
		value, ok := c.constant(v.inside.Default.Expr, v.address)
		if !ok {
			return false
		}
		if !c.fit(v, value, at{address: v.address, subject: syntax.Range(v.inside.Default.Expr.Range())}, "default") {
			return false
		}
	}
	if g == nil {
		if v.inside.Default == nil {
			c.errorf(diag.NoValue, at{address: v.address, subject: syntax.Range(v.block.Header)},
				fmt.Sprintf("Give one: -var %s=…, a line in a -var-file or *.auto.qvars file, QPIPE_VAR_%[1]s=…, or a default here.", v.name.name),
				"variable %q has no value", v.name.name)
			return false
		}
		return true
	}
	value, p, ok := c.readGiven(v, g)
	return ok && c.fit(v, value, p, "value")
}

// fit converts a value to the variable's type.
func (c *checker) fit(v *variable, value cty.Value, p at, what string) bool {
	if value.IsNull() && !v.nullable {
		if v.inside.Default != nil && what == "value" {
			return true // a null from outside takes the default
		}
		c.errorf(diag.WrongType, p, "Give it a value, or set nullable = true.", "variable %q may not be null", v.name.name)
		return false
	}
	if v.defaults != nil && !value.IsNull() {
		c.budget.Refill()
		if c.budget.TakeDefaults(value); c.overdrawn(p, fmt.Sprintf("the %s of variable %q is too large for a type with optional attributes", what, v.name.name)) {
			return false
		}
		value = v.defaults.Apply(value)
	}
	c.budget.Refill()
	c.budget.Take(value)
	if c.budget.TakeConversion(value, v.want); c.overdrawn(p, fmt.Sprintf("the %s of variable %q is too large for its type", what, v.name.name)) {
		return false
	}
	out, err := functions.Convert(value, v.want)
	if err != nil {
		c.errorf(diag.WrongType, p, fmt.Sprintf("Its type is %s: %s.", typeexpr.TypeString(v.want), err),
			"the %s of variable %q has the wrong type", what, v.name.name)
		return false
	}
	v.value = out
	return true
}

// readGiven reads a value from outside. As everywhere in the HCL family, the
// text of a flag is taken as it is for a variable of a simple type, and as an
// expression otherwise.
func (c *checker) readGiven(v *variable, g *given) (cty.Value, at, bool) {
	if g.text == nil {
		return g.value, at{address: v.address, subject: syntax.Range(g.at)}, true
	}
	expr, list := c.files.AddExpression(g.where, []byte(*g.text))
	whole := at{address: v.address, subject: diag.Range{
		File: g.where, Start: diag.Pos{Line: 1, Column: 1}, End: diag.Pos{Line: 1, Column: len(*g.text) + 1, Byte: len(*g.text)},
	}}
	if v.inside.Type == nil || v.want.IsPrimitiveType() {
		return cty.StringVal(*g.text), whole, true
	}
	if !c.add(v.address, list) {
		return cty.DynamicVal, whole, false
	}
	value, ok := c.constant(expr, v.address)
	return value, whole, ok
}

// constant evaluates an expression that may call functions but not refer to
// anything.
func (c *checker) constant(expr hcl.Expression, address string) (cty.Value, bool) {
	if c.files.Calls() && len(c.context.Functions) == 1 { // the value of a flag may be the first to call one
		c.context.Functions = functions.Table(c.files.Dir, c.budget)
	}
	for _, t := range expr.Variables() {
		c.errorf(diag.UnknownReference, at{address: address, subject: syntax.Range(t.SourceRange())},
			"Only constants and functions can stand here. A string stands in double quotes; locals {} can refer to variables.",
			"a variable's value cannot refer to %s", t.RootName())
		return cty.DynamicVal, false
	}
	return c.value(expr, address)
}

// validateVariable evaluates the variable's validation blocks.
func (c *checker) validateVariable(n *name) {
	inside, _ := config.Inside[config.Variable](n.block, nil)
	for i, cond := range inside.Validations {
		address := fmt.Sprintf("%s.validation[%d]", n.address, i)
		used := n.used
		holds, known, message, ok := c.condition(cond, address, "validation")
		n.used = used // its own validation does not count as a use
		if !ok || !known || holds {
			continue
		}
		n.bad = true
		d := c.errorf(diag.VariableInvalid, at{address: n.address, subject: syntax.Range(cond.Condition.Expr.Range())},
			message, "the value of variable %q is not valid", n.name)
		d.Detail = strings.TrimSpace(sentence(d.Detail) + " It is " + describe(n.value) + ".")
	}
}

// outsideValues collects what is given from outside, the stronger over the
// weaker: the environment, *.auto.qvars, then the flags in order.
func (c *checker) outsideValues() map[string]given {
	out := map[string]given{}
	const prefix = "QPIPE_VAR_"
	for _, e := range c.opt.Env {
		key, text, ok := strings.Cut(e, "=")
		if id, mine := strings.CutPrefix(key, prefix); ok && mine && c.names["var"][id] != nil {
			out[id] = given{text: &text, where: key}
		}
	}
	for _, path := range c.files.AutoValues() {
		c.valuesFile(path, out, false, !c.files.Folder)
	}
	for _, v := range c.opt.Vars {
		switch {
		case v.File != "":
			c.valuesFile(v.File, out, true, false)
		case c.names["var"][v.Name] == nil:
			c.errorf(diag.UndeclaredVar, at{}, c.suggest("var", v.Name), "-var %s: the pipeline declares no such variable", v.Name)
		default:
			text := v.Value
			out[v.Name] = given{text: &text, where: "-var " + v.Name}
		}
	}
	return out
}

// valuesFile reads a file of variable values. A value for a variable that is not
// declared is a warning, since such a file may serve several pipelines, and
// nothing at all when lenient. named is set of a file that the command line names.
func (c *checker) valuesFile(path string, out map[string]given, named, lenient bool) {
	body, list := c.files.ReadValues(path, named)
	if !c.add("", list) || body == nil {
		c.valuesLost = true
		return
	}
	for _, b := range body.Blocks {
		c.errorf(diag.BadVarFile, at{subject: syntax.Range(b.TypeRange)},
			"A file of variable values has lines of the form name = value.", "a block cannot stand in a file of variable values")
	}
	attrs, _ := body.JustAttributes()
	for _, a := range sortedAttrs(attrs) {
		if c.names["var"][a.Name] == nil {
			if !lenient {
				c.warnf(diag.UndeclaredVar, at{subject: syntax.Range(a.NameRange)}, c.suggest("var", a.Name), "the pipeline declares no variable %q", a.Name)
			}
			continue
		}
		v, ok := c.constant(a.Expr, "variable."+a.Name)
		out[a.Name] = given{value: v, at: a.Expr.Range(), bad: !ok}
	}
}

// condition evaluates a condition block. known is false when the condition
// depends on a run.
func (c *checker) condition(cond *config.Condition, address, kind string) (holds, known bool, message string, ok bool) {
	for _, need := range []struct {
		attr *hcl.Attribute
		name string
	}{{cond.Condition, "condition"}, {cond.Message, "error_message"}} {
		if need.attr == nil {
			c.missing(address, cond.Header, need.name, "A"+diag.Article(kind)[1:]+" block has a condition and an error_message.")
			return false, false, "", false
		}
	}
	_, fine := c.references(cond.Condition.Expr, address, "condition")
	_, also := c.references(cond.Message.Expr, address, "error_message")
	if !fine || !also {
		return false, false, "", false
	}
	p := at{address: address, subject: syntax.Range(cond.Condition.Expr.Range())}
	v, ok := c.value(cond.Condition.Expr, address)
	if !ok {
		return false, false, "", false
	}
	b, err := convert.Convert(v, cty.Bool)
	if err != nil || b.IsNull() {
		c.errorf(diag.WrongType, p, "Compare something, as in: condition = var.depth > 0.", "condition %s", mismatch("true or false", v))
		return false, false, "", false
	}
	text, ok := c.value(cond.Message.Expr, address)
	if !ok {
		return false, false, "", false
	}
	s, err := convert.Convert(text, cty.String)
	if err != nil || s.IsNull() {
		c.errorf(diag.WrongType, at{address: address, subject: syntax.Range(cond.Message.Expr.Range())}, "Write a sentence.",
			"error_message %s", mismatch("a string", text))
		return false, false, "", false
	}
	if !b.IsKnown() {
		return false, false, "", true
	}
	if s.IsKnown() {
		message = s.AsString()
	}
	return b.True(), true, message, true
}

// missing reports a required attribute that is not there, unless another one has
// been reported that was meant to be it.
func (c *checker) missing(address string, header hcl.Range, attr, detail string) {
	if c.meant(address, attr) {
		return
	}
	c.errorf(diag.MissingAttribute, at{address: address, subject: syntax.Range(header)}, detail, "%q is missing", attr)
}

// meant reports whether an unknown name in the block (or a block around) has been
// reported with the suggestion that this one was meant.
func (c *checker) meant(address, attr string) bool {
	said := c.reported()
	if said.meant[hint{attr, ""}] || said.meant[hint{attr, address}] {
		return true
	}
	const around = 16 // blocks around a block
	for i, n := 0, 0; i < len(address) && n < around; i++ {
		if address[i] == '.' || address[i] == '[' {
			if n++; said.meant[hint{attr, address[:i]}] {
				return true
			}
		}
	}
	return false
}

// sentence ends a user's text with a full stop where nothing ends it.
func sentence(text string) string {
	if text = strings.TrimSpace(text); text == "" || strings.ContainsAny(text[len(text)-1:], ".!?:;") {
		return text
	}
	return text + "."
}

// unlabelled reports whether a block of the kind could not be named, so that a
// name that is missing may be its.
func (c *checker) unlabelled(kind string) bool {
	keyword := map[string]string{"var": "variable"}[kind]
	if keyword == "" {
		keyword = kind
	}
	return c.reported().unlabelled[keyword]
}
