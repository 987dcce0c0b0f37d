# version 0.3.0
qpipe {
  required_version = ">= 0.4, < 1" # want "QP224 error this is qpipe 0.3.0, and the pipeline needs >= 0.4, < 1"
}
