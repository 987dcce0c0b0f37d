# wants "QP265" "QP265" "QP265"
# with base
network "lost" { # want "QP265 warning network \"lost\" is never used: .*layer \"lost\" \"name\""
  layer "Conv" "a" {
    out    = 1
    kernel = 1
  }
}

model "Network" "used" {
  layer "Conv" "a" {
    out    = 1
    kernel = [1, 2]
  }
}

stage "s" {
  model    = model.used
  val_data = dataset.test
}
