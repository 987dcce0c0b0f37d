locals {
  a = 1e999999999 # want "QP205 error this number is out of all proportion"
}
