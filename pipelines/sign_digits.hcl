# Photographs of hands that show the digits 0 to 9, from their folder: JPEG files in a folder for each class, as
# shared/data/sign-digits has them, or any other such folder with train, val and test.
#
#   qpipe run pipelines/sign_digits.hcl -var data_dir=FOLDER
#
# There are 1370 images to train with, 232 to choose by, 460 to test. Most have 100×100 pixels, some have nine million and
# are turned by their EXIF data.

variable "data_dir" {
  description = "Folder with train, val and test, each with a folder of images for each class."
  type        = string
  default     = "data/sign-digits"
}

variable "num_epochs" {
  description = "Epochs of the float stage."
  type        = number
  default     = 40
}

dataset "ImageFolder" "train" {
  root = var.data_dir

  transform "RandomResizedCrop" {
    size  = 48
    scale = [0.6, 1]
  }
  transform "RandomFlip" {}
  transform "ColorJitter" {
    brightness = 0.3
    contrast   = 0.3
    saturation = 0.2
  }
}

dataset "ImageFolder" "validation" {
  root  = var.data_dir
  split = "validation"

  transform "Resize" { size = [48, 48] }
}

dataset "ImageFolder" "test" {
  root  = var.data_dir
  split = "test"

  transform "Resize" { size = [48, 48] }
}

model "ResNet" "net" {
  depth       = 8
  width       = 16
  num_classes = 10
}

# The first and the last layer see and give what counts most: the input has a
# fixed scale (its range is known), the logits stay float.
qconfig "int8" {
  override "input" {
    activation {
      observer = "fixed_scale"
      scale    = 1 / 127
    }
  }
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
      lr           = 0.1
      momentum     = 0.9
      nesterov     = true
      weight_decay = 5e-4
    }
    lr_updater "CosLrUpdater" {
      warmup_by  = "epoch"
      warmup_len = 1
    }
    loss "CrossEntropyLoss" { label_smoothing = 0.1 }
  }
  callback "ExponentialMovingAverage" { decay = 0.99 }
  callback "Checkpoint" {
    monitor = "accuracy"
    mode    = "max"
  }
}

stage "calibration" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" {
      checkpoint_path = stage.float.checkpoint.best
      load_ema_model  = true
    }
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 20 }
}

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
    num_epochs = 8
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.002
      momentum     = 0.9
      weight_decay = 5e-4
    }
    lr_updater "CosLrUpdater" {}
  }
  callback "FuseBN" {
    when    = "epoch 5"
    modules = ["backbone.stem", "backbone.stage1"]
  }
  callback "FuseBN" {
    when    = "epoch 6"
    modules = ["backbone.stage[2-3].**"]
  }
}

# The float model on the test data, to compare both with.
stage "float_test" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    converter "LoadCheckpoint" {
      checkpoint_path = stage.float.checkpoint.best
      load_ema_model  = true
    }
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
    condition     = stage.int_infer.metrics.accuracy > 0.935
    error_message = "The int8 model should reach 93.5 percent."
  }
  assert {
    condition     = stage.int_infer.metrics.accuracy == stage.qat_test.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
}
