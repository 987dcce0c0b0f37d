# The three recoveries, side by side, on a small built-in data set.
#
# A trained stage leaves a checkpoint with everything in it: weights, optimizer,
# learning rate, epoch, step, the best metric, the absorbed BNs. What of that a
# later stage takes is said by two attributes of its trainer:
#
#   recovery                    resume_optimizer   resume_epoch_or_step
#   full                        true               true (the default then)
#   optimizer, for fine-tuning  true               false
#   parameters only             false              false
#
# An interrupted run needs none of this: `qpipe run --resume FILE` goes on.

dataset "Glyphs" "train" {
  split       = "train"
  num_samples = 4000
}

dataset "Glyphs" "validation" {
  split       = "validation"
  num_samples = 500
}

model "LeNet" "net" {
  num_classes = 10
  width       = 8
}

# What the others recover from: two epochs at a constant rate.
stage "first" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  trainer {
    num_epochs = 2
    batch_size = 50

    optimizer "SGD" {
      lr       = 0.01
      momentum = 0.9
    }
  }
}

# Full recovery: epochs 2 and 3 follow as if the stage above had been asked for
# four epochs. Weights and metrics are those of an uninterrupted run, to the last bit.
stage "full" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = stage.first.checkpoint.last }
  }
  trainer {
    num_epochs       = 4
    batch_size       = 50
    resume_optimizer = true

    optimizer "SGD" {
      lr       = 0.01
      momentum = 0.9
    }
  }
}

# The optimizer's state for fine-tuning: weights, momentum and learning rate are
# those of the checkpoint, epoch and step start at 0.
stage "optimizer" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = stage.first.checkpoint.last }
  }
  trainer {
    num_epochs           = 1
    batch_size           = 50
    resume_optimizer     = true
    resume_epoch_or_step = false

    optimizer "SGD" {
      lr       = 0.01
      momentum = 0.9
    }
  }
}

# Parameters only: a new training that begins with the checkpoint's weights.
stage "parameters" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.validation

  model_convert_pipeline {
    converter "LoadCheckpoint" { checkpoint_path = stage.first.checkpoint.last }
  }
  trainer {
    num_epochs           = 1
    batch_size           = 50
    resume_optimizer     = false
    resume_epoch_or_step = false

    optimizer "SGD" {
      lr       = 0.005
      momentum = 0.9
    }
  }
}

output "accuracies" {
  description = "On validation data."
  value = {
    first      = stage.first.metrics.accuracy
    full       = stage.full.metrics.accuracy
    optimizer  = stage.optimizer.metrics.accuracy
    parameters = stage.parameters.metrics.accuracy
  }

  assert {
    condition     = stage.full.metrics.accuracy > 0.9
    error_message = "Four epochs should reach 90 percent."
  }
}
