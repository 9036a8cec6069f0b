package openpgp

import "encoding/binary"

// Tags of packets (RFC 9580, 5).
const (
	tagSignature     = 2
	tagSecretKey     = 5
	tagPublicKey     = 6
	tagMarker        = 10
	tagTrust         = 12
	tagUserID        = 13
	tagPublicSubkey  = 14
	tagUserAttribute = 17
	tagPadding       = 21
)

// rawPacket is a packet that was not looked into.
type rawPacket struct {
	tag   byte
	body  []byte
	bytes []byte // with its header
}

// nextPacket reads the packet at the start of b and returns the length that it
// has with its header. Partial and indeterminate lengths are not handled: keys and
// signatures do not have them.
func nextPacket(b []byte) (p rawPacket, n int, ok bool) {
	if len(b) < 2 || b[0]&0x80 == 0 {
		return p, 0, false
	}
	head, size := 2, int64(b[1])
	if b[0]&0x40 == 0 { // old format, with a length of 1, 2 or 4 bytes
		p.tag = b[0] >> 2 & 15
		width := 1 << (b[0] & 3)
		head = 1 + width
		if width == 8 || len(b) < head {
			return p, 0, false
		}
		size = 0
		for _, x := range b[1:head] {
			size = size<<8 | int64(x)
		}
	} else {
		p.tag = b[0] & 63
		switch {
		case b[1] < 192:
		case b[1] < 224 && len(b) >= 3:
			head, size = 3, (int64(b[1])-192)<<8+int64(b[2])+192
		case b[1] == 255 && len(b) >= 6:
			head, size = 6, int64(binary.BigEndian.Uint32(b[2:]))
		default:
			return p, 0, false
		}
	}
	if int64(head)+size > int64(len(b)) {
		return p, 0, false
	}
	n = head + int(size)
	p.body, p.bytes = b[head:n], b[:n]
	return p, n, true
}
