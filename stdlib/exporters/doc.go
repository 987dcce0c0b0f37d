// Package exporters is the shelf of exporters: each writes the final model of a stage in a form that other programs
// read.
package exporters
