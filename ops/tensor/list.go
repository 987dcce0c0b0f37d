package tensor

import (
	"fmt"
	"strings"
)

// List writes numbers as the language does: "[32, 32, 3]".
func List(v ...int) string {
	words := make([]string, len(v))
	for i, n := range v {
		words[i] = fmt.Sprint(n)
	}
	return "[" + strings.Join(words, ", ") + "]"
}
