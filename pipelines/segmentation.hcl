# A small U-Net, written layer by layer, finds the pixels of characters: float,
# calibration, QAT with FuseBN, int8. The data is built in.
#
#   qpipe run pipelines/segmentation.hcl

network "twice" {
  variable "channels" { type = number }

  layer "ConvModule2d" "conv" {
    count        = 2
    out_channels = var.channels
    kernel_size  = 3
    padding      = 1
  }
}

# One level: half the size, then larger again beside what it was.
network "up" {
  variable "channels" { type = number }
  input "small" {}
  input "beside" {}

  layer "ConvTranspose2d" "larger" {
    from         = input.small
    out_channels = var.channels
    kernel_size  = 2
    stride       = 2
  }
  layer "Concat" "both" { from = [layer.larger, input.beside] }
  layer "twice" "convs" { channels = var.channels }
}

model "Network" "unet" {
  layer "twice" "down0" { channels = 8 }
  layer "MaxPool2d" "pool0" { kernel_size = 2 }
  layer "twice" "down1" { channels = 16 }
  layer "MaxPool2d" "pool1" { kernel_size = 2 }
  layer "twice" "bottom" { channels = 32 }
  layer "up" "up1" {
    from     = [layer.bottom, layer.down1]
    channels = 16
  }
  layer "up" "up0" {
    from     = [layer.up1, layer.down0]
    channels = 8
  }
  layer "Conv2d" "mask" {
    out_channels = 3
    kernel_size  = 1
  }
}

dataset "Glyphs" "train" {
  classes     = "OX"
  target      = "mask"
  num_samples = 800
}

dataset "Glyphs" "test" {
  classes     = "OX"
  target      = "mask"
  split       = "test"
  num_samples = 200
}

qconfig "int8" {
  override "mask" {
    activation { dtype = "float32" }
  }
}

stage "float" {
  model      = model.unet
  train_data = dataset.train
  val_data   = dataset.test

  trainer {
    num_epochs = 6
    batch_size = 10
    optimizer "SGD" {
      lr       = 0.3
      momentum = 0.9
    }
    lr_updater "CosLrUpdater" {}
  }
}

stage "calibration" {
  model      = model.unet
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 5 }
}

stage "qat" {
  model      = model.unet
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
  }
  trainer {
    num_epochs = 1
    batch_size = 10
    optimizer "SGD" { lr = 0.001 }
  }
  callback "FuseBN" {
    when    = "step 20"
    modules = ["down0", "down1", "bottom"]
  }
}

stage "int_infer" {
  model    = model.unet
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat.checkpoint.last }
    converter "QAT2Quantize" {}
  }
  assert {
    condition     = stage.int_infer.metrics.accuracy > 0.9
    error_message = "The background alone is 0.87 of the pixels; more should be right."
  }
}
