# Clothes in color with a narrow MobileNetV2: inverted residuals and depthwise
# convolutions, relu6, and the whole flow to int8. The images are 32×32 RGB in the
# layout of CIFAR-10's binary files.
#
#   qpipe run pipelines/clothing10_mobilenetv2.hcl -var data_dir=FOLDER
#
# The network is 0.35 times as wide as the paper's and has its strides for small
# images. Depthwise weights differ much from channel to channel: per_channel gives
# each one a scale of its own.

variable "data_dir" {
  description = "Folder with data_batch_*.bin, validation_batch.bin and test_batch.bin."
  type        = string
  default     = "data/clothing10"
}

variable "num_epochs" {
  description = "Epochs of the float stage."
  type        = number
  default     = 20
}

dataset "CIFAR10" "train" {
  root  = var.data_dir
  split = "train"

  transform "RandomCrop" {
    size    = 32
    padding = 3
  }
  transform "RandomFlip" {}
}

dataset "CIFAR10" "validation" {
  root  = var.data_dir
  split = "validation"
}

dataset "CIFAR10" "test" {
  root  = var.data_dir
  split = "test"
}

model "MobileNetV2" "net" {
  width_mult  = 0.35
  strides     = "cifar"
  num_classes = 10
}

qconfig "int8" {
  weight { per_channel = true }

  override "head.fc" {
    activation { dtype = "float32" }
  }
}

stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  trainer {
    num_epochs = var.num_epochs
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.05
      momentum     = 0.9
      nesterov     = true
      weight_decay = 1e-4
    }
    lr_updater "CosLrUpdater" {
      warmup_by  = "epoch"
      warmup_len = 1
    }
    loss "CrossEntropyLoss" { label_smoothing = 0.1 }
  }
  validation {
    metric "Accuracy" {}
    metric "TopKAccuracy" { k = 3 }
  }
}

stage "calibration" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 20 }
}

# BatchNorms disappear in two steps, those that see the image first before the others.
stage "qat" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
  }
  trainer {
    num_epochs = 4
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.005
      momentum     = 0.9
      weight_decay = 1e-4
    }
    lr_updater "CosLrUpdater" {}
  }
  callback "FuseBN" {
    when    = "epoch 2"
    modules = ["backbone.stem", "backbone.stage[1-3]"]
  }
  callback "FuseBN" {
    when    = "epoch 3"
    modules = ["backbone.stage[4-7]", "backbone.last"]
  }
}

# The QAT model on the test data, to compare the int8 model with.
stage "qat_test" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
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

  assert {
    condition     = stage.int_infer.metrics.accuracy > 0.5
    error_message = "The int8 model should reach 50 percent."
  }
  assert {
    condition     = stage.int_infer.metrics.accuracy == stage.qat_test.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
}
