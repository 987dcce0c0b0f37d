# with base
stage "qat" {
  model      = model.net
  train_data = dataset.train
  model_convert_pipeline {
    qat_mode = "with_bn_reverse_fold"
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = "float.safetensors" }
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 4
    batch_size = 32
    optimizer "SGD" { lr = 0.01 }
  }
  callback "FuseBN" {
    when    = "epoch2" # want "QP110 error \"epoch2\" does not fit here in a schedule: A schedule is"
    modules = ["backbone.[3-1]"] # want "QP111 error the range \\[3-1\\] is empty"
  }
  callback "FuseBN" {
    when    = "every 0 steps" # want "QP110 error every 0 steps would never end"
    modules = []              # want "QP111 error modules is empty"
  }
  callback "FuseBN" {
    when    = "epoch 4" # want "QP238 error FuseBN never acts: training ends after 4 epochs: .*the last one is \"epoch 3\""
    modules = "backbone" # want "QP204 error \"modules\" needs a list"
  }
  callback "FuseBN" { # want "QP239 error callback \"FuseBN\" needs \"when\": Add: when"
    modules = ["backbone.st em"] # want "QP111 error \" \" is not allowed in a selector"
  }
  callback "Checkpoint" {
    when = "epoch 1" # want "QP239 error callback \"Checkpoint\" does not take \"when\": Remove it"
  }
  callback "FuseBN" { when = "step 1600" }
  callback "FuseBN" { when = "every 2 epochs" }
  callback "FuseBN" { when = "every 7 epochs" } # want "QP238"
  callback "FuseBN" { when = "end" }
}
stage "steps" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_steps  = 100
    batch_size = 32
    optimizer "SGD" { lr = 0.01 }
  }
  callback "FreezeBN" { when = "step 100" } # want "QP238 error FreezeBN never acts: training ends after 100 steps: .*\"step 99\""
  callback "FreezeBN" { when = "epoch 100" }
  callback "FreezeBN" { when = "step 99" }
}
