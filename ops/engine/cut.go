package engine

// cut divides a node's output rows and channels among tasks.
type cut struct{ rows, rowTasks, chans, chanStep, chanTasks int }

// rowRange returns the output rows of a task.
func (k *cut) rowRange(i int) (int, int) {
	return i * k.rows / k.rowTasks, (i + 1) * k.rows / k.rowTasks
}

// How long work takes, in about nanoseconds: below the first a node is not
// cut at all, and nothing is cut finer than the second unless into one piece a worker.
const (
	leastNode = 3000
	leastTask = 4000
)

// divide cuts the cell for the workers: rows where there are many of them
// beside the weights, channels where the weights are what memory has to bring.
func (e *Net) divide(c *cell, n int) cut {
	workers := e.workers.Size()
	k := cut{rows: n * c.Shape.H, rowTasks: 1, chans: c.Shape.C, chanStep: c.Shape.C, chanTasks: 1}
	cost := c.CostOf()
	time := c.size(n) * cost.Work / cost.Per
	if workers == 1 || time < leastNode {
		return k
	}
	tasks := max(min(time/leastTask, 4*workers)/workers, 1) * workers
	block := e.set.Block
	blocks := (k.chans + block - 1) / block
	if cost.Weights > 0 && cost.Weights > c.bench.In[0].Shape.WithN(n).Len() && blocks >= workers {
		k.chanStep = (blocks + workers - 1) / workers * block // one piece each: every piece reads the whole map
		k.chanTasks = (k.chans + k.chanStep - 1) / k.chanStep
		return k
	}
	k.rowTasks = min(tasks, k.rows)
	return k
}
