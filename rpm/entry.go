package rpm

import (
	"encoding/binary"
	"fmt"
)

// Type says how the data of a header entry is stored.
type Type uint32

// Types of entries. Integers are big-endian and aligned to their size.
const (
	TypeChar        Type = 1 // one byte each
	TypeInt8        Type = 2
	TypeInt16       Type = 3
	TypeInt32       Type = 4
	TypeInt64       Type = 5
	TypeString      Type = 6 // one string, ended by NUL
	TypeBinary      Type = 7 // count is the number of bytes
	TypeStringArray Type = 8 // strings, each ended by NUL
	TypeI18NString  Type = 9 // as TypeStringArray, one string per locale of TagHeaderI18NTable
)

// String returns rpm's name of the type.
func (t Type) String() string {
	names := [...]string{"NULL", "CHAR", "INT8", "INT16", "INT32", "INT64", "STRING", "BIN", "STRING_ARRAY", "I18NSTRING"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// size returns the bytes of one element, 0 for strings.
func (t Type) size() int {
	switch t {
	case TypeChar, TypeInt8, TypeBinary:
		return 1
	case TypeInt16:
		return 2
	case TypeInt32:
		return 4
	case TypeInt64:
		return 8
	}
	return 0
}

// align returns the multiple at which the data of the type must start.
func (t Type) align() int { return max(1, t.size()) }

func (t Type) isString() bool {
	return t == TypeString || t == TypeStringArray || t == TypeI18NString
}

// Entry is one tagged value of a header in its encoded form.
type Entry struct {
	Tag   Tag
	Type  Type
	Count uint32 // number of elements; of bytes for TypeBinary
	Data  []byte // big-endian integers, NUL-ended strings; without alignment
}

// StringEntry makes an entry of TypeString.
func StringEntry(t Tag, s string) Entry {
	return Entry{t, TypeString, 1, append([]byte(s), 0)}
}

// StringsEntry makes an entry of TypeStringArray.
func StringsEntry(t Tag, s ...string) Entry {
	n := 0
	for _, x := range s {
		n += len(x) + 1
	}
	b := make([]byte, 0, n)
	for _, x := range s {
		b = append(append(b, x...), 0)
	}
	return Entry{t, TypeStringArray, uint32(len(s)), b}
}

// I18NEntry makes an entry of TypeI18NString, one string per locale.
func I18NEntry(t Tag, s ...string) Entry {
	e := StringsEntry(t, s...)
	e.Type = TypeI18NString
	return e
}

// BinaryEntry makes an entry of TypeBinary. It keeps b.
func BinaryEntry(t Tag, b []byte) Entry { return Entry{t, TypeBinary, uint32(len(b)), b} }

// CharEntry makes an entry of TypeChar. It keeps b.
func CharEntry(t Tag, b []byte) Entry { return Entry{t, TypeChar, uint32(len(b)), b} }

// Uint16Entry makes an entry of TypeInt16.
func Uint16Entry(t Tag, v ...uint16) Entry {
	b := make([]byte, 0, 2*len(v))
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return Entry{t, TypeInt16, uint32(len(v)), b}
}

// Uint32Entry makes an entry of TypeInt32.
func Uint32Entry(t Tag, v ...uint32) Entry {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return Entry{t, TypeInt32, uint32(len(v)), b}
}

// Uint64Entry makes an entry of TypeInt64.
func Uint64Entry(t Tag, v ...uint64) Entry {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return Entry{t, TypeInt64, uint32(len(v)), b}
}
