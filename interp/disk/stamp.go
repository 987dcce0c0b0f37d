package disk

import (
	"io/fs"
	"time"
)

// Digest describes a data file at the time when it was hashed. The other fields show quickly that the file is still the
// same.
type Digest struct {
	Bytes    int64  `json:"bytes"`
	Modified int64  `json:"modified"`          // nanoseconds since 1970
	Changed  int64  `json:"changed,omitempty"` // the inode's change time, likewise; 0: the file is hashed every time
	Inode    uint64 `json:"inode,omitempty"`
	SHA256   string `json:"sha256"`
}

// leastAge is the least age of a file's last change. If it is younger, another change could have the same change time;
// leastAge is longer than the resolution of any file system's clock.
const leastAge = 2 * time.Second

// Stamp returns the file's Digest at the time now, without the hash. The change time is left out if the system has
// none, or if the file changed so recently that another change could have the same time (what git calls racy).
func Stamp(info fs.FileInfo, now time.Time) Digest {
	d := Digest{Bytes: info.Size(), Modified: info.ModTime().UnixNano()}
	changed, inode := changeOf(info)
	if changed > 0 && inode > 0 && changed < now.Add(-leastAge).UnixNano() {
		d.Changed, d.Inode = changed, inode
	}
	return d
}

// Same reports whether the file is certainly the one of the other digest.
func (d Digest) Same(o Digest) bool {
	d.SHA256 = o.SHA256
	return d == o && d.Changed > 0
}
