// Package converters is the shelf of the steps of a model_convert_pipeline: it
// turns a model of one form into one of another, or loads a checkpoint into it.
// The passes themselves are the network's (ops/nn); reading files is done by the
// function that a conversion brings along.
package converters
