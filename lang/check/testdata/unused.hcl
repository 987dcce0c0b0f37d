variable "a" { default = 1 }       # want "QP265 warning variable \"a\" is never used: Remove it, or refer to it as var.a"
locals { b = 2 }                   # want "QP265 warning local value \"b\" is never used"
dataset "Glyphs" "c" {}            # want "QP265 warning dataset \"c\" is never used"
model "LeNet" "d" {}               # want "QP265 warning model \"d\" is never used"
qconfig "e" {}                     # want "QP265 warning qconfig \"e\" is never used"
variable "used" { default = true }
locals { also = var.used }
dataset "Glyphs" "train" {}
model "LeNet" "net" {}
stage "lost" { # want "QP263 warning nothing reads what stage \"lost\" leaves"
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 1
    batch_size = 1
    drop_last  = local.also
    optimizer "SGD" { lr = 0.1 }
  }
}
stage "exported" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
  export "ONNX" { path = "x.onnx" }
}
stage "printed" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
}
stage "last" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
}
output "x" { value = stage.printed.metrics.loss }
