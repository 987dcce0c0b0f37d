package diag

import "strings"

// Where says an address in words: `stage.qat.callback.FuseBN[0]` is
// `stage "qat", callback "FuseBN"`.
func Where(address string) string {
	var out []string
	words := splitAddress(address)
	for i := 0; i < len(words); i++ {
		if unlabelled(words[i]) || i+1 == len(words) {
			out = append(out, base(words[i]))
			continue
		}
		out = append(out, base(words[i])+` "`+base(words[i+1])+`"`)
		i++
	}
	return strings.Join(out, ", ")
}

// unlabelled reports whether blocks of this type have no label, so that the next
// word of an address is again a block.
func unlabelled(word string) bool {
	if strings.HasSuffix(word, "]") {
		return true
	}
	switch word {
	case "qpipe", "locals", "trainer", "calibrator", "validation", "model_convert_pipeline",
		"activation", "weight", "precondition", "assert":
		return true
	}
	return false
}

// splitAddress splits at dots that are not in quotes.
func splitAddress(address string) []string {
	if address == "" {
		return nil
	}
	quoted := false
	return strings.FieldsFunc(address, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == '.' && !quoted
	})
}

// base takes the index and the quotes off a word of an address.
func base(word string) string {
	if i := strings.LastIndexByte(word, '['); i > 0 && strings.HasSuffix(word, "]") {
		word = word[:i]
	}
	return strings.Trim(word, `"`)
}
