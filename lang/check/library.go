package check

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/notation"
	"qpipe/lang/program"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// library has the networks that layers of one text can name: those of the pipeline, or those of a file that a `source` names.
type library struct{ networks []*config.Block }

// own are the networks of the pipeline.
func (c *checker) own() *library { return &library{c.cfg.Networks} }

// shadows reports networks that have the name of a layer.
func (c *checker) shadows(networks []*config.Block) {
	for _, b := range networks {
		if _, part := c.opt.Signatures.Signature(program.LayerKind, b.Name); part {
			c.Errorf(diag.DuplicateName, scope.At{Address: b.Address(), Subject: syntax.Range(b.NameRange)}, "Rename the network.", "there is a layer %q already", b.Name)
		}
	}
}

// names are those of the networks.
func (l *library) names() (names []string) {
	for _, b := range l.networks {
		names = append(names, b.Name)
	}
	return names
}

// block is the network of that name, nil for none.
func (l *library) block(name string) *config.Block {
	if i := slices.IndexFunc(l.networks, func(b *config.Block) bool { return b.Name == name }); i >= 0 {
		return l.networks[i]
	}
	return nil
}

// find is the network that a layer names, nil for none.
func (u *unroller) find(name string) *config.Block {
	b := u.lib.block(name)
	if n := u.defined[name]; n != nil && n.Block == b {
		n.Used = true
	}
	return b
}

// sourced follows the source of a network, if it has one, to the block that has the layers. Those are in the library.
func (u *unroller) sourced(def *config.Block) (*config.Block, *library, bool) {
	lib := u.lib
	var passed []*config.Block
	for {
		in := u.decoded(def)
		if in.Source == nil {
			return def, lib, true
		}
		at := scope.At{Address: def.Address(), Subject: syntax.Range(in.Source.Expr.Range())}
		if passed = append(passed, def); slices.Contains(passed[:len(passed)-1], def) {
			u.Errorf(diag.LocalCycle, at, "One of the files must have the layers.", "the source of network %q leads back to itself", def.Name)
			return nil, nil, false
		}
		if in.Blocks() > 0 {
			u.Errorf(diag.BadValue, at, "Remove source, or everything else.", "network %q has a source and blocks of its own", def.Name)
			return nil, nil, false
		}
		path, ok := u.path(def, in.Source)
		if !ok {
			return nil, nil, false
		}
		if lib = u.file(path, at); lib == nil {
			return nil, nil, false
		}
		next := lib.block(def.Name)
		if next == nil {
			u.Errorf(diag.UnknownReference, at, diag.DidYouMean(def.Name, lib.names(), "networks in it"), "%s has no network %q", path, def.Name)
			return nil, nil, false
		}
		def = next
	}
}

// path is the file that a source names: relative ones begin at the folder of the file that has the block.
func (u *unroller) path(def *config.Block, source *hcl.Attribute) (path string, ok bool) {
	u.Within(scope.Inner{Closed: true}, func() {
		ok = u.Get(def.Address(), source, &path)
	})
	if ok && path == "" {
		u.Errorf(diag.BadValue, scope.At{Address: def.Address(), Subject: syntax.Range(source.Expr.Range())}, `Name a file: source = "blocks.hcl".`, "the source names no file")
		return "", false
	}
	path = filepath.FromSlash(path)
	if file := def.Header.Filename; ok && !filepath.IsAbs(path) {
		dir := u.files.Dir
		if u.sources[file] != nil {
			dir = filepath.Dir(file)
		}
		path = filepath.Join(dir, path)
	}
	return path, ok
}

// file reads a file of networks, once. It returns nil where the file could not be read.
func (u *unroller) file(path string, at scope.At) *library {
	if lib, known := u.sources[path]; known {
		return lib
	}
	u.sources[path] = nil
	body, list := u.files.Include(path)
	for _, d := range list {
		if d.Subject.Empty() {
			d.Subject = at.Subject
			if way := nearFiles(path); way != "" {
				d.Detail = way
			}
		}
	}
	u.Add(at.Address, list)
	if body == nil || list.HasErrors() {
		return nil
	}
	networks, list := config.DecodeNetworks(body)
	u.Add(at.Address, list)
	u.shadows(networks)
	lib := &library{networks}
	seen := map[string]*config.Block{}
	for _, b := range networks {
		if first := seen[b.Name]; first != nil {
			d := u.Errorf(diag.DuplicateName, scope.At{Address: b.Address(), Subject: syntax.Range(b.NameRange)}, "Rename one of the two.", "a second network is named %q", b.Name)
			d.Related = []diag.Related{{Message: "the first is here", Range: syntax.Range(first.NameRange)}}
			continue
		}
		seen[b.Name] = b
	}
	u.sources[path] = lib
	return lib
}

// nearFiles says which file may be meant by a path that is none: one of the folder that it is, or would be in. It returns "" where
// there is none.
func nearFiles(path string) string {
	folder, names := syntax.Beside(path)
	switch near := diag.Nearest(filepath.Base(path), names); {
	case len(names) == 0:
		return ""
	case near != "":
		return fmt.Sprintf("Did you mean %q?", near)
	case len(names) == 1:
		return fmt.Sprintf("The file in %s is %s.", folder, names[0])
	}
	return fmt.Sprintf("The files in %s: %s.", folder, diag.Enumerate(names))
}

// overrides adds what a definition says of the quantization of its nodes: of all of them, and of those that overrides select.
func (u *unroller) overrides(in *config.Network, def *config.Block, instance string) {
	under := program.Selector{Text: instance}
	for part := range strings.SplitSeq(instance, ".") {
		under.Segments = append(under.Segments, program.Segment{Alts: []program.Glob{{{Literal: part}}}})
	}
	base := &program.QConfig{Origin: u.checker.origin(def.Address(), def.Header)}
	base.Activation, base.Weight = u.defaultQuant(false, base.Origin), u.defaultQuant(true, base.Origin)
	if q := in.QConfig; q != nil {
		address := def.Address() + ".qconfig"
		o := program.Override{General: true, Selector: under, Origin: u.checker.origin(address, q.Header)}
		o.Selector.Range = o.Origin.Header
		u.overridden(&o, q.Activation, q.Weight, base)
		if !u.UnknownBehind(o.Origin.Header, def.Address()) {
			u.saysSomething(&o, "qconfig")
		}
		u.out.Overrides = append(u.out.Overrides, o)
	}
	for i, b := range in.Overrides {
		address := fmt.Sprintf("%s.override[%d]", def.Address(), i)
		sel, err := notation.Selector(b.Selector)
		if err == nil && sel.Negated {
			u.Errorf(diag.BadSelector, scope.At{Address: address, Subject: syntax.Range(b.SelectorRange)}, "Select the layers that are meant.", "an override inside of a network cannot begin with !")
			continue
		}
		o := u.override(b, base, address, true)
		o.Selector = program.Selector{
			Text: instance + "." + b.Selector, Range: o.Selector.Range,
			Segments: slices.Concat(under.Segments, o.Selector.Segments),
		}
		u.out.Overrides = append(u.out.Overrides, o)
	}
}
