# with base
stage "float" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.01 }
  }
  callback "FuseBN" { when = "step 1" } # want "QP232 error FuseBN in stage \"float\", whose model is float: Absorption belongs in QAT"
}
stage "calibration" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 1 }
}
stage "fused" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qat_mode = "fuse_bn" # want "QP234 error stage \"fused\" loads a checkpoint of qat_mode \"with_bn_reverse_fold\" into a model of \"fuse_bn\""
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
  }
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 } # want "QP264 warning the learning rate of stage \"fused\" is larger than that of the float stage \"float\" \\(0.1 against 0.01\\)"
  }
  callback "FuseBN" { when = "step 1" } # want "QP232 error FuseBN finds nothing to absorb: under fuse_bn"
}
stage "other" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qat_mode = "with_bn" # want "QP235 warning stage \"other\" loads a checkpoint of qat_mode \"with_bn_reverse_fold\" into \"with_bn\""
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration.checkpoint.last }
  }
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.001 }
  }
  callback "FuseBN" { when = "step 1" }    # want "QP261 warning absorbing under with_bn changes the output of stage \"other\""
  callback "ExponentialMovingAverage" {}   # want "QP262 warning ExponentialMovingAverage together with FuseBN"
  callback "FuseBN" {
    when         = "step 2"
    weight_scale = "recompute"
  }
}
stage "absorbed" {
  model        = model.net
  proof_images = "all"
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.other.checkpoint.last }
    converter "QAT2Quantize" {}
  }
}
stage "scratch" {
  model        = model.net
  train_data   = dataset.train
  proof_images = 10 # want "QP205 error proof_images in stage \"scratch\", which converts nothing to int8"
  model_convert_pipeline { # want "QP260 warning stage \"scratch\" trains under fuse_bn without a float checkpoint"
    qconfig = qconfig.int8
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
}
stage "fromfile" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = "float.safetensors" }
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
}
