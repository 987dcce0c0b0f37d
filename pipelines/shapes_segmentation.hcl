# Segmentation: a small U-Net says of every pixel which shape it belongs to, in float, trained quantized, and in int8.

dataset "Shapes" "train" {
  num_samples = 2000
  size        = 32
  classes     = ["circle", "cross"]
  max_shapes  = 2
  contrast    = 0.4
  noise       = 0.1

  transform "RandomFlip" {}
}

dataset "Shapes" "validation" {
  split       = "validation"
  num_samples = 200
  size        = 32
  classes     = ["circle", "cross"]
  max_shapes  = 2
  contrast    = 0.4
  noise       = 0.1
}

dataset "Shapes" "test" {
  split       = "test"
  num_samples = 300
  size        = 32
  classes     = ["circle", "cross"]
  max_shapes  = 2
  contrast    = 0.4
  noise       = 0.1
}

model "UNet" "net" {
  num_classes = 3
  width       = 8
  depth       = 3
}

qconfig "int8" {
  override "head.mask" {
    activation { dtype = "float32" } # high-precision output
  }
}

stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  trainer {
    num_epochs = 4
    batch_size = 8

    optimizer "SGD" {
      lr           = 0.1
      momentum     = 0.9
      weight_decay = 0.0001
    }
    lr_updater "CosLrUpdater" {
      warmup_by  = "step"
      warmup_len = 50
    }
  }
  validation {
    metric "MeanIoU" {}
  }
  callback "Checkpoint" { monitor = "mean_iou" }
}

stage "qat" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8

    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.best }
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 1
    batch_size = 8

    optimizer "SGD" { lr = 0.005 }
  }
  validation {
    metric "MeanIoU" {}
  }
}

stage "float_test" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.best }
  }
  validation {
    metric "MeanIoU" {}
  }
  assert {
    condition     = stage.float_test.metrics.mean_iou > 0.75
    error_message = "The float network has learned too little."
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
  validation {
    metric "MeanIoU" {}
  }
  assert {
    condition     = stage.int_infer.metrics.mean_iou > stage.float_test.metrics.mean_iou - 0.02
    error_message = "The int8 network is worse than the float one."
  }
}
