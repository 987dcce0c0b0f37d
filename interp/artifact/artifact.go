// Package artifact reads and writes the files that outlive a run: checkpoints
// and int8 models (safetensors), the manifest, the event and metrics logs.
// Every file is versioned, hashed and replaced atomically. It trains nothing and
// judges no pipeline.
package artifact
