# with base
qpipe {
  seed    = "x" # want "QP204 error \"seed\" needs a whole number, not the string \"x\""
  threads = -1  # want "QP205 error threads must not be negative"
}

model "ResNet" "a" { depth = "eight" } # want "QP204 error \"depth\" needs a whole number, not the string \"eight\": Write it as: depth = 10"
model "ResNet" "b" { depth = 8.5 }     # want "QP204 error \"depth\" needs a whole number, not the number 8.5"
model "ResNet" "c" { depth = 9 }       # want "QP205 error ResNet: \"depth\" must be 8, 18 or 20: depth: Number of weight layers"
model "ResNet" "d" {}                  # want "QP206 error \"depth\" is missing: model \"ResNet\" requires it: Add: depth = …"
model "ResNet" "e" { depth = null }    # want "QP206 error \"depth\" is missing"
model "ResNet" "f" { depth = [8] }     # want "QP204 error \"depth\" needs a whole number, not a list"
model "ResNet" "g" { depth = "8" }
model "ResNet" "h" { depth = 1e30 } # want "QP204 error \"depth\" needs a number of at most 63 bits"

dataset "MNIST" "a" {
  root  = "x"
  split = "trian" # want "QP205 error \"split\" cannot be \"trian\": Did you mean \"train\""
  transform "Normalize" {
    mean = 0.5 # want "QP204 error \"mean\" needs a list, not the number 0.5"
  }
  transform "Normalize" {
    mean = [0.5, "x"] # want "QP204 error \"mean\" has at position 1 an element that needs a number"
  }
  transform "Normalize" {
    mean = [0.5, null] # want "QP204 error \"mean\" has at position 1 an element that is null"
  }
  transform "Normalize" {
    mean = toset([0.5])
  }
}

stage "a" {
  model      = dataset.train # want "QP204 error \"model\" needs a model, not a dataset: Write it as: model = model.a"
  train_data = "train"   # want "QP204 error \"train_data\" needs a dataset, not the string \"train\""
  val_data   = stage.b.checkpoint.last # want "QP204 error \"val_data\" needs a dataset, not a stage's result"
  depends_on = stage.b # want "QP204 error depends_on is not a list of stages"

  validation { batch_size = 0 } # want "QP205 error \"batch_size\" must be at least 1, and is 0"

  trainer {
    num_epochs = 0 # want "QP205 error \"num_epochs\" must be at least 1"
    batch_size = 32
    drop_last  = "maybe" # want "QP204 error \"drop_last\" needs true or false, not the string \"maybe\""
    optimizer "SGD" {
      lr = "fast" # want "QP204 error \"lr\" needs a number"
    }
    loss "CrossEntropyLoss" { # want "QP205 error CrossEntropyLoss: its check of the arguments failed"
      label_smoothing = 0.5
    }
  }
}

stage "b" {
  model      = model.g
  train_data = dataset.train
  model_convert_pipeline {
    qat_mode = "fuse_nb" # want "QP205 error \"qat_mode\" cannot be \"fuse_nb\": Did you mean \"fuse_bn\""
    qconfig  = qconfig.int8
    converter "LoadCheckpoint" {
      checkpoint_path = 3 # want "QP204 error \"checkpoint_path\" needs a checkpoint"
    }
    converter "LoadCheckpoint" {
      checkpoint_path = "x.safetensors"
      rename          = { a = ["b"] } # want "QP204 error \"rename\" has under \"a\" an element that needs a string"
    }
    converter "LoadCheckpoint" {
      checkpoint_path = "x.safetensors"
      rename          = ["a"] # want "QP204 error \"rename\" needs an object"
    }
    converter "Float2Calibration" {}
  }
  calibrator {} # want "QP206 error \"num_steps\" is missing"
}

qconfig "a" {
  activation {
    dtype       = "int9" # want "QP205 error \"dtype\" cannot be \"int9\": Did you mean \"int4\" or \"int8\"\\?"
    per_channel = true
  }
  weight {
    dtype = "int4"
  }
}
