# varfile some.qvars
# wants "QP221 warning the pipeline declares no variable \"dept\": Did you mean \"depth\""
# wants "QP226 error a file of variable values holds no blocks"
variable "depth" { default = 1 }
output "x" { value = var.depth }
