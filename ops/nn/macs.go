package nn

// MACs are the multiply-accumulates of the network's convolutions and linear
// layers for one image, those with padding included.
func (g *Graph) MACs() int64 {
	var sum int64
	for _, n := range g.nodes {
		sum += n.macs()
	}
	return sum
}

func (n *node) macs() int64 {
	if n.conv == nil {
		return 0
	}
	c := &n.conv.Geom
	return int64(c.OH) * int64(c.OW) * int64(c.OutC) * int64(c.K())
}
