package rpmdb

import (
	"bytes"
	"encoding/binary"

	"rpmostree/rpm"
)

// indexTable describes one of the tables by which rpm finds headers.
type indexTable struct {
	name    string
	tag     rpm.Tag
	blob    bool    // keys are blobs, not text
	byKey   bool    // has an index on key
	byNum   bool    // has an index on hnum
	rich    bool    // names may be rich dependencies
	numbers rpm.Tag // holds the numbers to use as idx instead of the position
}

// indexTables lists the tables in the order in which rpm creates them. All must
// exist: a read-only rpm refuses a database that lacks one.
var indexTables = [...]indexTable{
	{name: "Name", tag: rpm.TagName, byKey: true},
	{name: "Basenames", tag: rpm.TagBaseNames, byKey: true, byNum: true},
	{name: "Group", tag: rpm.TagGroup, byKey: true},
	{name: "Requirename", tag: rpm.TagRequireName, byKey: true, byNum: true, rich: true},
	{name: "Providename", tag: rpm.TagProvideName, byKey: true, byNum: true},
	{name: "Conflictname", tag: rpm.TagConflictName, byKey: true, byNum: true, rich: true},
	{name: "Obsoletename", tag: rpm.TagObsoleteName, byKey: true, byNum: true},
	{name: "Triggername", tag: rpm.TagTriggerName, byKey: true, byNum: true},
	{name: "Dirnames", tag: rpm.TagDirNames, byKey: true, byNum: true},
	{name: "Installtid", tag: rpm.TagInstallTID, blob: true},
	{name: "Sigmd5", tag: rpm.TagSigMD5, blob: true},
	{name: "Sha1header", tag: rpm.TagSHA1Header, byKey: true},
	{name: "Filetriggername", tag: rpm.TagFileTriggerName, byKey: true, byNum: true, numbers: rpm.TagFileTriggerIndex},
	{name: "Transfiletriggername", tag: rpm.TagTransFileTriggerName, byKey: true, byNum: true, numbers: rpm.TagTransFileTriggerIndex},
	{name: "Recommendname", tag: rpm.TagRecommendName, byKey: true, byNum: true, rich: true},
	{name: "Suggestname", tag: rpm.TagSuggestName, byKey: true, byNum: true, rich: true},
	{name: "Supplementname", tag: rpm.TagSupplementName, byKey: true, byNum: true, rich: true},
	{name: "Enhancename", tag: rpm.TagEnhanceName, byKey: true, byNum: true, rich: true},
}

// row is a row of an index table.
type row struct {
	key      []byte
	num, idx uint32
}

// appendRows appends the rows of table t for header number num, as rpm's
// tag2index (lib/rpmdb) makes them. order is the byte order of the machine that
// is to use the database.
func appendRows(rows []row, t *indexTable, h *rpm.Header, num uint32, order binary.ByteOrder) []row {
	e, ok := h.Entry(t.tag)
	if !ok {
		if t.tag == rpm.TagGroup {
			rows = append(rows, row{[]byte("Unknown"), num, 0})
		}
		return rows
	}
	switch e.Type {
	case rpm.TypeBinary:
		return append(rows, row{e.Data, num, 0})
	case rpm.TypeInt32:
		for i := range e.Count {
			key := make([]byte, 4)
			order.PutUint32(key, binary.BigEndian.Uint32(e.Data[4*i:]))
			rows = append(rows, row{key, num, i})
		}
		return rows
	case rpm.TypeI18NString:
		e.Count = 1 // the C locale's
	case rpm.TypeString, rpm.TypeStringArray:
	default:
		return rows
	}
	seen := map[string]bool{} // of triggers, each name has one row
	numbers := triggerNumbers(t, h)
	flags := requireFlags(t, h)
	rest := e.Data
	for i := range e.Count {
		var key []byte
		key, rest, _ = bytes.Cut(rest, []byte{0})
		if int(i) < len(flags) && transient(flags[i]) {
			continue
		}
		idx := i
		if t.numbers != 0 {
			if int(i) >= len(numbers) {
				break
			}
			idx = numbers[i]
		}
		if t.tag == rpm.TagTriggerName {
			if seen[string(key)] {
				continue
			}
			seen[string(key)] = true
		}
		rows = append(rows, row{key, num, idx})
		if t.rich && len(key) > 0 && key[0] == '(' {
			for _, name := range rpm.RichNames(string(key)) {
				rows = append(rows, row{[]byte(name), num, idx})
			}
		}
	}
	return rows
}

func triggerNumbers(t *indexTable, h *rpm.Header) []uint32 {
	if t.numbers == 0 {
		return nil
	}
	return h.Uint32s(t.numbers)
}

func requireFlags(t *indexTable, h *rpm.Header) []uint32 {
	if t.tag != rpm.TagRequireName {
		return nil
	}
	return h.Uint32s(rpm.TagRequireFlags)
}

// Flags of a requirement that matter here.
const (
	sensePostTrans   = 1 << 5
	sensePreTrans    = 1 << 7
	sensePre         = 1 << 9
	sensePost        = 1 << 10
	sensePreUn       = 1 << 11
	sensePostUn      = 1 << 12
	sensePreUnTrans  = 1 << 20
	sensePostUnTrans = 1 << 21
	senseRPMLib      = 1 << 24
	senseKeyring     = 1 << 26
	senseMeta        = 1 << 29
)

// transient reports whether a requirement matters only while its package is
// being installed, so that nothing needs to find it later.
func transient(flags uint32) bool {
	const install = sensePre | sensePost | senseRPMLib | senseKeyring | sensePreTrans | sensePostTrans
	const later = sensePreUn | sensePostUn | sensePreUnTrans | sensePostUnTrans | senseMeta
	return flags&install != 0 && flags&later == 0
}
