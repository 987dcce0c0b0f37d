# with base
network "pair" {
  input "x" {}
  input "y" {}
  layer "Sum" "s" { from = [input.x, input.y] }
  output "first" { from = input.x }
  output "second" {}
}

model "Network" "open" {
  layer "pair" "pair" { from = [input, input] }
  layer "Conv" "after" { # want "QP206 error \"from\" is missing: what is above gives more than one value"
    out    = 1
    kernel = 1
  }
}
