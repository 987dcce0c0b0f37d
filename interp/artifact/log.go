package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"

	"qpipe/lang/diag"
)

const maxLog = 1 << 30

// Log is a file of JSON lines that grows at its end.
type Log struct {
	disk *Disk
	path string
	file *os.File
}

// OpenLog opens the log at path, making it if need be. What a crash left of a
// torn last line is cut off.
func OpenLog(d *Disk, path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, &FileError{path, diag.Unwritable, plain(err)}
	}
	l := &Log{d, path, f}
	if err := l.repair(); err != nil {
		_ = f.Close()
		return nil, asFileError(path, err)
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
	if err != nil {
		return &FileError{l.path, diag.Unwritable, err}
	}
	if err := l.disk.trace(StepAppend, l.path); err != nil {
		return &FileError{l.path, diag.Unwritable, err}
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return &FileError{l.path, diag.Unwritable, plain(err)}
	}
	return nil
}

// Sync makes the lines durable.
func (l *Log) Sync() error {
	if err := l.disk.sync(l.file); err != nil {
		return &FileError{l.path, diag.Unwritable, plain(err)}
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// Trim drops the lines that keep does not want, and those that are not JSON.
func (l *Log) Trim(keep func(line []byte) bool) error {
	data, err := readLimited(l.path, maxLog)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return asFileError(l.path, err)
	}
	var kept []byte
	for line := range bytes.Lines(data) {
		if json.Valid(line) && keep(line) {
			kept = append(kept, line...)
		}
	}
	if bytes.Equal(kept, data) {
		return nil
	}
	if err := l.disk.Write(l.path, kept); err != nil {
		return &FileError{l.path, diag.Unwritable, err}
	}
	return l.reopen()
}

// reopen follows the name to the file that has replaced the old one.
func (l *Log) reopen() error {
	next, err := OpenLog(l.disk, l.path)
	if err != nil {
		return err
	}
	_ = l.file.Close()
	l.file = next.file
	return nil
}
