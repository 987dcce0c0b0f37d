# The training anchor on clothing10: ResNet-8 of width 8, a subset of the data, the
# hyperparameters of the independent implementation that it is compared with.
variable "data_dir" {
  type = string
}

# The anchor's first weights, as safetensors under this model's names.
variable "init" {
  type = string
}

variable "seed" {
  type    = number
  default = 0
}

qpipe {
  seed = var.seed
}

dataset "CIFAR10" "train" {
  root  = var.data_dir
  files = ["data_batch_1.bin"]

  transform "RandomFlip" {}
}

dataset "CIFAR10" "test" {
  root  = var.data_dir
  split = "test"
  files = ["validation_batch.bin", "test_batch.bin"]
}

model "ResNet" "net" {
  depth       = 8
  width       = 8
  num_classes = 10
}

# The anchor's quantization: the input at a fixed 1/127, logits in float.
qconfig "anchor" {
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
  val_data   = dataset.test

  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = var.init }
  }

  trainer {
    num_epochs = 20
    batch_size = 32

    optimizer "SGD" {
      lr           = 0.05
      momentum     = 0.9
      weight_decay = 5e-4
    }
    lr_updater "CosLrUpdater" { update_by = "epoch" }
  }
}

stage "qat_fuse_bn" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.anchor
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2QAT" {}
  }

  trainer {
    num_epochs = 3
    batch_size = 32

    optimizer "SGD" {
      lr           = 0.0005
      momentum     = 0.9
      weight_decay = 5e-4
    }
    lr_updater "CosLrUpdater" { update_by = "epoch" }
  }
}

stage "int8_fuse_bn" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.anchor
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat_fuse_bn.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}

stage "qat_with_bn" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.anchor
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2QAT" {}
  }

  trainer {
    num_epochs = 3
    batch_size = 32

    optimizer "SGD" {
      lr           = 0.005
      momentum     = 0.9
      weight_decay = 5e-4
    }
    lr_updater "CosLrUpdater" { update_by = "epoch" }
  }
}

stage "int8_with_bn" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.anchor
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat_with_bn.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}

stage "qat_with_bn_reverse_fold" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.anchor
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2QAT" {}
  }

  trainer {
    num_epochs = 3
    batch_size = 32

    optimizer "SGD" {
      lr           = 0.005
      momentum     = 0.9
      weight_decay = 5e-4
    }
    lr_updater "CosLrUpdater" { update_by = "epoch" }
  }
}

stage "int8_with_bn_reverse_fold" {
  model    = model.net
  val_data = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.anchor
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat_with_bn_reverse_fold.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}
