package vary

import (
	"encoding/json"
	"testing"
)

// TestJSON: every edit leaves JSON, most edits change it, and none changes what was given.
func TestJSON(t *testing.T) {
	const text = `{"a":[1,{"b":"x"},[2,3],null],"c":1e300,"d":{"e":true}}`
	changed, total := 0, 0
	for at := range 16 {
		for how := range 8 {
			for _, what := range []byte{0, 7, 255} {
				got := JSON([]byte(text), []byte{byte(at), 0, byte(how), what})
				if !json.Valid(got) {
					t.Fatalf("%d %d %d: %s", at, how, what, got)
				}
				total++
				if string(got) != text {
					changed++
				}
			}
		}
	}
	if changed < total/2 {
		t.Errorf("%d of %d edits change the text", changed, total)
	}
	if got := JSON([]byte(text), nil); string(got) != text {
		t.Errorf("no edits: %s", got)
	}
	if got := JSON([]byte("no JSON"), []byte("abcd")); string(got) != "no JSON" {
		t.Errorf("%s", got)
	}
}
