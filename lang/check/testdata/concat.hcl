# with base
dataset "Glyphs" "a" {}
dataset "Glyphs" "wrong" {
  sise = 3 # want "QP201 error dataset \"Glyphs\" has no argument \"sise\""
}
dataset "Concat" "all" {
  datasets = [dataset.a, dataset.outer, dataset.b] # want "QP203 error there is no dataset.b"
}
dataset "Concat" "outer" {
  datasets = [dataset.a, dataset.inner]
}
dataset "Concat" "inner" {
  datasets = [dataset.a]
}
dataset "Concat" "one" {
  datasets = [dataset.a, dataset.two]
}
dataset "Concat" "two" {
  datasets = [dataset.one] # want "QP214 error dataset.two contains itself"
}
dataset "Concat" "strange" {
  datasets = [dataset.a, 3] # want "QP204 error \"datasets\" has at position 1 an element that needs a dataset, not"
}
dataset "Concat" "model" {
  datasets = [model.net] # want "QP204 error \"datasets\" has at position 0 an element that needs a dataset, not"
}
dataset "Concat" "unsound" {
  datasets = [dataset.wrong]
}
dataset "Concat" "x1" {
  datasets = [for i in range(30) : dataset.a]
}
dataset "Concat" "x2" {
  datasets = [for i in range(30) : dataset.x1]
}
dataset "Concat" "x3" {
  datasets = [for i in range(30) : dataset.x2] # want "QP204 error dataset.x3 is made of more than 1000 others"
}
dataset "Concat" "x4" {
  datasets = [dataset.x3]
}
