// Package data opens the data sets of a pipeline and hashes their files.
package data

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/diag"
	"qpipe/lang/program"
)

// Open opens a data set with its transforms. folder returns the file system of the folder that the data set names.
func Open(c part.Catalog, d *program.Dataset, folder func(root string) fs.FS) (*feed.Feed, error) {
	set, err := part.New[part.Dataset](c, d.Call)
	if err != nil {
		return nil, place.At(d.Origin, err)
	}
	samples, err := opened(set, folder)
	if err != nil {
		return nil, place.Unreadable(d.Origin, err)
	}
	f := &feed.Feed{Samples: samples}
	if t, ok := samples.(part.Teller); ok {
		f.Skipped = t.Skipped()
	}
	f.Spec, err = described(set, samples)
	if err == nil {
		err = counted(f.Spec.Len, samples)
	}
	if err != nil {
		return nil, place.At(d.Origin, &part.Fault{Call: d.Call, Err: err})
	}
	f.Calls, f.Specs = []program.Call{d.Call}, []part.Spec{f.Spec}
	for _, call := range d.Transforms {
		t, err := part.New[part.Transform](c, call)
		if err == nil {
			f.Spec, err = part.Transformed(f.Spec, t)
		}
		if err != nil {
			return nil, place.At(call.Origin, err)
		}
		f.Transforms = append(f.Transforms, t)
		f.Calls, f.Specs = append(f.Calls, call), append(f.Specs, f.Spec)
	}
	if err := f.Spec.Sized(); err != nil {
		return nil, place.At(d.Origin, &part.Fault{Call: d.Call, Err: err})
	}
	return f, nil
}

// Skips returns a warning of what an opened data set leaves out, nil if that is nothing.
func Skips(d *program.Dataset, f *feed.Feed) *diag.Diagnostic {
	n := len(f.Skipped)
	if n == 0 {
		return nil
	}
	some := f.Skipped[:min(n, 10)]
	w := &diag.Diagnostic{
		Code: diag.LeftOut, Severity: diag.Warning, Subject: d.Origin.At("on_error"), Address: d.Origin.Address,
		Summary: fmt.Sprintf("%d of %s are left out, since they cannot be read", n, diag.Count(n+f.Samples.Len(), "file")),
		Detail:  strings.Join(some, "\n"),
	}
	if n > len(some) {
		w.Detail += fmt.Sprintf("\nand %d more", n-len(some))
	}
	return w
}

// described describes an opened data set.
func described(set part.Dataset, samples part.Samples) (part.Spec, error) {
	t, ok := samples.(part.Teller)
	if !ok {
		return part.Ask("Spec", set.Spec)
	}
	s, err := part.Ask("Spec", t.Spec)
	if err == nil {
		err = s.Validate()
	}
	return s, err
}

// opened opens a data set.
func opened(set part.Dataset, folder func(root string) fs.FS) (s part.Samples, err error) {
	defer part.Guard(&err, "Open")
	s, err = set.Open(folder)
	if err == nil && s == nil {
		err = errors.New("Open returns neither samples nor an error")
	}
	return s, err
}

// counted returns an error if an opened data set has another number of samples than it declares.
func counted(declared int, s part.Samples) error {
	n, err := part.Ask("Len", s.Len)
	switch {
	case err != nil:
		return err
	case n < 0:
		return fmt.Errorf("it has %d samples once it is open", n)
	case declared >= 0 && n != declared:
		return fmt.Errorf("it has %s once it is open, but declares %d", part.Count(n, "sample"), declared)
	}
	return nil
}
