stage "x" { # want "QP106 error unclosed configuration block"
  model = 3
