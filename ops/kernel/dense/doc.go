// Package dense turns the dense and grouped convolutions of ops/kernel into calls of micro-kernels that compute a tile
// of the result in registers: it packs weights, cuts the work into blocks that stay in the caches, pads rows in scratch
// and builds tables of offsets. The micro-kernels are function values, so that all instruction sets share these
// drivers. It has no assembly and no unsafe, and knows nothing about the machine except the size of a tile.
package dense
