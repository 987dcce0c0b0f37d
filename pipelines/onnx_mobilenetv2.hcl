# A trained float network out of an ONNX file, from another tool to int8.
#
#   qpipe run pipelines/onnx_mobilenetv2.hcl
#
# onnx_mobilenetv2.onnx is a small MobileNetV2 as PyTorch exports it, with its BNs as nodes. Its weights were trained on these images
# (tools/torchonnx/export.py example writes such files). Its nodes have PyTorch's names, by which the BNs are absorbed:
# `qpipe graph -model net pipelines/onnx_mobilenetv2.hcl` lists them. All three modes start from the same weights.
#
# Each int8 model is written as an ONNX file again. `qpipe verify runs/onnx_mobilenetv2` compares every integer with ONNX Runtime's.

dataset "Glyphs" "train" {
  split       = "train"
  num_samples = 4000
}

dataset "Glyphs" "validation" {
  split       = "validation"
  num_samples = 1000
}

model "ONNX" "net" { path = "onnx_mobilenetv2.onnx" }

# int8 everywhere, as ONNX Runtime computes it; only the logits stay float.
qconfig "int8" {
  target = "onnxruntime"
  override "fc" {
    activation { dtype = "float32" }
  }
}

# The network as it is in the file.
stage "float" {
  model    = model.net
  val_data = dataset.validation
}

stage "calibration_with_bn" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 10 }
}

stage "calibration_reverse_fold" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 10 }
}

stage "calibration_fuse_bn" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.int8
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 10 }
}

# All BNs are in the weights before training begins: a small learning rate.
stage "qat_fuse_bn" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration_fuse_bn.checkpoint.last }
  }
  trainer {
    num_epochs = 1
    batch_size = 64

    optimizer "SGD" {
      lr       = 5e-4
      momentum = 0.9
    }
    lr_updater "CosLrUpdater" {}
  }
}

stage "int8_fuse_bn" {
  model    = model.net
  val_data = dataset.validation

  model_convert_pipeline {
    qat_mode = "fuse_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat_fuse_bn.checkpoint.last }
    converter "QAT2Quantize" {}
  }
  export "ONNX" { format = "qoperator" }
}

output "fuse_bn_accuracy" {
  value = stage.int8_fuse_bn.metrics.accuracy

  assert {
    condition     = stage.int8_fuse_bn.metrics.accuracy == stage.qat_fuse_bn.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
  assert {
    condition     = stage.int8_fuse_bn.metrics.accuracy > stage.float.metrics.accuracy - 0.01
    error_message = "The int8 model should be within a point of the float model."
  }
}

# BNs stay until they are absorbed, half of the network at a time; the weights then get new scales.
stage "qat_with_bn" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration_with_bn.checkpoint.last }
  }
  trainer {
    num_epochs = 1
    batch_size = 64

    optimizer "SGD" {
      lr       = 0.002
      momentum = 0.9
    }
    lr_updater "CosLrUpdater" {}
  }
  callback "FuseBN" {
    when         = "step 20"
    modules      = ["stem.*", "blocks.0.*", "blocks.1.*"]
    weight_scale = "recompute"
  }
  callback "FuseBN" {
    when         = "step 40"
    modules      = ["blocks.2.*", "blocks.3.*", "head.0"]
    weight_scale = "recompute"
  }
}

stage "int8_with_bn" {
  model    = model.net
  val_data = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat_with_bn.checkpoint.last }
    converter "QAT2Quantize" {}
  }
  export "ONNX" { format = "qoperator" }
}

output "with_bn_accuracy" {
  value = stage.int8_with_bn.metrics.accuracy

  assert {
    condition     = stage.int8_with_bn.metrics.accuracy == stage.qat_with_bn.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
  assert {
    condition     = stage.int8_with_bn.metrics.accuracy > stage.float.metrics.accuracy - 0.01
    error_message = "The int8 model should be within a point of the float model."
  }
}

# The same; the scales of the weights know the BNs, so absorbing them changes nothing.
stage "qat_reverse_fold" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.calibration_reverse_fold.checkpoint.last }
  }
  trainer {
    num_epochs = 1
    batch_size = 64

    optimizer "SGD" {
      lr       = 0.005
      momentum = 0.9
    }
    lr_updater "CosLrUpdater" {}
  }
  callback "FuseBN" {
    when    = "step 20"
    modules = ["stem.*", "blocks.0.*", "blocks.1.*"]
  }
  callback "FuseBN" {
    when    = "step 40"
    modules = ["blocks.2.*", "blocks.3.*", "head.0"]
  }
}

stage "int8_reverse_fold" {
  model    = model.net
  val_data = dataset.validation

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.qat_reverse_fold.checkpoint.last }
    converter "QAT2Quantize" {}
  }
  export "ONNX" { format = "qoperator" }
}

output "reverse_fold_accuracy" {
  value = stage.int8_reverse_fold.metrics.accuracy

  assert {
    condition     = stage.int8_reverse_fold.metrics.accuracy == stage.qat_reverse_fold.metrics.accuracy
    error_message = "The int8 model computes the integers of the QAT model."
  }
  assert {
    condition     = stage.int8_reverse_fold.metrics.accuracy > stage.float.metrics.accuracy - 0.01
    error_message = "The int8 model should be within a point of the float model."
  }
}

output "float_accuracy" {
  value = stage.float.metrics.accuracy

  assert {
    condition     = stage.float.metrics.accuracy > 0.98
    error_message = "The file's network recognizes 98 percent."
  }
}
