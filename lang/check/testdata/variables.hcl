# with base
# var name=x
# var dept=3
# var size=3
# var list=["a"]
# var broken=[
# var small=1
# var bad=5
# env QPIPE_VAR_fromenv=yes
# env QPIPE_VAR_unknown=yes
# wants "QP221 error -var dept: the pipeline declares no such variable: Did you mean \"depth\""
# wants "QP106|QP105"
# wants "QP204 error the value of variable \"size\" has the wrong type"
variable "name" {}
variable "depth" { # want "QP220 error variable \"depth\" has no value: Give one: -var depth="
  type = number
}
variable "size" { type = bool }
variable "list" { type = list(string) }
variable "broken" { type = list(string) }
variable "fromenv" {}
variable "small" {
  type    = number
  default = "x" # want "QP204 error the default of variable \"small\" has the wrong type"
}
variable "bad" {
  type = number
  validation {
    condition     = var.bad < 3 # want "QP222 error the value of variable \"bad\" is not valid: Too large. It is the number 5."
    error_message = "Too large."
  }
  validation { # want "QP206 error \"error_message\" is missing"
    condition = true
  }
}
variable "type" {
  type    = strin # want "QP223"
  default = 1
}
variable "null" {
  default  = null # want "QP204 error variable \"null\" may not be null"
  nullable = false
}
variable "ref" {
  default = var.name # want "QP203 error a variable's value cannot refer to var"
}
variable "fine" {
  type = object({ a = optional(number, 3), b = string })
  default = { b = "x" }
}
locals { x = [var.name, var.list, var.fromenv, var.fine, var.depth, var.bad, var.type] }
