locals {
  a = 1
  a = 2 # want "QP107 error attribute redefined: .*Keep one of the two"
}
