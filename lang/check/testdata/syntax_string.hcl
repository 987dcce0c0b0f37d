variable "a" { # all that follows an open string is an echo
  type    = string
  default = "open # want "QP106 error a string is not closed: Close it with a quote on its line"
}
stage "x" {
  modules = ["a", "b"]
}
