# MNIST from float to int8 in a minute or two: the same flow as mnist.hcl with
# fewer images and qat_mode = "fuse_bn", where BatchNorm is folded into the
# convolutions before the quantized training begins.
#
#   qpipe run pipelines/mnist_small.hcl -var data_dir=FOLDER

variable "data_dir" {
  description = "Folder with the four MNIST IDX files (or Fashion-MNIST, same format)."
  type        = string
  default     = "data/mnist"
}

variable "max_samples" {
  description = "How many training images are used. A fifth as many are used for validation, and for testing."
  type        = number
  default     = 10000

  validation {
    condition     = var.max_samples >= 1000 && var.max_samples <= 50000
    error_message = "MNIST has 60000 training images, of which 10000 are held out, and 10000 test images: take 1000 to 50000."
  }
}

dataset "MNIST" "train" {
  root        = var.data_dir
  split       = "train"
  val_samples = 10000
  max_samples = var.max_samples
}

dataset "MNIST" "validation" {
  root        = var.data_dir
  split       = "validation"
  val_samples = 10000
  max_samples = floor(var.max_samples / 5)
}

dataset "MNIST" "test" {
  root        = var.data_dir
  split       = "test"
  max_samples = floor(var.max_samples / 5)
}

model "ResNet" "net" {
  depth       = 8
  width       = 8
  num_classes = 10
}

qconfig "int8" {
  override "head.fc" {
    activation { dtype = "float32" }
  }
}

stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  trainer {
    num_epochs = 3
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.05
      momentum     = 0.9
      weight_decay = 1e-4
    }
    lr_updater "CosLrUpdater" {
      warmup_by  = "step"
      warmup_len = 50
    }
  }
}

# The float model on the test data, by which nothing was chosen.
stage "float_test" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
  }
}

stage "calibration" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 10 }
}

# Without BatchNorm a network takes a small learning rate only.
stage "qat" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
  }
  trainer {
    num_epochs = 1
    batch_size = 64

    optimizer "SGD" {
      lr       = 5e-4
      momentum = 0.9
    }
    lr_updater "CosLrUpdater" {}
  }
}

# The QAT model on the test data, to compare the int8 model with.
stage "qat_test" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
  }
}

stage "int_infer" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}

output "float_accuracy" {
  value = stage.float_test.metrics.accuracy

  assert {
    condition     = stage.float_test.metrics.accuracy > 0.94
    error_message = "The float model should reach 94 percent."
  }
}

output "int8_accuracy" {
  value = stage.int_infer.metrics.accuracy

  assert {
    condition     = stage.int_infer.metrics.accuracy == stage.qat_test.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
  assert {
    condition     = stage.int_infer.metrics.accuracy > stage.float_test.metrics.accuracy - 0.01
    error_message = "The int8 model should be within a point of the float model."
  }
}
