// Package converters is the shelf of the steps of a model_convert_pipeline: it turns a model of one form into one of
// another, or loads a checkpoint into it. The passes themselves are in ops/nn; files are read by a function that the
// conversion receives.
package converters
