package models

import (
	"fmt"

	"qpipe/interp/part"
)

// names is a table of what layers are called here and in torchvision, in the making.
type names []part.Rename

// add adds a layer, and returns the table.
func (n *names) add(ours, torch string) []part.Rename {
	*n = append(*n, part.Rename{Ours: ours, Torch: torch})
	return *n
}

// pair adds the convolution and the BN of a module.
func (n *names) pair(ours, conv, bn string) {
	n.add(ours+".conv", conv)
	n.add(ours+".bn", bn)
}

// unit adds a module that is a sequence in torchvision.
func (n *names) unit(ours, torch string) { n.pair(ours, torch+".0", torch+".1") }

// squeeze adds the two convolutions of squeeze-and-excitation.
func (n *names) squeeze(ours, torch string) {
	n.add(ours+".fc1", torch+".fc1")
	n.add(ours+".fc2", torch+".fc2")
}

// mbConv adds a block with squeeze-and-excitation, whose modules torchvision counts.
func (n *names) mbConv(ours, torch string, expand, squeeze bool) {
	k := 0
	next := func() string { k++; return fmt.Sprintf("%s.%d", torch, k-1) }
	if expand {
		n.unit(ours+".expand", next())
	}
	n.unit(ours+".depthwise", next())
	if squeeze {
		n.squeeze(ours+".se", next())
	}
	n.unit(ours+".project", next())
}
