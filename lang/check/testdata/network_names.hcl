# with base
network "Conv" { # want "QP208 error there is a layer \"Conv\" already: Rename the network"
  layer "Sum" "s" { from = [input, input] }
}

model "Network" "wrong" {
  layer "Conv" "c" {
    out    = 1
    kernel = 1
  }
}

stage "s" {
  model    = model.wrong
  val_data = dataset.test
}
