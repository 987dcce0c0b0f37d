package graph

import (
	"fmt"
	"strings"

	"qpipe/lang/diag"
	"qpipe/lang/program"
)

func floatIslands() Rule {
	return Rule{
		About: diag.About{
			Name: "float-islands", Code: "QP343", Severity: diag.Warning,
			Summary: "nodes of an int8 model stay float32; the message says which, and why",
			Doc: "A float32 output or weight in the middle of a network makes a float island: what reads it is computed in float32, too, " +
				"which is slower, and which integer-only hardware cannot run. Between a DeQuantStub and a QuantStub it is what was asked for.",
		},
		Check: func(p *Plan, report diag.Reporter) {
			said := map[string]bool{}
			for _, s := range p.Stages {
				d := s.islands()
				if d != nil && !said[d.Detail] {
					said[d.Detail] = true // of the same network, however many stages convert it
					report(d)
				}
			}
		},
	}
}

// islands warns of the nodes that stay float32 in the stage's int8 model; nil for none.
func (s *Stage) islands() *diag.Diagnostic {
	if s.Before == nil || s.Convert == nil {
		return nil
	}
	var names, lines []string
	for _, i := range s.Before.Islands() {
		if i.Stubbed {
			continue // that is what was asked for
		}
		names, lines = append(names, i.Node), append(lines, i.Node+" ("+i.Why+")")
	}
	if len(names) == 0 {
		return nil
	}
	const most = 20
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most:most], diag.Count(more, "more node"))
	}
	d := &diag.Diagnostic{
		Subject: s.Origin.Header, Address: s.Origin.Address, Module: names[0],
		Summary: fmt.Sprintf("float32 in the int8 model of stage %q: %s", s.Name, Some(names)),
		Detail: "They are computed as the trained model computes them, which is slower, and not what integer-only hardware runs: " +
			strings.Join(lines, ", ") + ". If that is meant, put it between a DeQuantStub and a QuantStub.",
	}
	if by := s.dtypeOf(names[0]); !by.Empty() {
		d.Related = []diag.Related{{Message: "the first is configured here", Range: by}}
	}
	if s.Before.TooWide(names[0]) {
		d.Detail += " A layer that reads less, behind a pool or a stride, has fewer products."
		if at := s.Stage.Model.Origin.At(program.LayerPath(names[0])); !at.Empty() {
			d.Related = []diag.Related{{Message: "the first is this layer", Range: at}}
		}
	}
	return d
}

// dtypeOf is where a node's float32 is written, of its weight if it has one; empty where it is not.
func (s *Stage) dtypeOf(node string) (at diag.Range) {
	for _, n := range s.Nodes {
		if n.Node != node {
			continue
		}
		for _, attrs := range [][]Attribute{n.Activation, n.Weight} {
			for _, a := range attrs {
				if a.Name == "dtype" && a.Value == "float32" && a.Origin.Address != "" {
					at = a.Origin.At("dtype")
				}
			}
		}
	}
	return at
}
