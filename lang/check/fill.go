package check

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// filling is the Args of a part, or the struct of a block inside, while its arguments are decoded.
type filling struct {
	*checker
	what, name string // `optimizer "SGD"` and "SGD"; `block "layer"` and "layer"
	doc        string
	path       string          // of what is inside: "", or "layer[1]."
	at         scope.At        // the header
	origin     *program.Origin // the part's
	to         reflect.Value
	fields     []program.Field
	over       bool // it changes what is there already, so that nothing is required
	refs       []program.Ref
}

// arguments decodes attributes and blocks into the part's Args. over says that they change what the Args hold;
// otherwise these are the defaults, and the required arguments must be there. The block's other attributes
// are named for suggestions.
func (c *checker) arguments(sig program.Signature, args reflect.Value, over bool, content config.Content, o *program.Origin, others ...string) (any, []program.Ref, bool) {
	f := &filling{
		checker: c, what: fmt.Sprintf("%s %q", sig.Kind, sig.Name), name: sig.Name, doc: sig.Doc,
		at: scope.At{Address: o.Address, Subject: o.Header}, origin: o, to: args, fields: c.fieldsOf(args.Type()), over: over,
	}
	ok := f.fill(content, others...)
	return args.Interface(), f.refs, ok
}

// content reads the body of a part, or of a block of one. Dynamic blocks are expanded.
func (c *checker) content(body hcl.Body, what string, p scope.At, fields []program.Field, taken ...string) (content config.Content, ok bool) {
	own := map[string][]string{}
	for _, f := range fields {
		if f.Block {
			own[f.Name] = f.Labels()
		}
	}
	ok = c.Expand(p, func(*config.Loops) (list diag.List) {
		content, list = config.Arguments(body, what, own, taken...)
		return list
	})
	return content, ok
}

// fill decodes everything, and asks the struct what it thinks of it.
func (f *filling) fill(content config.Content, others ...string) bool {
	ok, set, sound := true, map[string]bool{}, map[string]bool{}
	for _, a := range scope.SortedAttrs(content.Attributes) {
		i := slices.IndexFunc(f.fields, func(x program.Field) bool { return x.Name == a.Name && !x.Label && !x.Network })
		switch {
		case i < 0:
			f.unknown(a, content.Attributes, others)
			ok = false
		case f.fields[i].Block:
			d := f.Errorf(diag.UnknownAttribute, scope.At{Address: f.at.Address, Subject: syntax.Range(a.NameRange)},
				fmt.Sprintf("%q is a block: write it without the equals sign, as %[1]s { … }.", a.Name), "%s has no argument %q", f.what, a.Name)
			d.Swapped, ok, set[a.Name] = true, false, true
		default:
			given, fine := f.attribute(f.fields[i], a)
			ok, set[a.Name], sound[a.Name] = ok && fine, given || !fine, given && fine
		}
	}
	for _, x := range f.fields {
		if x.Block {
			ok = f.repeat(x, content.Blocks, set) && ok
		}
	}
	if ok = f.required(set) && ok; ok {
		return f.validate(f.to, nil)
	}
	f.validate(f.stopgap(sound), sound)
	return false
}

// stopgap is a copy in which a number that is required, and is missing or wrong, is 1: so that the other arguments can be judged.
func (f *filling) stopgap(sound map[string]bool) reflect.Value {
	to := reflect.New(f.to.Type()).Elem()
	to.Set(f.to)
	for _, x := range f.fields {
		v := to.FieldByIndex(x.Index)
		switch {
		case sound[x.Name] || x.Optional || x.Block:
		case v.Kind() == reflect.Int:
			v.SetInt(1)
		case v.Type() == reflect.TypeFor[[]int]():
			v.Set(reflect.ValueOf([]int{1}))
		}
	}
	return to
}

// attribute evaluates one attribute into its field; given is false for a null.
func (f *filling) attribute(x program.Field, a *hcl.Attribute) (given, ok bool) {
	path, to := f.path+a.Name, f.to.FieldByIndex(x.Index)
	f.origin.Attrs[path], f.origin.Names[path] = syntax.Range(a.Expr.Range()), syntax.Range(a.NameRange)
	assign := f.Assign
	if x.Single {
		assign = f.AssignSingle
	}
	refs, given, ok := assign(f.at.Address, a, to)
	for _, r := range refs {
		r.Attr = path
		f.refs = append(f.refs, r)
	}
	if !ok || !given {
		return given, ok
	}
	return true, f.allowed(x, to, f.origin.Attrs[path])
}

// allowed reports a string that is none of the few that its field takes.
func (f *filling) allowed(x program.Field, to reflect.Value, where diag.Range) bool {
	if len(x.OneOf) == 0 || to.Kind() != reflect.String || slices.Contains(x.OneOf, to.String()) {
		return true
	}
	f.Errorf(diag.BadValue, scope.At{Address: f.at.Address, Subject: where},
		diag.DidYouMean(to.String(), x.OneOf, "values allowed"), "%q cannot be %q", x.Name, to.String())
	return false
}

// repeat decodes the blocks of a name into their field. Where there are none it keeps its default.
func (f *filling) repeat(x program.Field, all []*hcl.Block, set map[string]bool) bool {
	var own []*hcl.Block
	for _, b := range all {
		if b.Type == x.Name {
			own = append(own, b)
		}
	}
	if len(own) == 0 {
		return true
	}
	set[x.Name] = true
	to, ok := f.to.FieldByIndex(x.Index), true
	if !x.Many() {
		if len(own) > 1 {
			d := f.Errorf(diag.DuplicateBlock, scope.At{Address: f.at.Address, Subject: syntax.Range(own[1].DefRange)}, "Keep one of the two.", "a second %s block in %s", x.Name, f.what)
			d.Meant, ok = x.Name, false
			d.Related = []diag.Related{{Message: "the first is here", Range: syntax.Range(own[0].DefRange)}}
		}
		for _, b := range slices.Backward(own) { // the first one counts; mistakes in the others are found as well
			to.Set(reflect.New(x.Inside()))
			ok = f.block(x, b, 0, to.Elem()) && ok
		}
		return ok
	}
	to.Set(reflect.MakeSlice(x.Type, len(own), len(own)))
	for i, b := range own {
		ok = f.block(x, b, i, to.Index(i)) && ok
	}
	return ok
}

// block decodes one block.
func (f *filling) block(x program.Field, b *hcl.Block, i int, to reflect.Value) bool {
	to.Set(program.NewBlock(x.Inside()))
	path := program.BlockPath(f.path, x, i)
	in := &filling{
		checker: f.checker, what: fmt.Sprintf("block %q", x.Name), name: x.Name, doc: x.Doc, path: path + ".", origin: f.origin,
		at: scope.At{Address: fmt.Sprintf("%s.%s[%d]", f.at.Address, x.Name, i), Subject: syntax.Range(b.DefRange)},
		to: to, fields: program.Fields(x.Inside()),
	}
	f.origin.Attrs[path], f.origin.Names[path] = in.at.Subject, syntax.Range(b.TypeRange)
	ok := in.labels(b)
	content, fine := f.content(b.Body, in.what, in.at, in.fields)
	ok = in.fill(content) && ok && fine
	f.refs = append(f.refs, in.refs...)
	return ok
}

func (f *filling) labels(b *hcl.Block) bool {
	ok, i := true, 0
	for _, x := range f.fields {
		if !x.Label || i >= len(b.Labels) {
			continue
		}
		to := f.to.FieldByIndex(x.Index)
		to.SetString(b.Labels[i])
		ok = f.allowed(x, to, syntax.Range(b.LabelRanges[i])) && ok
		i++
	}
	return ok
}

// required reports the arguments that are missing.
func (f *filling) required(set map[string]bool) bool {
	ok := true
	for _, x := range f.fields {
		if x.Optional || x.Label || x.Network || set[x.Name] || f.over {
			continue
		}
		ok = false
		switch {
		case f.Meant(f.at.Address, x.Name):
		case x.Block:
			f.Errorf(diag.MissingBlock, f.at, "Add: "+config.Written(x.Name, x.Labels()), "%q is missing: %s requires a block of that name", x.Name, f.what)
		default:
			f.Errorf(diag.MissingAttribute, f.at, fmt.Sprintf("Add: %s = …", x.Name), "%q is missing: %s requires it", x.Name, f.what)
		}
	}
	return ok
}

func (f *filling) unknown(a *hcl.Attribute, given hcl.Attributes, others []string) {
	names, free := slices.Clone(others), slices.Clone(others)
	for _, x := range f.fields {
		if x.Label || x.Block || x.Network {
			continue
		}
		names = append(names, x.Name)
		if given[x.Name] == nil {
			free = append(free, x.Name)
		}
	}
	detail := diag.DidYouMean(a.Name, names, "arguments of "+f.name)
	near := diag.Nearest(a.Name, free)
	if near != "" {
		detail = fmt.Sprintf("Did you mean %q?", near)
	}
	if way := config.Belongs(a.Name, f.what); way != "" {
		detail = way
	}
	if len(names) == 0 {
		detail = fmt.Sprintf("%s takes no arguments. Remove it.", f.name)
	}
	f.Errorf(diag.UnknownAttribute, scope.At{Address: f.at.Address, Subject: syntax.Range(a.NameRange)}, detail,
		"%s has no argument %q", f.what, a.Name).Meant = cmp.Or(near, diag.Nearest(a.Name, names))
}

// validate asks the struct itself. Where some arguments are wrong, only mistakes at one of the sound ones count.
func (f *filling) validate(to reflect.Value, sound map[string]bool) bool {
	v, ok := to.Addr().Interface().(interface{ Validate() error })
	if !ok {
		return true
	}
	for _, err := range apart(guarded(v.Validate)) {
		var ae *program.ArgError
		if sound == nil || errors.As(err, &ae) && sound[ae.Attr] {
			f.invalid(err)
			ok = false
		}
	}
	return ok
}

// apart are the mistakes that an error joins.
func apart(err error) []error {
	if err == nil {
		return nil
	}
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range several.Unwrap() {
		list = append(list, apart(e)...)
	}
	return list
}

// invalid reports what the struct says.
func (f *filling) invalid(err error) {
	p, text, detail := f.at, err.Error(), f.doc
	var ae *program.ArgError
	if errors.As(err, &ae) {
		p.Subject, text = f.origin.At(f.path+ae.Attr), fmt.Sprintf("%q %s", ae.Attr, ae.Err)
		if x, ok := program.FieldAt(f.to.Type(), ae.Attr); ok && x.Doc != "" {
			detail = fmt.Sprintf("%s: %s", ae.Attr, x.Doc)
		}
	}
	f.Errorf(diag.BadValue, p, detail, "%s: %s", f.name, text)
}
