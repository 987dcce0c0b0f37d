# From nothing to an int8 model, on data that qpipe draws itself.
#
#   qpipe run pipelines/quickstart.hcl
#
# Each stage reads what one before it left: a float model, a calibrated one,
# quantization-aware training in which BatchNorm disappears in two steps, and the
# int8 model. What is chosen, like the best checkpoint, is chosen by validation
# data; the test data is for the end.

dataset "Glyphs" "train" {
  split       = "train"
  num_samples = 12800
}

dataset "Glyphs" "validation" {
  split       = "validation"
  num_samples = 1000
}

dataset "Glyphs" "test" {
  split       = "test"
  num_samples = 2000
}

model "LeNet" "net" {
  width       = 8
  num_classes = 10
}

# int8 everywhere, weights with one scale per channel; only the logits stay float.
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
    num_epochs = 3
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.1
      momentum     = 0.9
      weight_decay = 1e-4
    }
    lr_updater "CosLrUpdater" {
      warmup_by  = "step"
      warmup_len = 50
    }
  }
  callback "Checkpoint" { monitor = "accuracy" }
}

# The float model on the test data, by which nothing was chosen.
stage "float_test" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.best }
  }
}

# A few batches through the float model show what range each tensor has.
stage "calibration" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.best }
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 10 }
}

# Training with the rounding of int8 in the forward pass. In this qat_mode the
# weight's scale already knows BatchNorm, so absorbing it changes nothing: the two
# FuseBN events show in the log, not in the accuracy.
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
    num_epochs = 2
    batch_size = 64

    optimizer "SGD" {
      lr       = 0.005
      momentum = 0.9
    }
    lr_updater "CosLrUpdater" {}
  }
  callback "FuseBN" {
    when    = "epoch 1"
    modules = ["backbone.conv1"]
  }
  callback "FuseBN" {
    when    = "step 300"
    modules = ["backbone.conv2"]
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

output "float_accuracy" {
  value = stage.float_test.metrics.accuracy

  assert {
    condition     = stage.float_test.metrics.accuracy > 0.95
    error_message = "The float model should reach 95 percent."
  }
}

output "int8_accuracy" {
  description = "On 2000 glyphs that no stage has seen."
  value       = stage.int_infer.metrics.accuracy

  assert {
    condition     = stage.int_infer.metrics.accuracy == stage.qat_test.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
  assert {
    condition     = stage.int_infer.metrics.accuracy > stage.float_test.metrics.accuracy - 0.01
    error_message = "The int8 model should be within a point of the float model."
  }
}
