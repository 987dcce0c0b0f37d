# with base
stage "a" {
  model      = model.net
  depends_on = [stage.c]
}
stage "b" {
  model      = model.net
  depends_on = [stage.a] # want "QP231 error stages wait for each other in a circle: a → c → b → a"
}
stage "c" {
  model      = model.net
  depends_on = [stage.b]
}
stage "d" {
  model      = model.net
  depends_on = [stage.d] # want "QP231 error stage \"d\" waits for itself"
}
stage "e" {
  model    = model.net
  val_data = dataset.test
  precondition {
    condition     = stage.e.metrics.accuracy > 0.5 # want "QP231 error stage \"e\" waits for itself"
    error_message = "Not good enough."
  }
  assert {
    condition     = stage.e.metrics.accuracy > 0.5
    error_message = "Not good enough: ${stage.e.metrics.accuracy}."
  }
}
