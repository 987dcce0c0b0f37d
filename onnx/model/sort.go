package model

import "slices"

// sorted returns the nodes in an order in which they can be computed: that of the file wherever it allows it. If there
// is none, it returns nodes that wait for each other. Values of graphs in attributes count as inputs of their node only
// if the node lists them, which is why a file whose order is right keeps it.
func sorted(nodes []*Node, made map[string]int) (order []*Node, circle []string) {
	waits := make([]int, len(nodes)) // for how many inputs
	readers := make([][]int, len(nodes))
	inOrder := true
	for i, n := range nodes {
		for _, in := range n.Inputs {
			if from, ok := made[in]; ok && in != "" {
				waits[i]++
				readers[from] = append(readers[from], i)
				inOrder = inOrder && from < i
			}
		}
	}
	if inOrder {
		return nodes, nil
	}
	var ready queue
	for i := range nodes {
		if waits[i] == 0 {
			ready.push(i)
		}
	}
	for len(ready) > 0 {
		i := ready.pop()
		order = append(order, nodes[i])
		for _, next := range readers[i] {
			if waits[next]--; waits[next] == 0 {
				ready.push(next)
			}
		}
	}
	if len(order) < len(nodes) {
		return nil, circleOf(nodes, waits, made)
	}
	return order, nil
}

// circleOf walks back from a node that waits until it meets a node again. It names at most ten of them.
func circleOf(nodes []*Node, waits []int, made map[string]int) []string {
	i := slices.IndexFunc(waits, func(n int) bool { return n > 0 })
	seen := map[int]int{}
	var path []int
	for {
		if at, ok := seen[i]; ok {
			path = path[at:]
			break
		}
		seen[i] = len(path)
		path = append(path, i)
		for _, in := range nodes[i].Inputs {
			if from, ok := made[in]; ok && waits[from] > 0 {
				i = from
				break
			}
		}
	}
	var names []string
	for _, i := range path[:min(len(path), 10)] {
		names = append(names, nodes[i].String())
	}
	return names
}

// queue is a heap of numbers, the smallest first.
type queue []int

func (q *queue) push(x int) {
	*q = append(*q, x)
	h := *q
	for i := len(h) - 1; i > 0 && h[i] < h[(i-1)/2]; i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

func (q *queue) pop() int {
	h := *q
	top := h[0]
	h[0] = h[len(h)-1]
	h = h[:len(h)-1]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c] < h[least] {
				least = c
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	*q = h
	return top
}
