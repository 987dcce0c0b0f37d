# QAT from scratch in with_bn, BatchNorm absorbed stage by stage.
#
# In with_bn the weight's scale is that of the raw weight. After an absorption the
# weight is another one, and the old scale fits it no longer: with
# weight_scale = "keep", the default, the output jumps and training has to mend it.
# weight_scale = "recompute" takes the scale of the absorbed weight, channel by
# channel, which makes the absorption lossless; that is what stands here. Without
# a reason to stay with with_bn, scratch_reverse_fold.hcl is the simpler way.

variable "data_dir" {
  description = "Folder with the four MNIST IDX files (or Fashion-MNIST, same format)."
  type        = string
  default     = "data/mnist"
}

dataset "MNIST" "train" {
  root        = var.data_dir
  split       = "train"
  val_samples = 5000
  max_samples = 12000
}

dataset "MNIST" "validation" {
  root        = var.data_dir
  split       = "validation"
  val_samples = 5000
}

dataset "MNIST" "test" {
  root        = var.data_dir
  split       = "test"
  max_samples = 5000
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

stage "qat" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 4
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

  callback "FuseBN" {
    when         = "epoch 2"
    modules      = ["backbone.stem", "backbone.stage1"]
    weight_scale = "recompute"
  }
  callback "FuseBN" {
    when         = "epoch 3"
    modules      = ["backbone.stage2"]
    weight_scale = "recompute"
  }
  # backbone.stage3 keeps its BNs to the end: QAT2Quantize absorbs them.
}

# The QAT model on the test data, to compare the int8 model with.
stage "qat_test" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
  }
}

stage "int_infer" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}

output "int8_accuracy" {
  value = stage.int_infer.metrics.accuracy

  assert {
    condition     = stage.int_infer.metrics.accuracy == stage.qat_test.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
  assert {
    condition     = stage.int_infer.metrics.accuracy > 0.95
    error_message = "Trained from scratch, the int8 model should reach 95 percent."
  }
}
