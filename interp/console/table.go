package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
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

// MetricRows prints all metrics but the loss: their names, in the order of the alphabet, and values as [Accuracy] prints them.
func MetricRows(m map[string]float64) [][2]string {
	var rows [][2]string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		switch name {
		case "loss":
		case "accuracy":
			rows = append(rows, [2]string{name, Accuracy(m)})
		default:
			rows = append(rows, [2]string{name, metric(m[name])})
		}
	}
	return rows
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
