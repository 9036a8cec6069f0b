package delta

// suffixArray returns the begins of all suffixes of s in ascending order of the
// suffixes. It takes time proportional to the length of s, and about nine bytes of
// memory for each of its bytes, which are at most MaxInt32.
//
// It is the induced sorting of Nong, Zhang and Chan ("Two Efficient Algorithms for
// Linear Time Suffix Array Construction", 2009): suffixes at which the text turns
// from falling to rising are sorted first, and all others follow from them.
func suffixArray(s []byte) []int32 { return induceSort(s, 255) }

// A suffixSorter is the state of one level of the recursion. Symbols are at most
// max.
type suffixSorter[T byte | int32] struct {
	text    []T
	rising  []bool // whether the suffix is smaller than the next one
	falling []int32
	risen   []int32 // where in the result the falling, and rising, suffixes of a symbol begin
	bucket  []int32 // scratch
	result  []int32
}

func induceSort[T byte | int32](text []T, max int) []int32 {
	n := len(text)
	if n < 2 {
		return make([]int32, n)
	}
	s := &suffixSorter[T]{
		text: text, rising: make([]bool, n), falling: make([]int32, max+2), risen: make([]int32, max+2),
		bucket: make([]int32, max+2), result: make([]int32, n),
	}
	s.classify(max)
	turns, number := s.turns()
	s.induce(turns)
	if len(turns) > 0 {
		s.induce(s.sortTurns(turns, number))
	}
	return s.result
}

// classify finds out which suffixes rise, and counts symbols.
func (s *suffixSorter[T]) classify(max int) {
	n := len(s.text)
	for i := n - 2; i >= 0; i-- {
		if s.text[i] == s.text[i+1] {
			s.rising[i] = s.rising[i+1]
		} else {
			s.rising[i] = s.text[i] < s.text[i+1]
		}
	}
	for i, c := range s.text {
		if s.rising[i] {
			s.falling[int(c)+1]++ // they come before the next symbol's
		} else {
			s.risen[c]++
		}
	}
	for c := 0; c <= max; c++ {
		s.risen[c] += s.falling[c]
		s.falling[c+1] += s.risen[c]
	}
}

// turns returns where the text turns from falling to rising, in order, and the
// number of each such place.
func (s *suffixSorter[T]) turns() (turns, number []int32) {
	number = make([]int32, len(s.text)+1)
	for i := range number {
		number[i] = -1
	}
	for i := 1; i < len(s.text); i++ {
		if !s.rising[i-1] && s.rising[i] {
			number[i] = int32(len(turns))
			turns = append(turns, int32(i))
		}
	}
	return turns, number
}

// induce sorts all suffixes, given turns that are sorted.
func (s *suffixSorter[T]) induce(turns []int32) {
	n := len(s.text)
	for i := range s.result {
		s.result[i] = -1
	}
	copy(s.bucket, s.risen)
	for _, at := range turns {
		c := s.text[at]
		s.result[s.bucket[c]] = at
		s.bucket[c]++
	}
	copy(s.bucket, s.falling)
	last := s.text[n-1]
	s.result[s.bucket[last]] = int32(n - 1)
	s.bucket[last]++
	for i := 0; i < n; i++ {
		if v := s.result[i]; v >= 1 && !s.rising[v-1] {
			c := s.text[v-1]
			s.result[s.bucket[c]] = v - 1
			s.bucket[c]++
		}
	}
	copy(s.bucket, s.falling)
	for i := n - 1; i >= 0; i-- {
		if v := s.result[i]; v >= 1 && s.rising[v-1] {
			c := int(s.text[v-1]) + 1
			s.bucket[c]--
			s.result[s.bucket[c]] = v - 1
		}
	}
}

// sortTurns sorts the turns: what lies between two of them becomes a symbol of a
// shorter text.
func (s *suffixSorter[T]) sortTurns(turns, number []int32) []int32 {
	sorted := make([]int32, 0, len(turns))
	for _, v := range s.result {
		if number[v] >= 0 {
			sorted = append(sorted, v)
		}
	}
	short := make([]int32, len(turns))
	symbol := int32(0)
	for i := 1; i < len(sorted); i++ {
		if !s.sameStretch(sorted[i-1], sorted[i], turns, number) {
			symbol++
		}
		short[number[sorted[i]]] = symbol
	}
	for i, v := range induceSort(short, int(symbol)) {
		sorted[i] = turns[v]
	}
	return sorted
}

// sameStretch compares the text from one turn to the next with that from another.
func (s *suffixSorter[T]) sameStretch(a, b int32, turns, number []int32) bool {
	end := func(at int32) int32 {
		if next := int(number[at]) + 1; next < len(turns) {
			return turns[next]
		}
		return int32(len(s.text))
	}
	enda, endb := end(a), end(b)
	if enda-a != endb-b {
		return false
	}
	for ; a < enda; a, b = a+1, b+1 {
		if s.text[a] != s.text[b] {
			return false
		}
	}
	n := int32(len(s.text))
	return a < n && b < n && s.text[a] == s.text[b]
}
