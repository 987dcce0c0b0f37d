# Images in files, which somebody may change.
dataset "MNIST" "train" {
  root        = "data"
  split       = "train"
  max_samples = 256
}

dataset "MNIST" "test" {
  root        = "data"
  split       = "test"
  max_samples = 64
}
