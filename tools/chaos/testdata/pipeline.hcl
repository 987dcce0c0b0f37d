# The whole flow in a fraction of a second: float, calibration, QAT with two
# absorptions and averaged weights, int8; checkpoints by epoch and by step.
dataset "Glyphs" "train" {
  split       = "train"
  num_samples = 256
}

dataset "Glyphs" "test" {
  split       = "test"
  num_samples = 64
}

variable "float_lr" {
  type    = number
  default = 0.05
}

variable "qat_lr" {
  type    = number
  default = 0.02
}

model "LeNet" "net" {
  num_classes = 10
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
    num_epochs = 3
    batch_size = 32

    optimizer "SGD" {
      lr       = var.float_lr
      momentum = 0.9
    }
  }
  callback "Checkpoint" {
    interval = 1
    keep     = 2
  }
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
    num_steps  = 4
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
    num_epochs = 2
    batch_size = 32

    optimizer "SGD" {
      lr       = var.qat_lr
      momentum = 0.9
    }
  }
  callback "FuseBN" {
    when    = "step 3"
    modules = ["backbone.conv1"]
  }
  callback "FuseBN" {
    when    = "epoch 1"
    modules = ["backbone.conv2"]
  }
  callback "ExponentialMovingAverage" { decay = 0.9 }
  callback "Checkpoint" {
    interval_steps = 3
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
  value = stage.int_infer.metrics.accuracy
}
