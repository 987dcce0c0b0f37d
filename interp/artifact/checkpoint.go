package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"qpipe/interp/checkpoint"
	"qpipe/interp/part"
	"qpipe/lang/diag"
	"qpipe/ops/nn"
)

// Version is the version of the checkpoint format that this program writes;
// docs/format.md describes it. Files from version oldest on are read.
const (
	Version = 2
	oldest  = 1
)

// Limits of what is read: a larger file or header is refused before memory is allocated for it.
const (
	maxFile   = 4 << 30
	maxHeader = 8 << 20
)

// Prefixes of tensors that do not belong to the model itself.
const (
	shadowPrefix    = "ema."
	optimizerPrefix = "optimizer."
)

// Ext is the file name extension of checkpoints and models.
const Ext = ".safetensors"

const hashKey = "sha256"

// Encode returns the snapshot as a safetensors file: the model's tensors by
// their names, those of the averaged weights under "ema.", those of optimizer
// slots under "optimizer.<slot>.", everything else as text in __metadata__. Equal
// snapshots give equal bytes. The metadata's sha256 is that of the file with 64
// zeros in its place.
func Encode(s *checkpoint.Snapshot) ([]byte, error) {
	tensors := map[string]view{}
	if err := addViews(tensors, "", s.Model); err != nil {
		return nil, err
	}
	if err := addViews(tensors, shadowPrefix, s.Shadow); err != nil {
		return nil, err
	}
	for slot, ts := range s.Optimizer {
		if strings.Contains(slot, ".") {
			return nil, fmt.Errorf("the optimizer slot %q has a dot in its name", slot)
		}
		if err := addViews(tensors, optimizerPrefix+slot+".", ts); err != nil {
			return nil, err
		}
	}
	meta, err := encodeMeta(s)
	if err != nil {
		return nil, err
	}
	meta[hashKey] = noHash()
	data, err := safetensors.Serialize(tensors, meta)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	copy(data[hashAt(data, noHash()):], hex.EncodeToString(sum[:]))
	return data, nil
}

func noHash() string { return strings.Repeat("0", 2*sha256.Size) }

// hashAt finds the place of the hash's digits, -1 if it is not there. Inside
// other strings the quotes would be escaped, so the place is the only one.
func hashAt(data []byte, digits string) int {
	key := `"` + hashKey + `":"`
	i := bytes.Index(data, []byte(key+digits+`"`))
	if i < 0 {
		return -1
	}
	return i + len(key)
}

// Decode is Encode's inverse. It verifies the hash and names the file path in
// its errors; the snapshot shares no memory with data.
func Decode(path string, data []byte) (*checkpoint.Snapshot, error) {
	c, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	return decodeOurs(path, data, c)
}

// decodeOurs decodes a checkpoint of qpipe, of which c is what parse returns.
func decodeOurs(path string, data []byte, c *contents) (*checkpoint.Snapshot, error) {
	if err := checkFormat(path, c.meta); err != nil {
		return nil, err
	}
	hashed := make(chan error, 1)
	go func() { hashed <- checkHash(path, data, c.meta) }() // meanwhile the rest is decoded
	s, err := build(path, c)
	if bad := <-hashed; bad != nil {
		return nil, bad
	}
	return s, err
}

// parse reads a whole file: its texts, its tensors, and the bytes that contain them.
func parse(path string, data []byte) (*contents, error) {
	if len(data) < 8 || headerLen(data) > uint64(len(data))-8 {
		return nil, notSafetensors(path, data, int64(len(data)))
	}
	n := headerLen(data) + 8
	meta, tensors, err := decodeHeader(data[8:n], uint64(len(data))-n)
	if err != nil {
		return nil, damaged(path, "not a sound safetensors file: %w", err)
	}
	return &contents{meta: meta, tensors: tensors, data: data[n:]}, nil
}

// contents is what a safetensors file holds.
type contents struct {
	meta    map[string]string
	tensors []entry
	data    []byte // nil if only the header was read

	size, head int64  // of the file, and of the header's text; if the header was read first
	text       []byte // of the header
}

// notSafetensors says what is wrong with a file of that size that begins with head: it is of another kind, or cut
// short.
func notSafetensors(path string, head []byte, size int64) error {
	what, way := part.Recognize(head)
	switch {
	case what != "" && len(head) > 0:
		return &FileError{path, diag.NotCheckpoint, fmt.Errorf("is %s, not a safetensors file: %s", what, way)}
	case len(head) == 0:
		return damaged(path, "cut short: it is an empty file")
	case len(head) < 8:
		return damaged(path, "cut short: %d bytes, not even the length of the header", size)
	}
	n := headerLen(head)
	if n > maxHeader {
		return damaged(path, "not a safetensors file, or damaged: the header claims %d bytes, more than the %d that are accepted", n, maxHeader)
	}
	return damaged(path, "cut short: the header claims %d bytes, the file has %d", n, size)
}

// checkFormat distinguishes our checkpoints from other safetensors files. A file that has any of our keys is ours,
// whatever else is wrong with it.
func checkFormat(path string, meta map[string]string) error {
	v, ok := meta["format_version"]
	if !ok {
		if _, ours := meta[hashKey]; ours {
			return damaged(path, "the format version is missing")
		}
		return &FileError{path, diag.NotCheckpoint, fmt.Errorf("a safetensors file, but not a checkpoint of qpipe: its metadata has no format_version")}
	}
	if n := versionOf(meta); n < oldest || n > Version {
		return &FileError{path, diag.UnknownFormat, fmt.Errorf("has the format version %q; this program reads versions %d to %d", clip(v), oldest, Version)}
	}
	if err := nn.Later([]byte(meta["structure"])); err != nil {
		return &FileError{path, diag.UnknownFormat, err}
	}
	return nil
}

// versionOf is the format version in a file, 0 for none.
func versionOf(meta map[string]string) int {
	n, err := strconv.Atoi(meta["format_version"])
	if err != nil || strconv.Itoa(n) != meta["format_version"] {
		return 0
	}
	return n
}

func checkHash(path string, data []byte, meta map[string]string) error {
	want := meta[hashKey]
	at := hashAt(data, want)
	if len(want) != 2*sha256.Size || at < 0 {
		return damaged(path, "its sha256 is missing")
	}
	h := sha256.New()
	h.Write(data[:at])
	h.Write([]byte(noHash()))
	h.Write(data[at+len(want):])
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return otherHash(path, meta, got)
	}
	return nil
}

func otherHash(path string, meta map[string]string, got string) error {
	return damaged(path, "its content does not match its hash (sha256 %s…, the file says %s…): it was changed or cut. "+
		"Copy it again, or run stage %q again, which wrote it", got[:12], clip(meta[hashKey])[:12], clip(meta["stage"]))
}

func build(path string, c *contents) (*checkpoint.Snapshot, error) {
	s := &checkpoint.Snapshot{}
	if err := decodeMeta(s, c.meta); err != nil {
		return nil, damaged(path, "its metadata cannot be read: %w", err)
	}
	if err := c.fill(s); err != nil {
		return nil, damaged(path, "%w", err)
	}
	if err := upgrade(s, versionOf(c.meta)); err != nil {
		return nil, damaged(path, "%w", err)
	}
	return s, nil
}

// fill puts all tensors into the snapshot, by the prefixes of their names if the file is one of ours. If only the
// header was read, there are names, shapes and types without data.
func (c *contents) fill(s *checkpoint.Snapshot) error {
	_, ours := c.meta["format_version"]
	for _, e := range c.tensors {
		b := e.data
		if c.data != nil {
			b = c.data[e.begin:e.end]
		}
		t, err := e.tensor(b)
		switch {
		case err != nil:
		case ours:
			err = place(s, t)
		default:
			s.Model = append(s.Model, t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// place puts a tensor where its prefix says.
func place(s *checkpoint.Snapshot, t nn.Tensor) error {
	if name, ok := strings.CutPrefix(t.Name, shadowPrefix); ok {
		t.Name = name
		s.Shadow = append(s.Shadow, t)
		return nil
	}
	rest, ok := strings.CutPrefix(t.Name, optimizerPrefix)
	if !ok {
		s.Model = append(s.Model, t)
		return nil
	}
	slot, name, ok := strings.Cut(rest, ".")
	if !ok {
		return fmt.Errorf("the tensor %q names no parameter", clip(t.Name))
	}
	if s.Optimizer == nil {
		s.Optimizer = map[string][]nn.Tensor{}
	}
	t.Name = name
	s.Optimizer[slot] = append(s.Optimizer[slot], t)
	return nil
}

// clip shortens text from a file before it reaches a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
