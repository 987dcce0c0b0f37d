package event

// Kinds has one value of each kind, in the order of docs/events.md.
func Kinds() []Data {
	return []Data{
		Run{},
		Skip{},
		Load{},
		Start{},
		Resume{},
		Progress{},
		Step{},
		Validation{},
		Epoch{},
		Absorb{},
		Freeze{},
		Write{},
		Checkpoint{},
		Proof{},
		Model{},
		Export{},
		Warning{},
		Fallback{},
		Restore{},
		Interrupt{},
		End{},
		Failed{},
		NotRun{},
		Entry{},
		Output{},
	}
}
