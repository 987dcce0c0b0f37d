// Package draw draws boxes and the edges between them: as text for Graphviz and Mermaid, which have a layout of their own, and as
// SVG. It does not know what the boxes are.
//
// The layout of an SVG is that of Sugiyama and others (1981): boxes are put into layers, an edge over several layers gets a lane in
// each of them (layers.go), the order in a layer is found by barycentres (order.go), and then the places, by aligning what an edge can
// connect in a straight line, as Brandes and Köpf (2002) do (place.go). Equal diagrams have equal bytes.
package draw

import (
	"fmt"
	"slices"
	"strings"
)

// Diagram is boxes and the edges between them.
type Diagram struct {
	Name   string
	Across bool   // Graphviz and Mermaid draw it from left to right, else from top to bottom
	ID     string // begins the identifiers of boxes in Mermaid
	Boxes  []Box  // those that an edge leads to come later, as far as that is possible
	Edges  []Edge
}

// Box is a box.
type Box struct {
	Name   string   // one of its own
	Lines  []string // what is written in it
	Groups []string // of the groups that it is in, the names, the outer ones first; Graphviz and Mermaid draw a frame around each
}

// Edge leads from a box to another; both are places in Diagram.Boxes.
type Edge struct {
	From, To int
	Label    string
}

// group is a frame around boxes and other frames.
type group struct {
	name  string
	boxes []int // those in no inner group
	inner []*group
	size  int // number of boxes, those in inner groups included
}

// groups are the frames, as a tree whose root is the diagram. Frames around a single box are left out.
func (d *Diagram) groups() *group {
	root := &group{}
	for i, b := range d.Boxes {
		at := root
		for _, name := range b.Groups {
			k := slices.IndexFunc(at.inner, func(g *group) bool { return g.name == name })
			if k < 0 {
				k, at.inner = len(at.inner), append(at.inner, &group{name: name})
			}
			at = at.inner[k]
			at.size++
		}
		at.boxes = append(at.boxes, i)
	}
	root.prune()
	return root
}

// prune takes the boxes out of inner groups of one box. Of frames right around each other the outer one stays.
func (g *group) prune() {
	kept := g.inner[:0]
	for _, in := range g.inner {
		in.prune()
		if len(in.boxes) == 0 && len(in.inner) == 1 {
			in.boxes, in.inner = in.inner[0].boxes, in.inner[0].inner
		}
		if in.size > 1 {
			kept = append(kept, in)
		} else {
			g.boxes = append(g.boxes, in.boxes...)
		}
	}
	g.inner = kept
	slices.Sort(g.boxes)
}

// DOT is the diagram in Graphviz's language.
func (d *Diagram) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n", dotQuoted(d.Name))
	if d.Across {
		b.WriteString("  rankdir = LR\n")
	}
	b.WriteString("  node [shape = box, style = rounded]\n")
	d.dotGroup(&b, d.groups(), "  ")
	for _, e := range d.Edges {
		fmt.Fprintf(&b, "  %s -> %s", dotQuoted(d.Boxes[e.From].Name), dotQuoted(d.Boxes[e.To].Name))
		if e.Label != "" {
			fmt.Fprintf(&b, " [label = %s]", dotQuoted(e.Label))
		}
		b.WriteByte('\n')
	}
	b.WriteString("}\n")
	return b.String()
}

func (d *Diagram) dotGroup(b *strings.Builder, g *group, indent string) {
	for _, i := range g.boxes {
		fmt.Fprintf(b, "%s%s [label = %s]\n", indent, dotQuoted(d.Boxes[i].Name), dotQuoted(strings.Join(d.Boxes[i].Lines, "\n")))
	}
	for _, in := range g.inner {
		fmt.Fprintf(b, "%ssubgraph %s {\n%s  label = %s\n", indent, dotQuoted("cluster_"+in.name), indent, dotQuoted(in.name))
		d.dotGroup(b, in, indent+"  ")
		fmt.Fprintf(b, "%s}\n", indent)
	}
}

var dotEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// dotQuoted is a text as Graphviz reads it.
func dotQuoted(s string) string { return `"` + dotEscapes.Replace(s) + `"` }

// Mermaid is the diagram in Mermaid's language.
func (d *Diagram) Mermaid() string {
	var b strings.Builder
	direction := "TD"
	if d.Across {
		direction = "LR"
	}
	fmt.Fprintf(&b, "flowchart %s\n", direction)
	frames := 0
	d.mermaidGroup(&b, d.groups(), "  ", &frames)
	for _, e := range d.Edges {
		arrow := "-->"
		if e.Label != "" {
			arrow += "|" + mermaidQuoted(e.Label) + "|"
		}
		fmt.Fprintf(&b, "  %s%d %s %s%d\n", d.ID, e.From, arrow, d.ID, e.To)
	}
	return b.String()
}

func (d *Diagram) mermaidGroup(b *strings.Builder, g *group, indent string, frames *int) {
	for _, i := range g.boxes {
		fmt.Fprintf(b, "%s%s%d[\"%s\"]\n", indent, d.ID, i, mermaidQuoted(strings.Join(d.Boxes[i].Lines, "\n")))
	}
	for _, in := range g.inner {
		fmt.Fprintf(b, "%ssubgraph g%d [\"%s\"]\n", indent, *frames, mermaidQuoted(in.name))
		*frames++
		d.mermaidGroup(b, in, indent+"  ", frames)
		fmt.Fprintf(b, "%send\n", indent)
	}
}

var mermaidEscapes = strings.NewReplacer(
	"\n", "<br/>", "#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;", "|", "#124;", `\`, "#92;",
)

// mermaidQuoted is a text as Mermaid reads it: what means something there is written as an entity.
func mermaidQuoted(s string) string { return mermaidEscapes.Replace(s) }
