# with base
qpipe {
  threads = 9223372036854775807 # want "QP205 error threads must be at most 1024, and is 9223372036854775807"
}

model "ResNet" "a" { depth = 8 }

dataset "MNIST" "a" { root = "x" }

stage "a" {
  model      = model.a
  train_data = dataset.a
  val_data   = dataset.a

  validation { batch_size = 1000000000000 } # want "QP205 error \"batch_size\" must be at most 1000000000, and is 1000000000000: Write a number from 1 to 1000000000"

  trainer {
    num_epochs = 9223372036854775807 # want "QP205 error \"num_epochs\" must be at most 1000000000"
    batch_size = 2147483648          # want "QP205 error \"batch_size\" must be at most 1000000000"
    optimizer "SGD" { lr = 0.1 }
  }
}

stage "b" {
  model      = model.a
  train_data = dataset.a

  trainer {
    num_steps  = 1e300 # want "QP204 error \"num_steps\" needs a number of at most 63 bits"
    batch_size = 1e18  # want "QP205 error \"batch_size\" must be at most 1000000000"
    optimizer "SGD" { lr = 0.1 }
  }
}
