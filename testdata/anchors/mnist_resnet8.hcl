# The training anchor on MNIST: ResNet-8 of width 8, a subset of the data, the
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

variable "scratch_epochs" {
  type    = number
  default = 3
}

variable "scratch_lr" {
  type    = number
  default = 0.05
}

variable "scratch_fuse_bn_lr" {
  type    = number
  default = 0.005
}

qpipe {
  seed = var.seed
}

dataset "MNIST" "train" {
  root        = var.data_dir
  split       = "train"
  max_samples = 12000
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
    num_epochs = 5
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.05
      momentum     = 0.9
      weight_decay = 1e-4
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
    num_epochs = 2
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.0005
      momentum     = 0.9
      weight_decay = 1e-4
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
    num_epochs = 2
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.005
      momentum     = 0.9
      weight_decay = 1e-4
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
    num_epochs = 2
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.005
      momentum     = 0.9
      weight_decay = 1e-4
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

stage "scratch_float" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = var.init }
  }

  trainer {
    num_epochs = var.scratch_epochs
    batch_size = 64

    optimizer "SGD" {
      lr           = 0.05
      momentum     = 0.9
      weight_decay = 1e-4
    }
    lr_updater "CosLrUpdater" { update_by = "epoch" }
  }
}

stage "scratch_fuse_bn" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.anchor
    converter "LoadCheckpoint" { checkpoint_path = var.init }
    converter "Float2QAT" {}
  }

  trainer {
    num_epochs = var.scratch_epochs
    batch_size = 64

    optimizer "SGD" {
      lr           = var.scratch_fuse_bn_lr
      momentum     = 0.9
      weight_decay = 1e-4
    }
    lr_updater "CosLrUpdater" { update_by = "epoch" }
  }
}

stage "scratch_with_bn" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.anchor
    converter "LoadCheckpoint" { checkpoint_path = var.init }
    converter "Float2QAT" {}
  }

  trainer {
    num_epochs = var.scratch_epochs
    batch_size = 64

    optimizer "SGD" {
      lr           = var.scratch_lr
      momentum     = 0.9
      weight_decay = 1e-4
    }
    lr_updater "CosLrUpdater" { update_by = "epoch" }
  }
}

stage "scratch_with_bn_reverse_fold" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.anchor
    converter "LoadCheckpoint" { checkpoint_path = var.init }
    converter "Float2QAT" {}
  }

  trainer {
    num_epochs = var.scratch_epochs
    batch_size = 64

    optimizer "SGD" {
      lr           = var.scratch_lr
      momentum     = 0.9
      weight_decay = 1e-4
    }
    lr_updater "CosLrUpdater" { update_by = "epoch" }
  }
}
