# with base
network "both" {
  layer "Conv" "a" {
    out    = 1
    kernel = 1
  }
  layer "Conv" "b" {
    from   = input
    out    = 1
    kernel = 1
  }
  output "left" { from = layer.a }
  output "right" { from = layer.b }
}

network "lost" {
  layer "Conv" "kept" {
    out    = 1
    kernel = 1
  }
  layer "Conv" "side" { # want "QP245 error nothing reads layer \"many.0.side\", .*.and so 49 other layers made from the same text.: Read it in a layer below, or leave it out"
    out    = 1
    kernel = 1
  }
  output "kept" { from = layer.kept }
}

model "Network" "unread" {
  layer "both" "one" {} # want "QP245 error nothing reads output \"right\" of layer \"one\", .*: Read it in a layer below, or use a network without the output \"right\""
  layer "lost" "many" {
    from  = layer.one.left
    count = 50
  }
  layer "Conv" "alone" { # want "QP245 error nothing reads layer \"alone\", and it is not an output of the network"
    out    = 1
    kernel = 1
  }
  layer "Sum" "last" { from = layer.many }
}

# A layer that is no layer, an argument that is not there and a reference to nothing: what follows is checked, and what is open is not guessed.
model "Network" "several" {
  layer "Konv" "a" {} # want "QP202 error there is no layer or network \"Konv\""
  layer "Conv" "b" {
    ouut   = 1 # want "QP201 error layer \"Conv\" has no argument \"ouut\""
    kernel = 1
  }
  layer "Conv" "c" {
    from   = layer.aa # want "QP203 error there is no layer.aa here"
    out    = "x" # want "QP204 error \"out\" needs a whole number"
    kernel = 1
  }
  layer "Conv" "input" { # want "QP208 error \"input\" is what an input of the network is called"
    out    = 1
    kernel = 1
    stride = true # want "QP204 error \"stride\" needs a whole number"
  }
}

stage "s" {
  model    = model.unread
  val_data = dataset.test
}

stage "t" {
  model    = model.several
  val_data = dataset.test
}
