# with base
qconfig "a" {
  activation {
    per_channel = true # want "QP205 error activations are not quantized per channel"
  }
  weight {
    observer = "fixed_scale" # want "QP205 error a weight has no observer \"fixed_scale\": A weight's scale follows from its present values"
    scale    = 0.1
  }
}
qconfig "b" {
  activation {
    dtype = "uint8" # want "QP205 error uint8 has no symmetric range"
  }
  weight {
    dtype  = "uint8" # want "QP205 error weights are quantized to signed integers"
  }
}
qconfig "c" {
  activation {
    dtype  = "uint8"
    scheme = "affine"
  }
  weight {
    scheme = "affine" # want "QP205 error weights are quantized symmetrically"
  }
  override "head..fc" { # want "QP111 error \"\\.\" does not fit here in a selector: A selector is"
    activation { dtype = "float32" }
  }
  override "head.fc" {} # want "QP207 error this override overrides nothing"
  override "head.fc" {
    activation {
      percentile = 99 # want "QP201 error observer \"min_max\" has no argument \"percentile\""
    }
  }
  override "head.fc" {
    activation {
      observer   = "percentile"
      percentile = 99
    }
  }
}
qconfig "e" {
  weight {
    observer           = "min_max"
    averaging_constant = 0 # want "QP201 error a weight has no \"averaging_constant\": A weight's scale follows from its present values"
    dtyp               = "int8" # want "QP201 error a weight has no \"dtyp\": .* Did you mean \"dtype\""
  }
}
qconfig "d" {
  weight {}
  weight { dtype = "int16" } # want "QP209 error a second weight block in a qconfig block"
}
qconfig "f" {
  target = "tflight" # want "QP205 error \"target\" cannot be \"tflight\": The values allowed: horizon, onnxruntime, tensorrt, tflite"
}
qconfig "g" {
  target = "tensorrt"
}
