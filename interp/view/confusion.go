package view

import (
	"fmt"
	"strconv"

	"qpipe/interp/eval"
)

// mostShown is the most classes of a matrix for people; of more, the worst pairs are shown.
const mostShown = 20

// confusion prints which answers were given to which label, and of each class how often that was right.
func (s *Sheet) confusion(c eval.Confusion) {
	title := "confusion"
	if c.Target != "" {
		title += " of " + c.Target
	}
	if len(c.Classes) > mostShown {
		s.pairs(title, c)
		return
	}
	if title += ": a row for each label, a column for each answer"; c.Map {
		title += ", in % of the row's pixels"
	}
	head, align := []string{"label"}, "l"
	for _, k := range c.Classes {
		head, align = append(head, strconv.Itoa(k.Label)), align+"r"
	}
	head, align = append(head, "precision", "recall"), align+"rr"
	if c.Map {
		head, align = append(head, "IoU"), align+"r"
	}
	rows := [][]string{head}
	for i, k := range c.Classes {
		row := []string{titled(k)}
		for _, n := range c.Matrix[i] {
			cell := strconv.FormatInt(n, 10)
			if c.Map {
				cell = percentOf(n, k.Count)
			}
			row = append(row, cell)
		}
		row = append(row, percent(k.Precision), percent(k.Recall))
		if c.Map {
			row = append(row, percent(k.IoU))
		}
		rows = append(rows, row)
	}
	s.section(title, align, rows)
}

// pairs prints the most frequent mistakes.
func (s *Sheet) pairs(title string, c eval.Confusion) {
	rows := [][]string{{"label", "answer", "count", "of"}}
	for _, p := range c.Pairs[:min(len(c.Pairs), 10)] {
		label := c.Classes[p.Label]
		rows = append(rows, []string{titled(label), titled(c.Classes[p.Answer]), strconv.FormatInt(p.Count, 10), strconv.FormatInt(label.Count, 10)})
	}
	s.section(title+": the most frequent mistakes", "llrr", rows)
}

// titled is a class's number, with its name if it has another one.
func titled(k eval.ClassRow) string {
	if n := strconv.Itoa(k.Label); k.Name == "" || k.Name == n {
		return n
	}
	return fmt.Sprintf("%d %s", k.Label, k.Name)
}

// percent is a share in percent, a dash if there is none.
func percent(share *float64) string {
	if share == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100**share)
}

// percentOf is n in percent of a number.
func percentOf(n, of int64) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", 100*float64(n)/float64(of))
}
