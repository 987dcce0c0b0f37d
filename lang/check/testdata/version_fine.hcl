# version v0.3.2
qpipe {
  required_version = "~> 0.3, != 0.3.1"
  seed             = 7
  threads          = 2
}
