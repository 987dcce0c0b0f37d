# A QAT stage of two epochs, and one that continues it to the fourth: what
# validation says of its variations stands in recovery_mistakes_test.go.
dataset "Glyphs" "train" { num_samples = 256 }

dataset "Glyphs" "test" {
  split       = "test"
  num_samples = 100
}

model "LeNet" "net" { width = 4 }

qconfig "int8" {
  override "head.fc" {
    activation { dtype = "float32" }
  }
}

stage "first" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 2
    batch_size = 64
    optimizer "SGD" { lr = 0.02 }
    # first trainer
  }
  callback "Checkpoint" { monitor = "accuracy" }
  # first
}

stage "later" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test

  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "Float2QAT" {}
    converter "LoadCheckpoint" { checkpoint_path = stage.first.checkpoint.last }
  }
  trainer {
    num_epochs       = 4
    batch_size       = 64 # steps
    resume_optimizer = true
    optimizer "SGD" { lr = 0.02 } # later
    # later trainer
  }
  callback "Checkpoint" { monitor = "accuracy" } # later
}

output "loss" { value = stage.later.metrics.loss }

output "accuracy" { value = stage.later.metrics.accuracy }
