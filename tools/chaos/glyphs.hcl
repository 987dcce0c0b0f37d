# Images that the program draws itself.
dataset "Glyphs" "train" {
  split       = "train"
  num_samples = 256
}

dataset "Glyphs" "test" {
  split       = "test"
  num_samples = 64
}
