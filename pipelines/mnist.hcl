variable "data_dir" {
  description = "Folder with the four MNIST IDX files (or Fashion-MNIST, same format)."
  type        = string
  default     = "data/mnist"
}

dataset "MNIST" "train" {
  root        = var.data_dir
  split       = "train"
  val_samples = 5000

  transform "RandomCrop" {
    size    = 28
    padding = 2
  }
}

dataset "MNIST" "validation" {
  root        = var.data_dir
  split       = "validation"
  val_samples = 5000
}

dataset "MNIST" "test" {
  root  = var.data_dir
  split = "test"
}

model "ResNet" "classifier" {
  depth       = 8
  num_classes = 10
}

qconfig "int8" {
  activation {
    dtype              = "int8"
    observer           = "min_max"
    averaging_constant = 0.01
  }
  weight {
    dtype       = "int8"
    per_channel = true
  }
  # what a submodule's own set_qconfig says; of several the later one wins, attribute by attribute
  override "head.fc" {
    activation { dtype = "float32" } # high-precision output
  }
}

stage "float" {
  model      = model.classifier
  train_data = dataset.train
  val_data   = dataset.validation

  trainer {
    num_epochs = 10
    batch_size = 128

    optimizer "SGD" {
      lr           = 0.1
      momentum     = 0.9
      weight_decay = 5e-4
    }
    lr_updater "CosLrUpdater" {
      warmup_by  = "epoch"
      warmup_len = 1
    }
  }
  callback "Checkpoint" {
    monitor = "accuracy"
    mode    = "max"
  }
}

stage "calibration" {
  model      = model.classifier
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.best }
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 20 }
}

stage "qat" {
  model      = model.classifier
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
  }
  trainer {
    num_epochs           = 4
    batch_size           = 128
    resume_optimizer     = false
    resume_epoch_or_step = false
    optimizer "SGD" { lr = 0.001 }
  }
  callback "FuseBN" {
    when    = "epoch 2"
    modules = ["backbone.stem", "backbone.stage1"]
  }
  callback "FuseBN" {
    when    = "step 1600"
    modules = ["backbone.stage[2-3].**"]
  }
  callback "Checkpoint" {
    monitor = "accuracy"
    mode    = "max"
  }
}

# The QAT model on the test data, to compare the int8 model with.
stage "qat_test" {
  model    = model.classifier
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.best }
  }
}

stage "int_infer" {
  model    = model.classifier
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.best }
    converter "QAT2Quantize" {}
  }
}

output "int8_accuracy" {
  value = stage.int_infer.metrics.accuracy

  assert {
    condition     = stage.int_infer.metrics.accuracy > 0.98
    error_message = "The int8 model should reach 98 percent."
  }

  assert {
    condition     = stage.int_infer.metrics.accuracy == stage.qat_test.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
}
