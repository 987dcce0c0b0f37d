package runs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"qpipe/interp/artifact"
	"qpipe/interp/disk"
	"qpipe/lang/diag"
	"qpipe/lang/files"
)

const maxLog = 1 << 30

// Log is a file of JSON lines that grows at its end.
type Log struct {
	run  *Run
	name string
	file *os.File
}

// OpenLog opens a log of the run, making it if need be. What a crash left of a
// torn last line is cut off.
func (r *Run) OpenLog(name string) (*Log, error) {
	if err := r.mine(name); err != nil {
		return nil, err
	}
	f, err := r.Root().OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, r.unwritable(name, err)
	}
	l := &Log{r, name, f}
	if err := l.repair(); err != nil {
		_ = f.Close()
		return nil, &artifact.FileError{Path: r.Path(name), Code: diag.Unreadable, Err: err}
	}
	return l, nil
}

// repair cuts the file after its last whole line and goes to its end.
func (l *Log) repair() error {
	size, err := l.file.Seek(0, 2)
	if err != nil {
		return err
	}
	end, err := l.lastNewline(size)
	if err != nil {
		return err
	}
	if end < size {
		if err := l.file.Truncate(end); err != nil {
			return err
		}
	}
	_, err = l.file.Seek(end, 0)
	return err
}

func (l *Log) lastNewline(size int64) (int64, error) {
	buf := make([]byte, 4096)
	for end := size; end > 0; {
		start := max(0, end-int64(len(buf)))
		n, err := l.file.ReadAt(buf[:end-start], start)
		if err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// Append adds v as a line.
func (l *Log) Append(v any) error {
	line, err := json.Marshal(v)
	if err == nil {
		err = l.run.Trace(disk.StepAppend, l.name)
	}
	if err == nil {
		_, err = l.file.Write(append(line, '\n'))
	}
	if err != nil {
		return l.run.unwritable(l.name, err)
	}
	return nil
}

// Sync makes the lines durable.
func (l *Log) Sync() error {
	if err := l.run.SyncFile(l.file); err != nil {
		return l.run.unwritable(l.name, err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// Trim drops the lines that keep does not want, and those that are not JSON.
func (l *Log) Trim(keep func(line []byte) bool) error {
	data, err := files.ReadIn(l.run.Root(), l.name, maxLog)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l.run.unwritable(l.name, err)
	}
	var kept []byte
	for line := range bytes.Lines(data) {
		if sealed(line) && keep(line) {
			kept = append(kept, line...)
		}
	}
	if bytes.Equal(kept, data) {
		return nil
	}
	if err := l.run.Write(l.name, kept); err != nil {
		return l.run.unwritable(l.name, err)
	}
	return l.reopen()
}

// reopen follows the name to the file that has replaced the old one.
func (l *Log) reopen() error {
	next, err := l.run.OpenLog(l.name)
	if err != nil {
		return err
	}
	_ = l.file.Close()
	l.file = next.file
	return nil
}

// sealed reports whether a line is as it was written.
func sealed(line []byte) bool { return json.Valid(line) }
