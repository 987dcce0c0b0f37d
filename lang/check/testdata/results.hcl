# with base
stage "float" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 1
    batch_size = 1
    optimizer "SGD" { lr = 0.1 }
  }
  callback "Checkpoint" {}
}
stage "check" {
  model    = model.net
  val_data = dataset.test
  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.best } # want "QP237 error stage \"float\" keeps no best checkpoint: Add to that stage"
  }
}
stage "calibration" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qconfig = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.check.checkpoint.last } # want "QP237 error stage \"check\" writes no checkpoint.*: Stages that write one: calibration, float"
    converter "Float2Calibration" {}
  }
  calibrator { num_steps = 1 }
  assert {
    condition     = 1 > 2 # want "QP225 error this assert does not hold: Never."
    error_message = "Never."
  }
}
output "a" { value = stage.calibration.checkpoint.best } # want "QP237 error stage \"calibration\" keeps no best checkpoint: calibration has one result"
output "b" { value = stage.float.metrics.accuracy }      # want "QP241 error stage \"float\" does not measure \"accuracy\": it has no val_data"
output "c" { value = stage.float.metrics.loss }
output "d" {
  value = stage.check.metrics.accuracy
  precondition {
    condition     = "x" # want "QP204 error condition needs true or false"
    error_message = "x"
  }
  precondition {
    condition     = true
    error_message = ["x"] # want "QP204 error error_message needs a string"
  }
}
stage "twobest" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test
  trainer {
    num_epochs = 1
    batch_size = 32
    optimizer "SGD" { lr = 0.1 }
  }
  callback "Checkpoint" { monitor = "accuracy" }
  callback "Checkpoint" { monitor = "loss" } # want "QP209 error a second callback keeps the best checkpoint of stage \"twobest\": Keep one of the two"
}
