// Package vary changes sound texts for fuzz targets, so that what comes out is still
// JSON and reaches the reader's checks of what the text means. Tests alone import it.
package vary

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// JSON applies edits to a JSON text: each four bytes choose a place in it and what
// happens there. A value becomes another number, a text or value from elsewhere in the
// same document, or goes; elements are doubled, dropped, or change places. What is no
// JSON comes back as it is.
func JSON(text, edits []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var root any
	if d.Decode(&root) != nil {
		return text
	}
	for ; len(edits) >= 4; edits = edits[4:] {
		places := walk(root, nil)
		if len(places) == 0 {
			break
		}
		p := places[(int(edits[0])|int(edits[1])<<8)%len(places)]
		p.edit(edits[2], edits[3], places)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(root) != nil {
		return text
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// place is a value within an object or a list.
type place struct {
	value any
	put   func(any)
	drop  func()
	list  []any // the list that it is in
	index int
}

// walk lists all places, in the order of the text with keys sorted.
func walk(v any, places []place) []place {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			places = append(places, place{value: v[key], put: func(x any) { v[key] = x }, drop: func() { delete(v, key) }})
			places = walk(v[key], places)
		}
	case []any:
		for i := range v {
			places = append(places, place{value: v[i], put: func(x any) { v[i] = x }, drop: func() { v[i] = nil }, list: v, index: i})
			places = walk(v[i], places)
		}
	}
	return places
}

func (p place) edit(how, what byte, places []place) {
	const edges = 12
	switch n := p.value; {
	case how%8 == 0:
		p.drop()
	case how%8 == 1:
		p.put(clone(places[(int(what)*len(places))/256].value))
	case how%8 == 2 && p.list != nil:
		other := int(what) % len(p.list)
		p.list[p.index], p.list[other] = p.list[other], p.list[p.index]
	case how%8 == 3:
		if list, ok := n.([]any); ok {
			p.put(append(slices.Clone(list), clone(n).([]any)...))
			return
		}
		p.put(json.Number(fmt.Sprint(what)))
	case how%8 == 4:
		p.put([]any{nil, true, false, "", "x", "../x", "\x00", []any{}, map[string]any{}, "NaN", "1e999", "\u202e"}[what%edges])
	case how%8 == 5:
		p.put(json.Number([]string{"-1", "0", "1", "2", "3", "1.5", "-1e300", "1048576", "2147483647", "2147483648", "9223372036854775807", "18446744073709551615"}[what%edges]))
	case how%8 == 6:
		if list, ok := n.([]any); ok && len(list) > 0 {
			p.put(list[:int(what)%len(list)])
			return
		}
		p.put(json.Number(fmt.Sprint(int(what) - 128)))
	default:
		if text, ok := n.(string); ok {
			i := int(what) % (len(text) + 1)
			p.put(text[:i] + string(rune('a'+what%26)) + text[i:])
			return
		}
		p.put(json.Number(fmt.Sprintf("%d", 1<<(what%63))))
	}
}

// clone keeps places apart that would be one value.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := map[string]any{}
		for k, x := range v {
			c[k] = clone(x)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, x := range v {
			c[i] = clone(x)
		}
		return c
	}
	return v
}

// Split takes a safetensors file apart: its header and its data.
func Split(file []byte) (head, data []byte) {
	n := binary.LittleEndian.Uint64(file)
	return file[8 : 8+n], file[8+n:]
}

// Join puts a safetensors file together.
func Join(head, data []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), append(slices.Clone(head), data...)...)
}

// Header edits a safetensors header, and inside the text of its metadata that key chooses;
// the hash is left to the caller.
func Header(head, edits []byte, key byte, inside []byte) []byte {
	head = JSON(head, edits)
	var all map[string]any
	if json.Unmarshal(head, &all) != nil {
		return head
	}
	meta, _ := all["__metadata__"].(map[string]any)
	if len(meta) == 0 {
		return head
	}
	k := slices.Sorted(maps.Keys(meta))[int(key)%len(meta)]
	text, ok := meta[k].(string)
	if !ok || k == "sha256" {
		return head
	}
	meta[k] = string(JSON([]byte(text), inside))
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(all) != nil {
		return head
	}
	return bytes.TrimSpace(out.Bytes())
}
