package check

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"qpipe/lang/config"
	"qpipe/lang/diag"
	"qpipe/lang/scope"
	"qpipe/lang/syntax"
)

// How many blocks a pipeline may have.
const (
	maxKind   = 5_000 // of one type at the top level
	maxStages = 1_000
	maxInside = 1_000 // in a block
)

// tooMany reports more blocks than a pipeline may have, which are not looked at then.
func (c *checker) tooMany() bool {
	for _, set := range []struct {
		word   string
		most   int
		blocks []*config.Block
	}{
		{"variable blocks", maxKind, c.cfg.Variables},
		{"dataset blocks", maxStages, c.cfg.Datasets},
		{"model blocks", maxStages, c.cfg.Models},
		{"qconfig blocks", maxStages, c.cfg.QConfigs},
		{"stages", maxStages, c.cfg.Stages},
		{"output blocks", maxKind, c.cfg.Outputs},
		{"network blocks", maxKind, c.cfg.Networks},
		{"locals blocks", maxKind, c.cfg.Locals},
	} {
		if n := len(set.blocks); n > set.most {
			return c.crowded(set.blocks[set.most], fmt.Sprintf("the pipeline has %d %s, and may have %d", n, set.word, set.most))
		}
		for _, b := range set.blocks {
			if n := mostInside(b.Raw()); n > maxInside {
				return c.crowded(b, fmt.Sprintf("there are %d blocks in one block here, and may be %d", n, maxInside))
			}
		}
	}
	return false
}

// mostInside is the largest number of blocks directly in a block.
func mostInside(body *hclsyntax.Body) int {
	if body == nil {
		return 0
	}
	n := len(body.Blocks)
	for _, b := range body.Blocks {
		n = max(n, mostInside(b.Body))
	}
	return n
}

func (c *checker) crowded(b *config.Block, summary string) bool {
	d := c.Errorf(diag.FileTooLarge, scope.At{Address: b.Address(), Subject: syntax.Range(b.Header)},
		"A pipeline is a text that people write. Leave blocks out, or make several pipelines.", "%s", summary)
	d.Unfinished = true
	return true
}
