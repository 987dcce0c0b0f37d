package scope

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/functions"
	"qpipe/lang/syntax"
)

// variable is a declared variable while its value is being found.
type variable struct {
	*Name
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

// Given are the values of variables from outside: flags in order, and the environment.
type Given struct {
	Vars []Var
	Env  []string // os.Environ's form; only QPIPE_VAR_* is looked at
}

// Var is a -var flag (Name and Value), or a -var-file flag (File).
type Var struct {
	Name, Value string
	File        string
}

// Variables gives every variable its value, and applies its validations. A variable's value, in
// increasing priority: its default, the environment, *.auto.qvars in the order of their names, the
// flags in order.
func (s *Scope) Variables(blocks []*config.Block, from Given) {
	outside := s.outsideValues(from)
	for _, b := range blocks {
		n := s.names["var"][b.Name]
		if n.Block != b {
			continue // a second one of the name: reported
		}
		n.value = cty.DynamicVal
		v, ok := s.decodeVariable(n)
		if !ok {
			n.Bad = true
			continue
		}
		var g *given
		x, found := outside[n.Name]
		if found {
			g = &x
		}
		if x.bad || !found && s.valuesLost && v.inside.Default == nil {
			n.Bad = true
			continue
		}
		n.Bad = !s.setVariable(v, g)
	}
	values := map[string]cty.Value{}
	for id, n := range s.names["var"] {
		values[id] = n.value
	}
	s.context.Variables["var"] = cty.ObjectVal(values)
	for _, b := range blocks {
		if n := s.names["var"][b.Name]; n.Block == b && !n.Bad {
			s.validateVariable(n)
		}
	}
}

func (s *Scope) decodeVariable(n *Name) (*variable, bool) {
	inside, list := config.Inside[config.Variable](n.Block, nil)
	ok := s.Add(n.Address, list)
	v := &variable{Name: n, inside: inside, want: cty.DynamicPseudoType, nullable: true}
	var description string
	ok = s.Get(n.Address, inside.Description, &description) && ok
	ok = s.Get(n.Address, inside.Nullable, &v.nullable) && ok
	if inside.Type != nil {
		var diags hcl.Diagnostics
		v.want, v.defaults, diags = typeexpr.TypeConstraintWithDefaults(inside.Type.Expr)
		for _, d := range syntax.TranslateAs(diags, diag.BadVariableType) {
			d.Code, d.Address, ok = diag.BadVariableType, n.Address, false
			d.Detail += " A type is string, number, bool, any, list(string), map(number), object({ a = string }) and so on."
			s.List = append(s.List, d)
		}
	}
	return v, ok
}

// setVariable gives the variable its value: from outside, else its default.
func (s *Scope) setVariable(v *variable, g *given) bool {
	if v.inside.Default != nil {
		value, ok := s.constant(v.inside.Default.Expr, v.Address)
		if !ok {
			return false
		}
		if !s.fit(v, value, At{Address: v.Address, Subject: syntax.Range(v.inside.Default.Expr.Range())}, "default") {
			return false
		}
	}
	if g == nil {
		if v.inside.Default == nil {
			s.Errorf(diag.NoValue, At{Address: v.Address, Subject: syntax.Range(v.Block.Header)},
				fmt.Sprintf("Give one: -var %s=…, a line in a -var-file or *.auto.qvars file, QPIPE_VAR_%[1]s=…, or a default here.", v.Name.Name),
				"variable %q has no value", v.Name.Name)
			return false
		}
		return true
	}
	value, p, ok := s.readGiven(v, g)
	return ok && s.fit(v, value, p, "value")
}

// fit converts a value to the variable's type.
func (s *Scope) fit(v *variable, value cty.Value, p At, what string) bool {
	if value.IsNull() && !v.nullable {
		if v.inside.Default != nil && what == "value" {
			return true // a null from outside takes the default
		}
		s.Errorf(diag.WrongType, p, "Give it a value, or set nullable = true.", "variable %q may not be null", v.Name.Name)
		return false
	}
	if v.defaults != nil && !value.IsNull() {
		s.budget.Refill()
		if s.budget.TakeDefaults(value); s.overdrawn(p, fmt.Sprintf("the %s of variable %q is too large for a type with optional attributes", what, v.Name.Name)) {
			return false
		}
		value = v.defaults.Apply(value)
	}
	s.budget.Refill()
	s.budget.Take(value)
	if s.budget.TakeConversion(value, v.want); s.overdrawn(p, fmt.Sprintf("the %s of variable %q is too large for its type", what, v.Name.Name)) {
		return false
	}
	out, err := functions.Convert(value, v.want)
	if err != nil {
		s.Errorf(diag.WrongType, p, fmt.Sprintf("Its type is %s: %s.", typeexpr.TypeString(v.want), err),
			"the %s of variable %q has the wrong type", what, v.Name.Name)
		return false
	}
	v.value = out
	return true
}

// readGiven reads a value from outside. As everywhere in the HCL family, the
// text of a flag is taken as it is for a variable of a simple type, and as an
// expression otherwise.
func (s *Scope) readGiven(v *variable, g *given) (cty.Value, At, bool) {
	if g.text == nil {
		return g.value, At{Address: v.Address, Subject: syntax.Range(g.at)}, true
	}
	expr, list := s.files.AddExpression(g.where, []byte(*g.text))
	whole := At{Address: v.Address, Subject: diag.Range{
		File: g.where, Start: diag.Pos{Line: 1, Column: 1}, End: diag.Pos{Line: 1, Column: len(*g.text) + 1, Byte: len(*g.text)},
	}}
	if v.inside.Type == nil || v.want.IsPrimitiveType() {
		return cty.StringVal(*g.text), whole, true
	}
	if !s.Add(v.Address, list) {
		return cty.DynamicVal, whole, false
	}
	value, ok := s.constant(expr, v.Address)
	return value, whole, ok
}

// constant evaluates an expression that may call functions but not refer to
// anything.
func (s *Scope) constant(expr hcl.Expression, address string) (cty.Value, bool) {
	if s.files.Calls() && len(s.context.Functions) == 1 { // the value of a flag may be the first to call one
		s.context.Functions = functions.Table(s.files.Dir, s.budget)
	}
	for _, t := range expr.Variables() {
		s.Errorf(diag.UnknownReference, At{Address: address, Subject: syntax.Range(t.SourceRange())},
			"Only constants and functions are allowed here. A string is written in double quotes; locals {} can refer to variables.",
			"a variable's value cannot refer to %s", t.RootName())
		return cty.DynamicVal, false
	}
	return s.Value(expr, address)
}

// validateVariable evaluates the variable's validation blocks.
func (s *Scope) validateVariable(n *Name) {
	inside, _ := config.Inside[config.Variable](n.Block, nil)
	for i, cond := range inside.Validations {
		address := fmt.Sprintf("%s.validation[%d]", n.Address, i)
		used := n.Used
		holds, known, message, ok := s.Condition(cond, address, "validation")
		n.Used = used // its own validation does not count as a use
		if !ok || !known || holds {
			continue
		}
		n.Bad = true
		d := s.Errorf(diag.VariableInvalid, At{Address: n.Address, Subject: syntax.Range(cond.Condition.Expr.Range())},
			message, "the value of variable %q is not valid", n.Name)
		d.Detail = strings.TrimSpace(sentence(d.Detail) + " It is " + describe(n.value) + ".")
	}
}

// outsideValues collects what is given from outside, in increasing
// priority: the environment, *.auto.qvars, then the flags in order.
func (s *Scope) outsideValues(from Given) map[string]given {
	out := map[string]given{}
	const prefix = "QPIPE_VAR_"
	for _, e := range from.Env {
		key, text, ok := strings.Cut(e, "=")
		if id, mine := strings.CutPrefix(key, prefix); ok && mine && s.names["var"][id] != nil {
			out[id] = given{text: &text, where: key}
		}
	}
	for _, path := range s.files.AutoValues() {
		s.valuesFile(path, out, false, !s.files.Folder)
	}
	for _, v := range from.Vars {
		switch {
		case v.File != "":
			s.valuesFile(v.File, out, true, false)
		case s.names["var"][v.Name] == nil:
			s.Errorf(diag.UndeclaredVar, At{}, s.suggest("var", v.Name), "-var %s: the pipeline declares no such variable", v.Name)
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
func (s *Scope) valuesFile(path string, out map[string]given, named, lenient bool) {
	body, list := s.files.ReadValues(path, named)
	if !s.Add("", list) || body == nil {
		s.valuesLost = true
		return
	}
	for _, b := range body.Blocks {
		s.Errorf(diag.BadVarFile, At{Subject: syntax.Range(b.TypeRange)},
			"A file of variable values has lines of the form name = value.", "a file of variable values holds no blocks")
	}
	attrs, _ := body.JustAttributes()
	for _, a := range SortedAttrs(attrs) {
		if s.names["var"][a.Name] == nil {
			if !lenient {
				s.Warnf(diag.UndeclaredVar, At{Subject: syntax.Range(a.NameRange)}, s.suggest("var", a.Name), "the pipeline declares no variable %q", a.Name)
			}
			continue
		}
		v, ok := s.constant(a.Expr, "variable."+a.Name)
		out[a.Name] = given{value: v, at: a.Expr.Range(), bad: !ok}
	}
}

// Condition evaluates a condition block. known is false when the condition
// depends on a run.
func (s *Scope) Condition(cond *config.Condition, address, kind string) (holds, known bool, message string, ok bool) {
	for _, need := range []struct {
		attr *hcl.Attribute
		name string
	}{{cond.Condition, "condition"}, {cond.Message, "error_message"}} {
		if need.attr == nil {
			s.Missing(address, cond.Header, need.name, "A"+diag.Article(kind)[1:]+" block has a condition and an error_message.")
			return false, false, "", false
		}
	}
	_, fine := s.References(cond.Condition.Expr, address, "condition")
	_, also := s.References(cond.Message.Expr, address, "error_message")
	if !fine || !also {
		return false, false, "", false
	}
	p := At{Address: address, Subject: syntax.Range(cond.Condition.Expr.Range())}
	v, ok := s.Value(cond.Condition.Expr, address)
	if !ok {
		return false, false, "", false
	}
	b, err := convert.Convert(v, cty.Bool)
	if err != nil || b.IsNull() {
		s.Errorf(diag.WrongType, p, "Compare something, as in: condition = var.depth > 0.", "condition %s", mismatch("true or false", v))
		return false, false, "", false
	}
	text, ok := s.Value(cond.Message.Expr, address)
	if !ok {
		return false, false, "", false
	}
	written, err := convert.Convert(text, cty.String)
	if err != nil || written.IsNull() {
		s.Errorf(diag.WrongType, At{Address: address, Subject: syntax.Range(cond.Message.Expr.Range())}, "Write a sentence.",
			"error_message %s", mismatch("a string", text))
		return false, false, "", false
	}
	if !b.IsKnown() {
		return false, false, "", true
	}
	if written.IsKnown() {
		message = written.AsString()
	}
	return b.True(), true, message, true
}

// Missing reports a required attribute that is not there, unless another one has
// been reported that was meant to be it.
func (s *Scope) Missing(address string, header hcl.Range, attr, detail string) {
	if s.Meant(address, attr) {
		return
	}
	s.Errorf(diag.MissingAttribute, At{Address: address, Subject: syntax.Range(header)}, detail, "%q is missing", attr)
}

// Meant reports whether an unknown name in the block (or a block around) has been
// reported with the suggestion that this one was meant.
func (s *Scope) Meant(address, attr string) bool {
	said := s.reported()
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
func (s *Scope) unlabelled(kind string) bool {
	keyword := map[string]string{"var": "variable"}[kind]
	if keyword == "" {
		keyword = kind
	}
	return s.reported().unlabelled[keyword]
}
