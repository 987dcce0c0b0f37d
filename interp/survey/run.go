package survey

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"time"

	"qpipe/interp/data"
	"qpipe/interp/disk"
	"qpipe/interp/feed"
	"qpipe/interp/part"
	"qpipe/interp/place"
	"qpipe/lang/diag"
	"qpipe/lang/files"
	"qpipe/lang/program"
)

// Options are the arguments of Run.
type Options struct {
	Data   *program.Dataset
	Images int    // look only at the first so many; 0: all
	PNG    string // a file for the sheet of what the network is fed; "" for none
	Clock  func() time.Time
	FS     func(root string) fs.FS // the file system of a folder of data, whose path is resolved against the pipeline's
}

// onSheet is how many images are drawn.
const onSheet = 64

// Run opens a data set of the program, looks through it and draws it. There is no Survey if there is an error.
func Run(p *program.Program, c part.Catalog, o Options) (*Survey, diag.List) {
	f, err := data.Open(c, o.Data, func(root string) fs.FS { return o.FS(p.Path(root)) })
	if err != nil {
		return nil, diag.List{place.As(err).Diagnostic}
	}
	var list diag.List
	if w := data.Skips(o.Data, f); w != nil {
		list = append(list, w)
	}
	seed := uint64(p.Settings.Seed)
	began := o.Clock()
	s, err := Of(f, o.Images, seed, cmp.Or(p.Settings.Threads, runtime.GOMAXPROCS(0)))
	seconds := o.Clock().Sub(began).Seconds()
	if err == nil && o.PNG != "" {
		err = drawn(f, o.PNG, seed)
	}
	if err != nil {
		return nil, append(list, place.As(place.At(o.Data.Origin, err)).Diagnostic)
	}
	s.Data, s.Type, s.Seconds, s.PerSecond = "dataset."+o.Data.Name, o.Data.Type, seconds, float64(s.Read)/max(seconds, 1e-9)
	return s, list
}

// drawn writes the sheet into a file.
func drawn(f *feed.Feed, path string, seed uint64) error {
	sheet, err := Sheet(f, onSheet, seed)
	if err != nil {
		return err
	}
	folder, err := disk.Open(filepath.Dir(path), disk.Options{})
	if err == nil {
		defer func() { _ = folder.Close() }() // only a handle
		err = folder.Write(filepath.Base(path), sheet)
	}
	if err != nil {
		return &place.Error{Diagnostic: &diag.Diagnostic{Code: diag.Unwritable, Summary: fmt.Sprintf("%s cannot be written: %v", path, files.Cause(err))}}
	}
	return nil
}
