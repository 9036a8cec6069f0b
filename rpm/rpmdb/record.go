package rpmdb

// recordBuffer collects the values of a record. Its zero value is empty.
type recordBuffer struct {
	head []byte // serial types, after a byte for the length of head
	body []byte
}

func (r *recordBuffer) reset() { r.head, r.body = r.head[:0], r.body[:0] }

func (r *recordBuffer) serial(t uint64) {
	if len(r.head) == 0 {
		r.head = append(r.head, 0)
	}
	r.head = appendVarint(r.head, t)
}

// header returns the start of the record. Records here have few columns, so
// that its length takes one byte.
func (r *recordBuffer) header() []byte {
	r.head[0] = byte(len(r.head))
	return r.head
}

func (r *recordBuffer) text(s string) {
	r.serial(dataSerial(len(s), false))
	r.body = append(r.body, s...)
}

// data adds a blob or text.
func (r *recordBuffer) data(b []byte, blob bool) {
	r.serial(dataSerial(len(b), blob))
	r.body = append(r.body, b...)
}

// int adds a number that is not negative.
func (r *recordBuffer) int(v int64) {
	serial, size := intSerial(v)
	r.serial(uint64(serial))
	for size--; size >= 0; size-- {
		r.body = append(r.body, byte(v>>(8*size)))
	}
}

// dataSerial returns the serial type of n bytes of text or blob.
func dataSerial(n int, blob bool) uint64 {
	if blob {
		return uint64(n)*2 + 12
	}
	return uint64(n)*2 + 13
}

// intSerial returns the serial type of a non-negative integer and the number
// of bytes it takes.
func intSerial(v int64) (serial byte, size int) {
	switch {
	case v < 2:
		return 8 + byte(v), 0
	case v < 1<<7:
		return 1, 1
	case v < 1<<15:
		return 2, 2
	case v < 1<<23:
		return 3, 3
	case v < 1<<31:
		return 4, 4
	case v < 1<<47:
		return 5, 6
	}
	return 6, 8
}
