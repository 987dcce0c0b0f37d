# with base
stage "judged" {
  model      = model.net
  train_data = dataset.train
  val_data   = dataset.test
  trainer {
    num_epochs = 1
    batch_size = 8
    optimizer "SGD" { lr = 0.1 }
    loss "CrossEntropyLoss" {
      output = "" # want "QP205 error \"output\" names nothing: Name one, or remove the attribute"
      weight = 0  # want "QP205 error a loss cannot have the weight 0: Write a positive number, as in weight = 0.4"
    }
    loss "CrossEntropyLoss" { weight = 1e300 } # want "QP205 error the weight 1e.300 of a loss is larger than a float32 can be .3.4e.38.: Write a smaller number"
    loss "CrossEntropyLoss" {
      output = "fc"
      target = "class"
      weight = 0.4
    }
    loss "CrossEntropyLoss" {
      output  = "fc"
      weihgts = 2 # want "QP201 error loss \"CrossEntropyLoss\" has no argument \"weihgts\": Did you mean \"weight\""
    }
  }
  validation {
    metric "Accuracy" {
      output = "fc"
      weight = 2 # want "QP201 error metric \"Accuracy\" has no argument \"weight\""
    }
  }
}
