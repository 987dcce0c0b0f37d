// Package dense turns the dense and grouped convolutions of ops/kernel into calls of micro-kernels
// that compute a tile of the result in registers: it packs weights, cuts the work
// into blocks that stay in the caches, pads rows in scratch and makes tables of
// offsets. The micro-kernels come as function values, so that all instruction sets
// share these drivers. It refuses assembly, unsafe and any knowledge of the machine
// beyond the size of a tile.
package dense
