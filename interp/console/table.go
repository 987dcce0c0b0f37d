package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Accuracy is the column of that name: the stage's metric "accuracy", or its
// only metric with its name.
func Accuracy(m map[string]float64) string {
	if v, ok := m["accuracy"]; ok {
		return fmt.Sprintf("%.2f %%", 100*v)
	}
	names := make([]string, 0, len(m))
	for name := range m {
		if name != "loss" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return names[0] + " " + metric(m[names[0]])
}

// Value prints an output's value: lists and objects as JSON.
func Value(v any) string {
	switch v := v.(type) {
	case float64:
		return metric(v)
	case string:
		return v
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(text.String())
}

// Table lays out rows in columns; align has a letter for each column, "l" or "r". An empty column takes no room.
func Table(rows [][]string, align string) []string {
	widths := make([]int, len(align))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = Printable(cell)
			widths[i] = max(widths[i], cells(row[i]))
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		var texts []string
		for j, cell := range row {
			if widths[j] == 0 {
				continue
			}
			pad := strings.Repeat(" ", widths[j]-cells(cell))
			if align[j] == 'r' {
				texts = append(texts, pad+cell)
			} else {
				texts = append(texts, cell+pad)
			}
		}
		lines[i] = strings.TrimRight(strings.Join(texts, "  "), " ")
	}
	return lines
}
