//go:build linux

// Package forge reads the files of docs/format.md as trees of JSON, and writes changed ones with the right hash.
package forge

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Decode reads a value, with numbers as they are written.
func Decode(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// Deep and Huge represent values that no JSON library writes.
const (
	Deep = "@deep@"
	Huge = "@huge@"
)

// Encode writes a value as the program does, with Deep and Huge written out.
func Encode(v any, indent string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return []byte(err.Error())
	}
	out := bytes.ReplaceAll(buf.Bytes(), []byte(`"`+Deep+`"`), []byte(strings.Repeat("[", 20000)+strings.Repeat("]", 20000)))
	return bytes.ReplaceAll(out, []byte(`"`+Huge+`"`), []byte("1e999"))
}

// Sum is the hash of bytes, in hexadecimal digits.
func Sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// SealManifest writes a manifest with its hash, as docs/format.md says.
func SealManifest(m any) []byte {
	zeros := strings.Repeat("0", 64)
	top, ok := m.(map[string]any)
	if !ok {
		return Encode(m, "  ")
	}
	if _, has := top["sha256"].(string); !has {
		return Encode(m, "  ")
	}
	top["sha256"] = zeros
	data := Encode(m, "  ")
	return bytes.Replace(data, []byte(zeros), []byte(Sum(data)), 1)
}

// SealTensors writes a safetensors file with its hash, as docs/format.md says.
func SealTensors(header any, data []byte) []byte {
	zeros := strings.Repeat("0", 64)
	if top, ok := header.(map[string]any); ok {
		if meta, ok := top["__metadata__"].(map[string]any); ok && meta["sha256"] != nil {
			meta["sha256"] = zeros
		}
	}
	text := bytes.TrimSpace(Encode(header, ""))
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	file = append(append(file, text...), data...)
	return bytes.Replace(file, []byte(zeros), []byte(Sum(file)), 1)
}

// Walk visits every value of a JSON tree.
func Walk(v any, visit func(any)) {
	visit(v)
	switch v := v.(type) {
	case map[string]any:
		for _, k := range Keys(v) {
			Walk(v[k], visit)
		}
	case []any:
		for _, e := range v {
			Walk(e, visit)
		}
	}
}

// ReplaceStrings changes every text of a JSON tree.
func ReplaceStrings(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case map[string]any:
		for k, e := range v {
			v[k] = ReplaceStrings(e, f)
		}
	case []any:
		for i, e := range v {
			v[i] = ReplaceStrings(e, f)
		}
	}
	return v
}

// Keys are the names in an object, sorted.
func Keys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// Metadata reads the texts in a checkpoint's header.
func Metadata(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	header, _, err := Split(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	var h struct {
		Metadata map[string]string `json:"__metadata__"`
	}
	err = json.Unmarshal(header, &h)
	return h.Metadata, err
}

// Split cuts a safetensors file into its header and its data.
func Split(file []byte) (header, data []byte, err error) {
	if len(file) < 8 {
		return nil, nil, fmt.Errorf("shorter than its header's length")
	}
	n := binary.LittleEndian.Uint64(file)
	if n > uint64(len(file)-8) {
		return nil, nil, fmt.Errorf("shorter than its header")
	}
	return file[8 : 8+n], file[8+n:], nil
}
