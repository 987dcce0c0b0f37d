# with base
stage "both" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_steps  = 100
    batch_size = 32
    optimizer "SGD" { lr = 0.01 }
  }
  calibrator { num_steps = 20 } # want "QP230 error stage \"both\" has both a trainer and a calibrator"
}
stage "empty" { model = model.net }
stage "nothing" {} # want "QP206 error \"model\" is missing: Name one: model = model.net"
stage "a" {
  model = model.net
  trainer { # want "QP240 error stage \"a\" trains without train_data" "QP243 error the trainer does not say how long it trains" "QP206 error \"batch_size\" is missing" "QP207 error the trainer has no optimizer"
  }
}
stage "b" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs = 1
    num_steps  = 1 # want "QP243 error the trainer has both num_epochs and num_steps"
    batch_size = 1
    optimizer "SGD" { lr = 1 }
  }
}
stage "c" {
  model = model.net
  calibrator { num_steps = 2 } # want "QP240 error stage \"c\" calibrates without train_data" "QP233 error a calibrator needs a model in calibration form, and here it is float"
}
stage "d" {
  model      = model.net
  train_data = dataset.train # want "QP266 warning stage \"d\" does not read train_data"
  callback "Checkpoint" {}   # want "QP267 warning callback \"Checkpoint\" never acts"
}
stage "e" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs           = 1
    batch_size           = 1
    resume_optimizer     = false
    resume_epoch_or_step = true # want "QP236 error resume_epoch_or_step needs resume_optimizer"
    optimizer "SGD" { lr = 1 }
  }
}
stage "f" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epochs           = 1
    batch_size           = 1
    resume_optimizer     = true
    resume_epoch_or_step = true
    optimizer "SGD" { lr = 1 }
    lr_updater "CosLrUpdater" { warmup_by = "epochs" } # want "QP205 error \"warmup_by\" cannot be \"epochs\": Did you mean \"epoch\""
  }
}
