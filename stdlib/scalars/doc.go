// Package scalars has the callbacks that write what a stage measures (losses, learning rates, metrics) into files of other
// tools. Each file depends on the measured points alone, and so does not know of kills and resumes.
package scalars
