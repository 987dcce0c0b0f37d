# with base
stage { # want "QP210 error missing name for stage: It is written: stage \"name\" \\{ … \\}"
  model = model.net
}
dataset "val" { # want "QP210 error missing name for dataset: It is written: dataset \"type\" \"name\""
}
stage "reader" {
  model    = model.net
  val_data = dataset.val # no echo: it may be the one above
  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = stage.trained.checkpoint.last }
  }
}
