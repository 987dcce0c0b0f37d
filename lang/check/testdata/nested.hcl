model "Stack" "none" {} # want "QP207 error \"unit\" is missing: model \"Stack\" requires a block of that name: Add: unit \"kind\" { … }"
model "Stack" "twice" {
  unit "conv" { width = 1 }
  head {}
  head { # want "QP209 error a second head block in model \"Stack\": Keep one of the two"
    clases = 1 # want "QP201 error block \"head\" has no argument \"clases\": Did you mean \"classes\""
  }
}
model "Stack" "swapped" {
  unit = 1 # want "QP201 error model \"Stack\" has no argument \"unit\": \"unit\" is a block: write it without the equals sign, as unit { … }"
  note { # want "QP200 error model \"Stack\" takes no block \"note\": An argument is written with an equals sign"
  }
}
model "Stack" "near" {
  unit "conv" { width = 1 }
  haed {} # want "QP200 error model \"Stack\" takes no block \"haed\": Did you mean \"head\""
}
model "Stack" "labels" {
  unit { width = 1 }       # want "QP210 error .*It is written: unit \"kind\" { … }"
  unit "a" "b" { width = 1 } # want "QP210 error .*It is written: unit \"kind\" { … }"
  unit "cnov" { width = 1 } # want "QP205 error \"kind\" cannot be \"cnov\": Did you mean \"conv\""
}
model "Stack" "inside" {
  unit "conv" { # want "QP206 error \"width\" is missing: block \"unit\" requires it: Add: width = …"
    act { limit = -1 } # want "QP205 error act: \"limit\" must not be negative: limit: The largest value"
    atc {} # want "QP200 error block \"unit\" takes no block \"atc\": Did you mean \"act\""
  }
  unit "pool" {
    width = "x" # want "QP204 error \"width\" needs a whole number"
    act { from = stage.a.checkpoint.last } # want "QP203 error there is no stage.a"
  }
}
model "Stack" "deep" {
  unit "conv" { width = 1 }
  unit "conv" { width = 100 } # want "QP205 error Stack: \"unit.1..width\" is too large: unit.1..width: Channels."
}
model "Stack" "dynamic" {
  dynamic "unit" {
    for_each = local.nothing # want "QP203 error there is no local.nothing"
    labels   = ["conv"]
    content { width = 1 }
  }
}
model "Stack" "foot" {
  unit "conv" { width = 1 }
  dynamic "foot" { # want "QP200 error model \"Stack\" takes no block \"foot\""
    for_each = []
    content {}
  }
}
