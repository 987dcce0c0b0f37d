# with base
# One mistake, one message: what was meant is not also missing.
stage "float" {
  model      = model.net
  train_data = dataset.train
  trainer {
    num_epoch = 4 # want "QP201 .*Did you mean \"num_epochs\""
    batchsize = 8 # want "QP201 .*Did you mean \"batch_size\""
    optimizer "SGD" {
      lrr = 0.1 # want "QP201 .*Did you mean \"lr\""
    }
  }
  callback "FuseBN" { when = "epoch 2" } # want "QP232"
}
stage "next" {
  model      = model.net
  train_dat  = dataset.train # want "QP201 .*Did you mean \"train_data\""
  model_convert_pipeline {
    qat_mod = "with_bn" # want "QP201 .*Did you mean \"qat_mode\""
    qconfig = qconfig.int8
    converter "LoadCheckpoint" { checkpoint_path = stage.float.checkpoint.last }
    converter "Float2QAT" {}
  }
  trainer {
    num_epochs = 4
    batch_size = 8
    optimizr "SGD" {} # want "QP200 .*Did you mean \"optimizer\""
  }
  callback "FuseBN" { when = "epoch 2" }
}
output "x" { value = stage.next.metrics.loss }
