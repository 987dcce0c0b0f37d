// Package data opens the data sets of a pipeline and hashes their files.
package data

import (
	"io/fs"

	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/program"
)

// Open opens a data set with its transforms. folder returns the file system of the folder that the data set names.
func Open(c part.Catalog, d *program.Dataset, folder func(root string) fs.FS) (*feed.Feed, error) {
	set, err := part.New[part.Dataset](c, d.Call)
	if err != nil {
		return nil, place.At(d.Origin, err)
	}
	samples, err := set.Open(folder)
	if err != nil {
		return nil, place.Unreadable(d.Origin, err)
	}
	f := &feed.Feed{Samples: samples, Spec: set.Spec()}
	for _, call := range d.Transforms {
		t, err := part.New[part.Transform](c, call)
		if err == nil {
			f.Spec, err = part.Transformed(f.Spec, t)
		}
		if err != nil {
			return nil, place.At(call.Origin, err)
		}
		f.Transforms = append(f.Transforms, t)
	}
	return f, nil
}
