package rpmmd

// maxInterned bounds how many strings an interner remembers.
const maxInterned = 4 << 20

// An interner makes strings of which there are many equal ones only once. That is
// most of them: names in dependencies, versions, licences, architectures.
type interner map[string]string

func (in interner) get(b []byte) string {
	if s, ok := in[string(b)]; ok {
		return s
	}
	if len(in) >= maxInterned {
		clear(in)
	}
	s := string(b)
	in[s] = s
	return s
}

// An arena hands out small slices that are cut from large ones.
type arena[T any] []T

// arenaSize is how many elements an arena allocates at once.
const arenaSize = 4096

// take returns a copy of list that nothing can append to in place.
func (a *arena[T]) take(list []T) []T {
	n := len(list)
	if n == 0 {
		return nil
	}
	if n > arenaSize/4 {
		return append([]T(nil), list...)[:n:n]
	}
	if cap(*a)-len(*a) < n {
		*a = make([]T, 0, arenaSize)
	}
	start := len(*a)
	*a = append(*a, list...)
	return (*a)[start : start+n : start+n]
}
