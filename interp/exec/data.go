package exec

import (
	"io/fs"

	"qpipe/interp/data"
	"qpipe/interp/feed"
	"qpipe/lang/program"
)

// opened is the result of opening a data set, which is kept for other stages.
type opened struct {
	*feed.Feed
	err error
}

// feed returns the feed of a data set, which it opens once; nil if d is nil.
func (s *session) feed(d *program.Dataset) (*feed.Feed, error) {
	if d == nil {
		return nil, nil
	}
	f, known := s.feeds[d]
	if !known {
		f = &opened{}
		f.Feed, f.err = data.Open(s.plan.Catalog, d, s.data)
		s.feeds[d] = f
		if f.err == nil {
			if w := data.Skips(d, f.Feed); w != nil {
				s.fail(w)
			}
		}
	}
	return f.Feed, f.err
}

// data returns the file system of a folder of data; root is relative to the pipeline's folder.
func (s *session) data(root string) fs.FS { return s.FS(s.resolve(root)) }

// digests returns the hashes of files in a folder of data; see data.Sums.Of.
func (s *session) digests(root string, names []string, afresh bool) (map[string]string, error) {
	return s.sums.Of(s.data(root), s.resolve(root), names, afresh)
}
