# with base
model "Network" "loops" {
  layer "Sum" "chain" {
    count = 4
    from  = count.index == 0 ? input : layer.chain[count.index - 1]
  }
  layer "Sum" "dense" {
    count = 4
    from  = [layer.chain[3], layer.dense]
  }
  layer "Sum" "named" {
    for_each = { a = "b", b = "" }
    from     = each.key == "a" ? layer.dense[3] : layer.named["a"]
  }
  layer "Sum" "past" {
    count = 4
    from  = layer.dense[4] # want "QP211 error layer.dense has 4 instances, and no .4.: There are layer.dense.0. to layer.dense.3."
  }
  layer "Sum" "self" {
    count = 4
    from  = count.index == 0 ? layer.named["b"] : layer.self[count.index] # want "QP203 error layer \"self.1\" cannot be read here: it is not there yet"
  }
  layer "Sum" "key" { from = layer.named.c }         # want "QP203 error layer.named has no \"c\": Did you mean \"a\" or \"b\""
  layer "Sum" "inside" { from = layer.chain[0].out } # want "QP203 error layer.chain.0. is one layer, and has no \"out\": Write layer.chain.0. alone"
}

stage "s" {
  model    = model.loops
  val_data = dataset.test
}
