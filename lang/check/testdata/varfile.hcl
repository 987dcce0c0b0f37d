# varfile some.qvars
# wants "QP221 warning the pipeline declares no variable \"dept\": Did you mean \"depth\""
# wants "QP226 error a block cannot stand in a file of variable values"
variable "depth" { default = 1 }
output "x" { value = var.depth }
