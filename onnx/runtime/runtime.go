// Package runtime computes ONNX models with ONNX Runtime, where a Python with it is installed: qpipe itself never needs one. What is
// compared with it is computed by onnx/eval, too.
package runtime

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"qpipe/onnx/model"
	"qpipe/onnx/value"
)

//go:embed run.py
var programs embed.FS

// Absent is the error if there is no Python with ONNX Runtime.
type Absent struct{ Why string }

func (a *Absent) Error() string {
	return "there is no ONNX Runtime: " + a.Why + "; pip install onnxruntime, and let QPIPE_PYTHON name that Python"
}

// Session is a model in a process of its own. It is not safe for concurrent use.
type Session struct {
	Version string // of ONNX Runtime

	folder string
	cmd    *exec.Cmd
	in     *bufio.Writer
	closer io.Closer
	out    *bufio.Reader
	errors bytes.Buffer
}

// Options say how a session computes.
type Options struct {
	Python   string // the program; "" is python3
	Optimize bool   // with all optimizations of the graph, or with none
	Threads  int    // 0 is one
}

// types are the names that NumPy has for types.
func types() map[model.Type]string {
	return map[model.Type]string{
		model.Float: "float32", model.Double: "float64", model.Int8: "int8", model.Uint8: "uint8", model.Int16: "int16", model.Uint16: "uint16",
		model.Int32: "int32", model.Int64: "int64", model.Bool: "bool",
	}
}

// Open starts a session. The error is an *Absent if there is no ONNX Runtime, else what it says of the model.
func Open(ctx context.Context, m *model.Model, o Options) (*Session, error) {
	data, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "qpipe-onnx-")
	if err != nil {
		return nil, &Absent{"its model has no place: " + err.Error()}
	}
	s := &Session{folder: folder}
	path := filepath.Join(folder, "model.onnx")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	level := "off"
	if o.Optimize {
		level = "on"
	}
	program, err := programs.ReadFile("run.py")
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.cmd = exec.CommandContext(ctx, cmp.Or(o.Python, "python3"), "-c", string(program), path, level, fmt.Sprint(max(o.Threads, 1)))
	s.cmd.Stderr = &s.errors
	s.cmd.WaitDelay = time.Second
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.in, s.closer, s.out = bufio.NewWriter(in), in, bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return nil, errors.Join(&Absent{err.Error()}, s.Close())
	}
	if err := s.greeting(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// greeting reads the first line.
func (s *Session) greeting() error {
	var first struct{ Version, Error string }
	line, err := s.line()
	switch {
	case err != nil:
		return &Absent{err.Error()}
	case json.Unmarshal(line, &first) != nil:
		return &Absent{fmt.Sprintf("Python printed %q", strings.TrimSpace(string(line)))}
	case strings.HasPrefix(first.Error, "ModuleNotFoundError"):
		return &Absent{first.Error}
	case first.Error != "":
		return errors.New(first.Error)
	}
	s.Version = first.Version
	return nil
}

// line reads a line; if there is none, the error is what the process said at its end.
func (s *Session) line() ([]byte, error) {
	line, err := s.out.ReadBytes('\n')
	if err == nil {
		return line, nil
	}
	ended := s.cmd.Wait()
	if text := strings.TrimSpace(s.errors.String()); text != "" {
		lines := strings.Split(text, "\n")
		return nil, errors.New(lines[len(lines)-1])
	}
	return nil, errors.Join(err, ended)
}

// array is an array in a request or an answer: its name, its type and its shape.
type array struct {
	name, kind string
	dims       []int
}

// MarshalJSON implements json.Marshaler.
func (a array) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{a.name, a.kind, append([]int{}, a.dims...)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *array) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&a.name, &a.kind, &a.dims})
}

// Run computes the model's outputs.
func (s *Session) Run(inputs map[string]*value.Value) (map[string]*value.Value, error) {
	var head []array
	var data [][]byte
	for name, v := range inputs {
		head, data = append(head, array{name, types()[v.Type], v.Dims}), append(data, v.Tensor(name).Data)
	}
	line, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	for _, b := range append([][]byte{append(line, '\n')}, data...) {
		if _, err := s.in.Write(b); err != nil {
			return nil, s.ended(err)
		}
	}
	if err := s.in.Flush(); err != nil {
		return nil, s.ended(err)
	}
	return s.answer()
}

// ended says why a process does not read any more.
func (s *Session) ended(err error) error {
	if _, more := s.line(); more != nil {
		return more
	}
	return err
}

func (s *Session) answer() (map[string]*value.Value, error) {
	line, err := s.line()
	if err != nil {
		return nil, err
	}
	var failed struct{ Error string }
	if json.Unmarshal(line, &failed) == nil && failed.Error != "" {
		return nil, errors.New(failed.Error)
	}
	var head []array
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, err
	}
	out := map[string]*value.Value{}
	for _, a := range head {
		t := &model.Tensor{Name: a.name, Dims: a.dims}
		for k, name := range types() {
			if name == a.kind {
				t.Type = k
			}
		}
		if t.Type == 0 {
			return nil, fmt.Errorf("the output %q is of the type %s", a.name, a.kind)
		}
		t.Data = make([]byte, t.Len()*t.Type.Bits()/8)
		if _, err := io.ReadFull(s.out, t.Data); err != nil {
			return nil, err
		}
		out[a.name] = value.Of(t)
	}
	return out, nil
}

// Close ends the process, and removes its files.
func (s *Session) Close() error {
	if s.cmd != nil {
		_ = s.closer.Close() // ends the process
		_ = s.cmd.Wait()     // how it ends does not matter any more
	}
	return os.RemoveAll(s.folder)
}
