# with base
locals {
  a = local.b # want "QP214 error local.a refers to itself"
  b = local.a
  c = local.a
  d = lowr("X")               # want "QP212 error there is no function \"lowr\": .*Did you mean \"lower\""
  e = 1 + "x"                 # want "QP211 error invalid operand"
  f = upper(1, 2)             # want "QP211 error too many function arguments"
  g = file("nothing.txt")     # want "QP211 error .*there is no file nothing.txt"
  h = { a = 1 }.b             # want "QP203 error { a = 1 } has no \"b\": Did you mean \"a\""
  i = [for x in range(1000) : [for y in range(1000) : [for z in range(1000) : "${x}${y}${z}"]]] # want "QP215 error this expression makes too much"
  j = [for x in range(1000) : format("%041000d", x)] # want "QP215 error this"
  k = format("%999999999d", 1) # want "QP215 error this expression makes too much"
  l = setproduct(range(1000), range(1000), range(1000)) # want "QP215"
  m = "${stage.s.metrics.accuracy}%"
  n = indent(999999999, "a\nb") # want "QP215"
}
stage "s" {
  model      = model.net
  val_data   = dataset.test
  train_data = dataset.train
  trainer {
    num_epochs = stage.t.metrics.accuracy # want "QP213 error \"num_epochs\" must be known before the run"
    batch_size = length(local.m)          # want "QP213 error \"batch_size\" must be known before the run"
    optimizer "SGD" { lr = local.c }
  }
}
stage "t" {
  model    = model.net
  val_data = dataset.test
}
dataset "MNIST" "late" { root = stage.s.checkpoint.last } # want "QP204"
locals {
  big = join("", [for x in range(1024) : substr("${file("/dev/null")}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0, -1)]) # want "QP211 .*not a regular file"
  ten = [for x in range(140) : local.thousand] # want "QP215 error this value is too large"
  thousand = range(1000)
}
