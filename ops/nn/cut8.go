package nn

// cut8 divides a node's output rows and channels among tasks.
type cut8 struct{ rows, rowTasks, chans, chanStep, chanTasks int }

// rowRange returns the output rows of a task.
func (k *cut8) rowRange(i int) (int, int) {
	return i * k.rows / k.rowTasks, (i + 1) * k.rows / k.rowTasks
}

// What a task should be worth, in about nanoseconds: below the first a node is not
// cut at all, and nothing is cut finer than the second unless for one piece a worker.
const (
	worthCutting = 3000
	taskWorth    = 4000
)

// worth estimates what the node takes one worker, in nanoseconds, from products and
// elements that a vector unit does in that time.
func (c *cell8) worth(rows int) int {
	elements := rows * c.width
	switch {
	case c.node.conv == nil:
		return elements / 16
	case c.conv.Groups > 1:
		return elements * c.conv.K() / 40
	}
	return elements * c.conv.K() / 150
}

// share cuts the node for a number of workers: rows where there are many of them
// beside the weights, channels where the weights are what memory has to bring.
func (c *cell8) share(n, workers int) cut8 {
	k := cut8{rows: n * c.shape.H, rowTasks: 1, chans: c.shape.C, chanStep: c.shape.C, chanTasks: 1}
	worth := c.worth(k.rows)
	if workers == 1 || worth < worthCutting {
		return k
	}
	tasks := max(min(worth/taskWorth, 4*workers)/workers, 1) * workers
	block := c.net.e.set.Block
	blocks := (k.chans + block - 1) / block
	weights := c.node.conv != nil && c.conv.Groups == 1 && c.conv.WeightLen() > n*c.conv.H*c.conv.W*c.conv.C
	if weights && blocks >= workers {
		k.chanStep = (blocks + workers - 1) / workers * block // one piece each: every piece reads the whole map
		k.chanTasks = (k.chans + k.chanStep - 1) / k.chanStep
		return k
	}
	k.rowTasks = min(tasks, k.rows)
	return k
}
