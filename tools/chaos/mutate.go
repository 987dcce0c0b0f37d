//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// decodeJSON reads a value, with numbers as they are written.
func decodeJSON(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// deep and huge stand for values that no JSON library writes.
const (
	deep = "@deep@"
	huge = "@huge@"
)

// encodeJSON writes a value as the program does, with what stands for unlikely values.
func encodeJSON(v any, indent string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return []byte(err.Error())
	}
	out := bytes.ReplaceAll(buf.Bytes(), []byte(`"`+deep+`"`), []byte(strings.Repeat("[", 20000)+strings.Repeat("]", 20000)))
	return bytes.ReplaceAll(out, []byte(`"`+huge+`"`), []byte("1e999"))
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// sealManifest writes a manifest with its hash, as docs/format.md says.
func sealManifest(m any) []byte {
	zeros := strings.Repeat("0", 64)
	top, ok := m.(map[string]any)
	if !ok {
		return encodeJSON(m, "  ")
	}
	if _, has := top["sha256"].(string); !has {
		return encodeJSON(m, "  ")
	}
	top["sha256"] = zeros
	data := encodeJSON(m, "  ")
	return bytes.Replace(data, []byte(zeros), []byte(sum(data)), 1)
}

// sealTensors writes a safetensors file with its hash, as docs/format.md says.
func sealTensors(header any, data []byte) []byte {
	zeros := strings.Repeat("0", 64)
	if top, ok := header.(map[string]any); ok {
		if meta, ok := top["__metadata__"].(map[string]any); ok && meta["sha256"] != nil {
			meta["sha256"] = zeros
		}
	}
	text := bytes.TrimSpace(encodeJSON(header, ""))
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	file = append(append(file, text...), data...)
	return bytes.Replace(file, []byte(zeros), []byte(sum(file)), 1)
}

// walk visits every value of a JSON tree.
func walk(v any, visit func(any)) {
	visit(v)
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			walk(v[k], visit)
		}
	case []any:
		for _, e := range v {
			walk(e, visit)
		}
	}
}

// replaceStrings changes every text of a JSON tree.
func replaceStrings(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case map[string]any:
		for k, e := range v {
			v[k] = replaceStrings(e, f)
		}
	case []any:
		for i, e := range v {
			v[i] = replaceStrings(e, f)
		}
	}
	return v
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// mutate changes a value somewhere in a JSON tree and says what it did.
func (t *trial) mutate(v any) (any, string) {
	count, what := 0, ""
	like := func(string) bool { return true }
	if t.r.IntN(2) == 0 { // what leads somewhere, or decides something
		key := one(t.r, "name", "path", "stage", "state", "sha256", "bytes", "hash", "previous", "artifacts", "shape", "data_offsets", "kept", "files")
		like = func(place string) bool { return strings.HasSuffix(strings.TrimRight(place, "[]0123456789"), "."+key) }
	}
	t.alter(v, "", like, &count, &what)
	if count == 0 {
		like = func(string) bool { return true }
		t.alter(v, "", like, &count, &what)
	}
	at := -1 - t.r.IntN(count)
	return t.alter(v, "", like, &at, &what), what
}

// alter counts the values that like likes, or changes the one that at, which is negative,
// has counted to zero.
func (t *trial) alter(v any, place string, like func(string) bool, at *int, what *string) any {
	if like(place) {
		if *at++; *at == 0 {
			out := t.instead(v)
			*what = fmt.Sprintf("%s = %.60s", place, bytes.TrimSpace(encodeJSON(out, "")))
			return out
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if v[k] = t.alter(v[k], place+"."+k, like, at, what); *what != "" {
				break
			}
		}
	case []any:
		for i := range v {
			if v[i] = t.alter(v[i], fmt.Sprintf("%s[%d]", place, i), like, at, what); *what != "" {
				break
			}
		}
	}
	return v
}

// instead draws what stands in the place of a value.
func (t *trial) instead(v any) any {
	if t.r.IntN(5) == 0 {
		return one[any](t.r, nil, true, "", []any{}, map[string]any{}, json.Number("0"), json.Number("-1"), deep, huge)
	}
	switch v := v.(type) {
	case string:
		return t.hostileText()
	case json.Number:
		return one[any](t.r, json.Number("-1"), json.Number("0"), json.Number("1"), json.Number("2147483648"), json.Number("4294967297"), json.Number("9223372036854775807"),
			json.Number("-9223372036854775808"), json.Number("18446744073709551616"), json.Number("1e18"), json.Number("1e308"), json.Number("0.5"), json.Number("1000000000"), json.Number("1000000"), huge, "NaN")
	case bool:
		return !v
	case []any:
		return t.insteadOfList(v)
	case map[string]any:
		return t.insteadOfObject(v)
	}
	return t.hostileText()
}

func (t *trial) insteadOfList(v []any) any {
	if len(v) == 0 {
		return []any{nil}
	}
	i := t.r.IntN(len(v))
	switch t.r.IntN(5) {
	case 0:
		return slices.Delete(slices.Clone(v), i, i+1)
	case 1:
		return append(slices.Clone(v), v[i])
	case 2:
		return slices.Insert(slices.Clone(v), i, any(nil))
	case 3:
		return slices.Repeat(v, 1000)
	default:
		w := slices.Clone(v)
		slices.Reverse(w)
		return w
	}
}

func (t *trial) insteadOfObject(v map[string]any) any {
	if len(v) == 0 {
		return map[string]any{"x": nil}
	}
	w := maps.Clone(v)
	key := one(t.r, sortedKeys(v)...)
	switch t.r.IntN(5) {
	case 0:
		delete(w, key)
	case 1:
		w[strings.ToUpper(key)] = t.instead(v[key])
	case 2:
		w[key] = w[one(t.r, sortedKeys(v)...)]
	case 3:
		w[t.hostileText()] = v[key]
	default:
		delete(w, key)
		w[t.hostileText()] = v[key]
	}
	return w
}

// hostileText draws a text that is not what it should be, often a path.
func (t *trial) hostileText() string {
	if t.r.IntN(2) == 0 {
		return t.elsewhere()
	}
	return one(t.r, "", ".", "..", "/", `\`, `..\mine`, "a/b", "a\x00b", "lock", "manifest.json", ".previous", "FLOAT", "float", "qat", "last", "Last", "int8", " ", "\n", "\u202e", "~", "$HOME", "CON", "-force",
		"float/last.safetensors", "mine/last.safetensors", ".previous/qat/1/last.safetensors", strings.Repeat("a", 300), strings.Repeat("a/", 5000), strings.Repeat("9", 400), "NaN", "+Inf", "null", "{}", "complete", "running", "interrupted", "float32", "int4", "quantized", "conv", deep, huge)
}
