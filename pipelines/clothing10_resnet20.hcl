# Clothes in color with ResNet-20: 32×32 RGB in the layout of CIFAR-10's binary
# files, augmentation, averaged weights, and the whole flow to int8.
#
#   qpipe run pipelines/clothing10_resnet20.hcl -var data_dir=FOLDER
#
# The classes are uneven and the images few: 3068 to train with, 341 to choose by,
# 372 to test. The network has half of ResNet-20's usual width (16), to be done in
# minutes.

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

model "ResNet" "net" {
  depth       = 20
  width       = 8
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
  validation {
    metric "Accuracy" {}
    metric "TopKAccuracy" { k = 3 }
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
    num_epochs = 4
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.005
      momentum     = 0.9
      weight_decay = 5e-4
    }
    lr_updater "CosLrUpdater" {}
  }
  callback "FuseBN" {
    when    = "epoch 2"
    modules = ["backbone.stem", "backbone.stage1"]
  }
  callback "FuseBN" {
    when    = "epoch 3"
    modules = ["backbone.stage[2-3].**"]
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
    condition     = stage.int_infer.metrics.accuracy > 0.6
    error_message = "The int8 model should reach 60 percent."
  }
  assert {
    condition     = stage.int_infer.metrics.accuracy == stage.qat_test.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
}
