# Two stages of training, the int8 model and a test, on a very small network.

variable "lr" {
  type    = number
  default = 0.01
}

dataset "Glyphs" "train" {
  num_samples = 480
  classes     = "017"
}

dataset "Glyphs" "test" {
  split       = "test"
  num_samples = 99
  classes     = "017"
}

model "LeNet" "net" {
  width       = 1
  num_classes = 3
}

qconfig "int8" {
  override "head.fc" {
    activation { dtype = "float32" }
  }
}

stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  trainer {
    num_epochs = 2
    batch_size = 16

    optimizer "SGD" {
      lr = 0.05
    }
  }
  callback "Checkpoint" { monitor = "accuracy" }
}

stage "qat" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8

    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.best }
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 2
    batch_size = 16

    optimizer "SGD" {
      lr       = var.lr
      momentum = 0.9
    }
    lr_updater "CosLrUpdater" {}
  }
  callback "FuseBN" {
    when    = "epoch 1"
    modules = ["backbone.conv1"]
  }
}

stage "int_infer" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8

    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}

output "accuracy" {
  description = "On 99 glyphs."
  value       = stage.int_infer.metrics.accuracy
}
