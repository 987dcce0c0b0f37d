# version 0.3.0
qpipe {
  required_version = "> = 1" # want "QP112 error \"=\" does not fit here in a version constraint"
}
