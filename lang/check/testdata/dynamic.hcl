# with base
locals {
  sizes = [28, 32]
  many  = [for i in range(200) : range(100)]
}
dataset "MNIST" "a" {
  root = "data"
  dynamic "transform" {
    for_each = local.sizes
    labels   = ["RandomCrop"]
    content {
      size    = transform.value
      padding = transform.key
    }
  }
}
dataset "MNIST" "b" {
  root = "data"
  dynamic "transform" {
    for_each = local.sizs # want "QP203 error there is no local.sizs: Did you mean \"sizes\""
    labels   = ["RandomCrop"]
    content {
      size = transform.value
    }
  }
}
dataset "MNIST" "c" {
  root = "data"
  dynamic "transform" {
    for_each = 3 # want "QP216 error invalid dynamic for_each value"
    labels   = ["RandomCrop"]
    content {}
  }
  dynamic "transfrm" { # want "QP200 error dataset \"MNIST\" takes no block \"transfrm\": Did you mean \"transform\""
    for_each = []
    content {}
  }
}
dataset "MNIST" "d" {
  root = "data"
  dynamic "transform" {
    for_each = local.sizes
    iterator = "size" # want "QP216"
    labels   = ["RandomCrop"]
    content {
      size = size.value
    }
  }
}
dataset "MNIST" "e" {
  root = "data"
  dynamic "transform" {
    for_each = local.sizes
    labels   = ["RandomCrop"]
    content {
      siz = transform.value # want "QP201 error transform \"RandomCrop\" has no argument \"siz\""
    }
  }
}
stage "s" {
  model    = model.net
  val_data = dataset.test
  dynamic "callback" {
    for_each = [stage.t.metrics.accuracy] # want "QP213 error a dynamic block cannot depend on stage \"t\""
    labels   = ["FreezeBN"]
    content {
      when = "epoch 1"
    }
  }
}
stage "t" {
  model    = model.net
  val_data = dataset.test
  dynamic "callback" {
    for_each = flatten(local.many) # want "QP216 error dynamic for_each makes too many blocks"
    labels   = ["FreezeBN"]
    content {
      when = "epoch 1"
    }
  }
}
