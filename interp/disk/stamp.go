package disk

import (
	"io/fs"
	"time"
)

// Digest is what a data file was when it was hashed. Everything but the hash is
// there to find out quickly that the file is still the same.
type Digest struct {
	Bytes    int64  `json:"bytes"`
	Modified int64  `json:"modified"`          // nanoseconds since 1970
	Changed  int64  `json:"changed,omitempty"` // the inode's change time, likewise; 0: the file is hashed every time
	Inode    uint64 `json:"inode,omitempty"`
	SHA256   string `json:"sha256"`
}

// settled is how long ago a file must have changed last for its change time to tell
// it from one that was changed once more: longer than any file system's clock takes
// to move on.
const settled = 2 * time.Second

// Stamp is the file's Digest at the time now, without the hash. The change time is
// left out where the system has none, and where the file changed so lately that
// another change could bear the same time (what git calls racy).
func Stamp(info fs.FileInfo, now time.Time) Digest {
	d := Digest{Bytes: info.Size(), Modified: info.ModTime().UnixNano()}
	changed, inode := changeOf(info)
	if changed > 0 && inode > 0 && changed < now.Add(-settled).UnixNano() {
		d.Changed, d.Inode = changed, inode
	}
	return d
}

// Same reports whether the file is surely that of the other digest.
func (d Digest) Same(o Digest) bool {
	d.SHA256 = o.SHA256
	return d == o && d.Changed > 0
}
