locals {
  a = 'x' # want "QP104 error invalid character: Single quotes are not valid"
  b = 1
}
