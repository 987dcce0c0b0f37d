# with base
stge "x" {} # want "QP200 error no block \"stge\" in a pipeline: Did you mean \"stage\"\\?"

zzzz {} # want "QP200 .*The blocks that are allowed here: dataset, locals, model, network, output, qconfig, qpipe, stage, variable"

depth = 3 # want "QP201 error no attribute \"depth\" in a pipeline"

trainer {} # want "QP200 .*It belongs in stage \\{\\}"

stage "float" {
  model      = model.net
  train_data = dataset.train
  val_dat    = dataset.test # want "QP201 error no attribute \"val_dat\" in a stage block: Did you mean \"val_data\""
  batch_size = 3            # want "QP201 .*It belongs in calibrator \\{\\} or trainer \\{\\} or validation \\{\\}"
  trainer    = 3            # want "QP201 .*\"trainer\" is a block"

  model "x" {} # want "QP200 .*\"model\" is an attribute: write it with an equals sign"

  trainer {
    num_epochs  = 3
    batch_sizes = 128 # want "QP201 error no attribute \"batch_sizes\" in a trainer block: Did you mean \"batch_size\"\\?"
    optimzer "SGD" {} # want "QP200 error no block \"optimzer\" in a trainer block: Did you mean \"optimizer\""
  }
  callback "Chekpoint" {} # want "QP202 error there is no callback \"Chekpoint\": Did you mean \"Checkpoint\""
  callback "Zzzzzzz" {}   # want "QP202 .*The callbacks: Checkpoint, ExponentialMovingAverage, FreezeBN, FuseBN"
  callback "Checkpoint" {
    moniter = "accuracy" # want "QP201 error callback \"Checkpoint\" has no argument \"moniter\": Did you mean \"monitor\""
    inner {}             # want "QP200 error callback \"Checkpoint\" takes no block \"inner\""
  }
  callback "FreezeBN" {
    when  = "epoch 1"
    anyth = 1 # want "QP201 .*The arguments of FreezeBN: modules, when"
  }
}

stage "other" {
  model      = model.nett     # want "QP203 error there is no model.nett: Did you mean \"net\""
  train_data = datasets.train # want "QP203 error nothing is called \"datasets\": Did you mean \"dataset\"" "QP266 warning"
  val_data   = train          # want "QP203 error nothing is called \"train\": Did you mean dataset.train\\?"
  depends_on = [
    stage.flot, # want "QP203 error there is no stage.flot: Did you mean \"float\""
    "float",    # want "QP204 error depends_on takes whole stages"
  ]
}

model "ResNet" "wrong" {
  dept = 8 # want "QP201 error model \"ResNet\" has no argument \"dept\": Did you mean \"depth\""
}

qconfig "wrong" {
  activation {
    dtyp = "int8" # want "QP201 error observer \"min_max\" has no argument \"dtyp\": Did you mean \"dtype\""
  }
  weight {
    observer = "minmax" # want "QP202 error there is no observer \"minmax\": Did you mean \"min_max\""
  }
}
