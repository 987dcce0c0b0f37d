//go:build linux

package draw

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"qpipe/tools/chaos/forge"
)

// Mutator changes JSON trees at random.
type Mutator struct {
	R         *rand.Rand
	Elsewhere func() string // draws a path that leads outside of where it should
}

// Change changes a value somewhere in a JSON tree and says what it did.
func (m *Mutator) Change(v any) (any, string) {
	count, what := 0, ""
	like := func(string) bool { return true }
	if m.R.IntN(2) == 0 { // values that are paths, or decide something
		key := One(m.R, "name", "path", "stage", "state", "sha256", "bytes", "hash", "previous", "artifacts", "shape", "data_offsets", "kept", "files")
		like = func(place string) bool { return strings.HasSuffix(strings.TrimRight(place, "[]0123456789"), "."+key) }
	}
	m.alter(v, "", like, &count, &what)
	if count == 0 {
		like = func(string) bool { return true }
		m.alter(v, "", like, &count, &what)
	}
	at := -1 - m.R.IntN(count)
	return m.alter(v, "", like, &at, &what), what
}

// alter counts the values for which like is true, and changes the one at which the negative count at reaches zero.
func (m *Mutator) alter(v any, place string, like func(string) bool, at *int, what *string) any {
	if like(place) {
		if *at++; *at == 0 {
			out := m.instead(v)
			*what = fmt.Sprintf("%s = %.60s", place, bytes.TrimSpace(forge.Encode(out, "")))
			return out
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range forge.Keys(v) {
			if v[k] = m.alter(v[k], place+"."+k, like, at, what); *what != "" {
				break
			}
		}
	case []any:
		for i := range v {
			if v[i] = m.alter(v[i], fmt.Sprintf("%s[%d]", place, i), like, at, what); *what != "" {
				break
			}
		}
	}
	return v
}

// instead draws a replacement for a value.
func (m *Mutator) instead(v any) any {
	if m.R.IntN(5) == 0 {
		return One[any](m.R, nil, true, "", []any{}, map[string]any{}, json.Number("0"), json.Number("-1"), forge.Deep, forge.Huge)
	}
	switch v := v.(type) {
	case string:
		return m.Text()
	case json.Number:
		return One[any](m.R, json.Number("-1"), json.Number("0"), json.Number("1"), json.Number("2147483648"), json.Number("4294967297"), json.Number("9223372036854775807"),
			json.Number("-9223372036854775808"), json.Number("18446744073709551616"), json.Number("1e18"), json.Number("1e308"), json.Number("0.5"), json.Number("1000000000"), json.Number("1000000"), forge.Huge, "NaN")
	case bool:
		return !v
	case []any:
		return m.insteadOfList(v)
	case map[string]any:
		return m.insteadOfObject(v)
	}
	return m.Text()
}

func (m *Mutator) insteadOfList(v []any) any {
	if len(v) == 0 {
		return []any{nil}
	}
	i := m.R.IntN(len(v))
	switch m.R.IntN(5) {
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

func (m *Mutator) insteadOfObject(v map[string]any) any {
	if len(v) == 0 {
		return map[string]any{"x": nil}
	}
	w := maps.Clone(v)
	key := One(m.R, forge.Keys(v)...)
	switch m.R.IntN(5) {
	case 0:
		delete(w, key)
	case 1:
		w[strings.ToUpper(key)] = m.instead(v[key])
	case 2:
		w[key] = w[One(m.R, forge.Keys(v)...)]
	case 3:
		w[m.Text()] = v[key]
	default:
		delete(w, key)
		w[m.Text()] = v[key]
	}
	return w
}

// Text draws a wrong text, often a path.
func (m *Mutator) Text() string {
	if m.R.IntN(2) == 0 {
		return m.Elsewhere()
	}
	return One(m.R, "", ".", "..", "/", `\`, `..\mine`, "a/b", "a\x00b", "lock", "manifest.json", ".previous", "FLOAT", "float", "qat", "last", "Last", "int8", " ", "\n", "\u202e", "~", "$HOME", "CON", "-force",
		"float/last.safetensors", "mine/last.safetensors", ".previous/qat/1/last.safetensors", strings.Repeat("a", 300), strings.Repeat("a/", 5000), strings.Repeat("9", 400), "NaN", "+Inf", "null", "{}", "complete", "running", "interrupted", "float32", "int4", "quantized", "conv", forge.Deep, forge.Huge)
}
