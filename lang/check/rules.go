package check

// rules applies the rules between blocks, each in a file of its own.
func (c *checker) rules() {}
