package program

// The largest numbers that a pipeline may ask for. They are far beyond what anybody
// trains with, and so small that no product of two of them overflows.
const (
	MostThreads = 1024              // a machine has fewer cores, and every thread has room of its own
	MostImages  = 1_000_000_000     // in a data set, and in a batch
	MostEpochs  = 1_000_000_000     // of a stage
	MostSteps   = 1_000_000_000_000 // of a stage
)

// Batches is the number of batches that n images make.
func Batches(n, batch int, dropLast bool) int {
	if dropLast || n == 0 {
		return n / batch
	}
	return (n-1)/batch + 1
}
