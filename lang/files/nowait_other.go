//go:build !unix

package files

// noWait is for systems that have pipes among their files.
const noWait = 0
