# with base
stage "int8" {
  model    = model.net
  val_data = dataset.test
}
output "a" {
  value = stage.int8 # want "QP203 error stage.int8 has no such result: Did you mean stage.int8.checkpoint.last"
}
output "b" {
  value = stage.int8.checkpoints.best # want "QP203 .*Did you mean stage.int8.checkpoint"
}
output "c" {
  value = stage.int8.checkpoint.bst # want "QP203 .*Did you mean \"best\""
}
output "d" {
  value = stage.int8.checkpoint # want "QP203 .*Say which"
}
output "e" {
  value = stage.int8.metrics # want "QP203 .*Name the metric"
}
output "f" {
  value = stage # want "QP203 error stage alone is not a value"
}
output "g" {
  value = dataset # want "QP203 error dataset alone is not a value"
}
output "h" {
  value = dataset.train # want "QP204 error \"value\" is a dataset, which is not a value that can be printed"
}
output "i" {
  value = local.x # want "QP203 .*There are no local values. Declare it: locals"
}
output "j" {
  value = stage.int9.metrics.accuracy # want "QP203 error there is no stage.int9: Did you mean \"int8\""
}
output "k" {
  value = stage.int8.metrics["accuracy"]
}
output "l" {} # want "QP206 error \"value\" is missing"
