# with base
stage "float" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
}
stage "calibration" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "Float2Calibration" {}
    converter "LoadCheckpoint" {
      checkpoint_path = stage.float.checkpoint.last # want "QP233 error stage \"float\" writes a checkpoint of a float model, and here the model is calibration: Put \"LoadCheckpoint\" before \"Float2Calibration\""
    }
  }
  calibrator { num_steps = 1 }
}
stage "qat" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "LoadCheckpoint" {
      checkpoint_path = stage.calibration.checkpoint.last # want "QP233 error stage \"calibration\" writes a checkpoint of a calibration model, and here the model is float: Put \"LoadCheckpoint\" behind \"Float2QAT\""
    }
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
}
stage "backwards" {
  model = model.net
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "QAT2Quantize" {} # want "QP233 error converter \"QAT2Quantize\" needs a qat model, and here it is float: Put \"Float2QAT\" before it"
    converter "Float2QAT" {}
  }
}
stage "twice" {
  model = model.net
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "Float2QAT" {}
    converter "Float2QAT" {} # want "QP233 .*The model has been converted already"
  }
}
stage "mixed" {
  model = model.net
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "Float2Calibration" {}
    converter "Float2QAT" {} # want "QP233 .*Converter \"Float2Calibration\" has taken the float model before"
  }
}
stage "late" {
  model = model.net
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "Float2QAT" {}
    converter "QAT2Quantize" {}
    converter "LoadCheckpoint" {
      checkpoint_path = stage.qat.checkpoint.last # want "QP233 .*Put \"LoadCheckpoint\" before \"QAT2Quantize\""
    }
  }
}
stage "down" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "Float2Calibration" {}
    converter "LoadCheckpoint" {
      checkpoint_path = stage.qat.checkpoint.last # want "QP233 .*Calibration comes before QAT"
    }
  }
  calibrator { num_steps = 1 }
}
stage "missing" {
  model = model.net
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "QAT2Quantize" {} # want "QP233 .*Put the converter \"Float2QAT\" \\{\\} before it"
  }
}
stage "noqconfig" {
  model = model.net
  model_convert_pipeline { # want "QP242 error stage \"noqconfig\" quantizes without a qconfig: Add: qconfig = qconfig.int8"
    converter "Float2QAT" {}
  }
}
stage "trainq" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "Float2QAT" {}
    converter "QAT2Quantize" {}
  }
  trainer { # want "QP233 error a quantized model cannot be trained"
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
}
stage "trainc" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "Float2Calibration" {}
  }
  trainer { # want "QP233 error a model in calibration form cannot be trained"
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
}
