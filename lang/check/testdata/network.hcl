# with base
network "block" {
  variable "channels" {
    type = number
    validation {
      condition     = var.channels % 2 == 0 # want "QP222 error the value of variable \"channels\" is not valid: An even number"
      error_message = "An even number."
    }
  }
  variable "stride" { default = 1 }

  layer "Conv" "a" {
    out    = var.channels
    kernel = 3
    stride = var.stride
  }
  layer "Conv" "b" {
    out    = 2 * var.chanels # want "QP203 error there is no var.chanels: Did you mean \"channels\""
    kernel = [3, 3]
  }
  layer "Conv" "c" {
    out   = var.channels
    kernl = 3 # want "QP201 error layer \"Conv\" has no argument \"kernl\": Did you mean \"kernel\""
  }
  layer "Sum" "sum" { from = [layer.a, layer.bb] } # want "QP203 error there is no layer.bb here: Did you mean \"b\""
}

network "two" {
  input "left" {}
  input "right" {}
  layer "Sum" "s" { from = [input.left, input.rigth] } # want "QP203 error there is no input.rigth here: Did you mean \"right\""
}

network "good" {
  input "x" {}
  input "y" {}
  layer "Sum" "s" { from = [input.x, input.y] }
  output "first" { from = input.x }
  output "second" { from = layer.s }
}

network "round" {
  layer "round" "again" {} # want "QP214 error network \"round\" contains itself: round → round"
}

network "closed" {
  layer "Conv" "a" {
    out    = local.width # want "QP203 error nothing is called \"local\""
    kernel = 1
  }
}

network "empty" {} # want "QP207 error network \"empty\" has no layer"

locals { width = 8 }

model "Network" "wrong" {
  input "image" { shape = [32, 32] } # want "QP205 error a shape has three numbers, and this has 2"

  layer "block" "b" {
    channels = "many" # want "QP204 error the value of variable \"channels\" has the wrong type"
  }
  layer "block" "odd" {
    from     = input.image
    channels = 3
  }
  layer "block" "d" { from = input.image } # want "QP206 error \"channels\" is missing: network \"block\" requires it"
  layer "block" "e" {
    from    = input.image
    chanels = 4 # want "QP201 error network \"block\" has no variable \"chanels\": Did you mean \"channels\""
  }
  layer "block" "f" {
    from     = input.image
    channels = 4
  }
  layer "block" "g" {
    from     = input.image
    channels = local.width
  }
  layer "Konv" "h" { from = input.image } # want "QP202 error there is no layer or network \"Konv\": Did you mean \"Conv\""
  layer "Conv" "loop" { # want "QP205 error a layer has either count or for_each"
    count    = 2
    for_each = ["a"]
    out      = 1
    kernel   = 1
  }
  layer "Conv" "many" {
    count  = -1 # want "QP205 error count cannot be -1"
    out    = 1
    kernel = 1
  }
  layer "Conv" "each" {
    for_each = [1, 2] # want "QP204 error the keys of for_each must be different names"
    out      = 1
    kernel   = 1
  }
  layer "Conv" "number" {
    from   = 3 # want "QP204 error \"from\" needs a layer or a list of layers"
    out    = 1
    kernel = 1
  }
  layer "two" "t" { from = input.image } # want "QP204 error network \"two\" has 2 inputs, and 1 are given: .*from = \\[layer.left, layer.right\\]"
  layer "two" "u" { from = [input.image, input.image] }
  layer "round" "r" { from = input.image }
  layer "closed" "c" { from = input.image }
  layer "empty" "v" { from = input.image }
  layer "Conv" "f" { # want "QP208 error a second layer is named \"f\""
    out    = 1
    kernel = 1
  }
  layer "Conv" "0" { # want "QP210 error \"0\" is not a name"
    out    = 1
    kernel = 1
  }
  layer "Conv" "outside" {
    from   = input.image
    out    = count.index # want "QP203 error nothing is called \"count\""
    kernel = 1
  }
  output "o" { from = [layer.f, layer.g] } # want "QP204 error an output is one layer, and these are 2"
}

model "Network" "right" {
  layer "Conv" "stem" {
    out    = local.width
    kernel = 3
  }
  layer "Conv" "chain" {
    count  = 3
    out    = 8 * (count.index + 1)
    kernel = 1
  }
  layer "Conv" "branch" {
    for_each = { a = 1, b = 3 }
    from     = layer.chain[1]
    out      = 4
    kernel   = each.value
  }
  layer "good" "pair" { from = layer.branch }
  layer "Sum" "sum" { from = [layer.pair.first, layer.pair.second, layer.branch["a"], layer.chain[2]] }
  output "sum" {}
  output "stem" { from = layer.stem }
}

model "Network" "nothing" {} # want "QP207 error the network has no layer"

stage "s" {
  model    = model.right
  val_data = dataset.test
}

stage "t" {
  model    = model.wrong
  val_data = dataset.test
}
