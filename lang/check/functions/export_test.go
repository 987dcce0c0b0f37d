package functions

// All is what is left for a pipeline.
func (b *Budget) All() int { return b.all }

// AllUnits is what there is for a pipeline.
const AllUnits = allUnits
