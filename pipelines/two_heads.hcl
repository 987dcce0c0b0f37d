# A network with two outputs, written in the pipeline: a small U-Net whose decoder says of every pixel which
# character it belongs to, and a head that says which character it is. Each output has its own loss and its own metric.

network "block" {
  variable "channels" { type = number }

  layer "ConvModule2d" "conv1" {
    out_channels = var.channels
    kernel_size  = 3
    padding      = 1
  }
  layer "ConvModule2d" "conv2" {
    out_channels = var.channels
    kernel_size  = 3
    padding      = 1
  }
}

model "Network" "net" {
  layer "block" "down1" { channels = 6 }
  layer "MaxPool2d" "pool1" { kernel_size = 2 }
  layer "block" "down2" { channels = 12 }
  layer "MaxPool2d" "pool2" { kernel_size = 2 }
  layer "block" "middle" { channels = 24 }

  layer "ConvTranspose2d" "up2" {
    out_channels = 12
    kernel_size  = 2
    stride       = 2
  }
  layer "Concat" "join2" { from = [layer.up2, layer.down2] }
  layer "block" "dec2" { channels = 12 }
  layer "ConvTranspose2d" "up1" {
    out_channels = 6
    kernel_size  = 2
    stride       = 2
  }
  layer "Concat" "join1" { from = [layer.up1, layer.down1] }
  layer "block" "dec1" { channels = 6 }
  layer "Conv2d" "mask" {
    out_channels = 4 # the ground and three characters
    kernel_size  = 1
  }

  layer "GlobalAvgPool2d" "pool" { from = layer.middle }
  layer "Linear" "fc" { out_features = 3 }

  output "class" { from = layer.fc }
  output "mask" { from = layer.mask }
}

dataset "Glyphs" "train" {
  num_samples = 1500
  classes     = "OX7"
  target      = "both"
}

dataset "Glyphs" "test" {
  split       = "test"
  num_samples = 300
  classes     = "OX7"
  target      = "both"
}

qconfig "int8" {
  override "fc" {
    activation { dtype = "float32" }
  }
}

stage "float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  trainer {
    num_epochs = 4
    batch_size = 16
    optimizer "SGD" {
      lr       = 0.1
      momentum = 0.9
    }
    lr_updater "CosLrUpdater" {}
    loss "CrossEntropyLoss" { output = "class" }
    loss "CrossEntropyLoss" {
      output = "mask"
      weight = 3
    }
  }
  validation {
    metric "Accuracy" { output = "class" }
    metric "MeanIoU" { output = "mask" }
  }
}

stage "qat" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 1
    batch_size = 16
    optimizer "SGD" { lr = 0.005 }
    loss "CrossEntropyLoss" { output = "class" }
    loss "CrossEntropyLoss" {
      output = "mask"
      weight = 3
    }
  }
  validation {
    metric "Accuracy" { output = "class" }
    metric "MeanIoU" { output = "mask" }
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
    metric "Accuracy" { output = "class" }
    metric "MeanIoU" { output = "mask" }
  }
  assert {
    condition     = stage.int_infer.metrics.class_accuracy > 0.8 && stage.int_infer.metrics.mask_mean_iou > 0.28
    error_message = "The network has learned too little."
  }
}
