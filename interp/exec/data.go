package exec

import (
	"io/fs"

	"qpipe/interp/data"
	"qpipe/interp/feed"
	"qpipe/lang/program"
)

// opened is an opened data set with its transforms, kept for the other stages.
type opened struct {
	*feed.Feed
	err error
}

// feed opens a data set; nil for none.
func (s *session) feed(d *program.Dataset) (*feed.Feed, error) {
	if d == nil {
		return nil, nil
	}
	f, known := s.feeds[d]
	if !known {
		f = &opened{}
		f.Feed, f.err = data.Open(s.plan.Catalog, d, s.data)
		s.feeds[d] = f
	}
	return f.Feed, f.err
}

// data opens a folder of data, relative to the pipeline's.
func (s *session) data(root string) fs.FS { return s.FS(s.resolve(root)) }

// digests hashes the files of a folder of data, or recalls their hashes.
func (s *session) digests(root string, names []string, afresh bool) (map[string]string, error) {
	return s.sums.Of(s.data(root), s.resolve(root), names, afresh)
}
