# with base
qpipe {}
qpipe {} # want "QP209 error a second qpipe block"

stage {} # want "QP210 error missing name for stage"
stage "a" "b" {} # want "QP210 error extraneous label for stage"
stage "two words" { model = model.net } # want "QP210 error \"two words\" is not a name"
model "net2" {} # want "QP210 error missing name for model"

locals { x = 1 }
locals {
  x = 2 # want "QP208 error a second local is named \"x\""
}
variable "v" { default = 1 }
variable "v" { default = 2 } # want "QP208 error a second variable is named \"v\""
dataset "Glyphs" "train" {} # want "QP208 error a second dataset is named \"train\""
stage "s" { model = model.net }
stage "s" { model = model.net } # want "QP208 error a second stage is named \"s\""
output "o" { value = 1 }
output "o" { value = 2 } # want "QP208 error a second output is named \"o\""
stage "lock" { model = model.net } # want "QP210 error no stage can be named \"lock\""
stage "NUL" { model = model.net } # want "QP210 error no stage can be named \"NUL\""
stage "S" { model = model.net } # want "QP208 error the stages \"s\" and \"S\" differ in case alone"
