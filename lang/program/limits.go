package program

// The largest numbers that a pipeline may contain. They are far beyond practical use, and so small that the product of
// two of them does not overflow.
const (
	MostThreads = 1024              // machines have fewer cores, and every thread takes memory
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
