package stage

// First reads up to n images from the beginning of the data, in its own order, as
// the network takes them.
func (f *Feed) First(n int, seed int64) (x []float32, count int, err error) {
	n = min(n, f.Samples.Len())
	l, err := f.load(order{seed: uint64(seed), batch: n, perEpoch: 1, to: 1}, 1)
	if err != nil {
		return nil, 0, err
	}
	defer l.close()
	b, err := l.next()
	if err != nil {
		return nil, 0, err
	}
	return append([]float32(nil), b.images()...), n, nil
}
