# with base
network "Conv" { # want "QP208 error there is a layer \"Conv\" already: Rename the network"
  layer "Sum" "s" { from = [input, input] }
}

network "meta" {
  variable "count" { type = number } # want "QP205 error \"count\" of a layer is no argument of its network"
  variable "from" { default = 1 }    # want "QP205 error \"from\" of a layer is no argument of its network"
  variable "for_each" {}             # want "QP205 error \"for_each\" of a layer is no argument of its network"
  layer "Sum" "s" { from = [input, input] }
}

network "nulls" {
  variable "needed" { type = number }
  variable "open" { nullable = true }
  variable "free" { default = 3 }
  layer "Conv" "a" {
    out    = var.needed
    kernel = var.free == null && var.open == null ? 1 : 3
  }
}

model "Network" "wrong" {
  layer "Conv" "c" {
    out    = 1
    kernel = 1
  }
  layer "meta" "m" { # want "QP245 error nothing reads layer \"m.0\", and it is not an output of the network .and so 1 other layer made from the same text.: Read it"
    from  = layer.c
    count = 2
  }
  layer "nulls" "n" { # want "QP245 error nothing reads layer \"n\", and it is not an output"
    from   = layer.c
    needed = null # want "QP204 error \"needed\" cannot be null: network \"nulls\" requires it"
    open   = null
    free   = null
  }
  layer "nulls" "fine" {
    from   = layer.c
    needed = 3
    open   = null
    free   = null
  }
}

stage "s" {
  model    = model.wrong
  val_data = dataset.test
}
