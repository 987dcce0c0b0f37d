# The whole flow on few images, in seconds: float, calibration, QAT with staged
# absorption and averaged weights, int8.
variable "lr" {
  type    = number
  default = 0.01
}

variable "qat_epochs" {
  type    = number
  default = 2
}

variable "train_images" {
  type    = number
  default = 512
}

dataset "Glyphs" "train" {
  split       = "train"
  num_samples = var.train_images
  classes     = "0123"

  transform "RandomCrop" {
    size    = 28
    padding = 1
  }
}

dataset "Glyphs" "test" {
  split       = "test"
  num_samples = 128
  classes     = "0123"
}

model "LeNet" "net" {
  num_classes = 4
  width       = 4
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
    batch_size = 32

    optimizer "SGD" {
      lr       = var.lr
      momentum = 0.9
    }
  }
  callback "Checkpoint" {}
}

stage "calibration" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.best }
    converter "Float2Calibration" {}
  }
  calibrator {
    num_steps  = 6
    batch_size = 32
  }
}

stage "qat" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
  }
  trainer {
    num_epochs = var.qat_epochs
    batch_size = 32

    optimizer "SGD" {
      lr       = 0.005
      momentum = 0.9
    }
  }
  callback "FuseBN" {
    when    = "step 7"
    modules = ["backbone.conv1"]
  }
  callback "FuseBN" {
    when    = "epoch 1"
    modules = ["backbone.conv2"]
  }
  callback "ExponentialMovingAverage" { decay = 0.9 }
  callback "Checkpoint" {
    interval_steps = 5
    keep           = 2
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

output "int8_accuracy" {
  description = "Accuracy of the int8 model."
  value       = stage.int_infer.metrics.accuracy
}
