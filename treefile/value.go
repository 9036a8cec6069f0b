package treefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Off is a switch that is off unless it is set. The zero value is not set.
type Off struct{ state switchState }

// On is a switch that is on unless it is set. The zero value is not set.
type On struct{ state switchState }

type switchState uint8

const (
	unset switchState = iota
	setFalse
	setTrue
)

func makeState(on bool) switchState {
	if on {
		return setTrue
	}
	return setFalse
}

// SetOff returns an Off that is set to on.
func SetOff(on bool) Off { return Off{makeState(on)} }

// SetOn returns an On that is set to on.
func SetOn(on bool) On { return On{makeState(on)} }

// Enabled reports whether the switch is on.
func (o Off) Enabled() bool { return o.state == setTrue }

// Enabled reports whether the switch is on.
func (o On) Enabled() bool { return o.state != setFalse }

// IsZero reports whether the switch is not set.
func (o Off) IsZero() bool { return o.state == unset }

// IsZero reports whether the switch is not set.
func (o On) IsZero() bool { return o.state == unset }

// MarshalJSON implements json.Marshaler.
func (o Off) MarshalJSON() ([]byte, error) { return json.Marshal(o.Enabled()) }

// MarshalJSON implements json.Marshaler.
func (o On) MarshalJSON() ([]byte, error) { return json.Marshal(o.Enabled()) }

// UnmarshalJSON implements json.Unmarshaler.
func (o *Off) UnmarshalJSON(b []byte) error { return o.state.unmarshal(b) }

// UnmarshalJSON implements json.Unmarshaler.
func (o *On) UnmarshalJSON(b []byte) error { return o.state.unmarshal(b) }

func (s *switchState) unmarshal(b []byte) error {
	switch string(b) {
	case "true":
		*s = setTrue
	case "false":
		*s = setFalse
	case "null":
	default:
		return fmt.Errorf("expected a boolean, got %s", b)
	}
	return nil
}

// Var is the value of a variable: text, a number or a boolean. The zero value
// is not set.
type Var struct {
	kind varKind
	text string
	num  uint64
}

type varKind uint8

const (
	noVar varKind = iota
	varText
	varNumber
	varBool
)

// Text returns a variable of text.
func Text(s string) Var { return Var{kind: varText, text: s} }

// Number returns a variable that is a number.
func Number(n uint64) Var { return Var{kind: varNumber, num: n} }

// Bool returns a variable that is true or false.
func Bool(b bool) Var {
	if b {
		return Var{kind: varBool, num: 1}
	}
	return Var{kind: varBool}
}

// IsZero reports whether v is not set.
func (v Var) IsZero() bool { return v.kind == noVar }

// String returns the text that replaces a use of the variable.
func (v Var) String() string {
	switch v.kind {
	case varNumber:
		return strconv.FormatUint(v.num, 10)
	case varBool:
		return strconv.FormatBool(v.num == 1)
	}
	return v.text
}

// MarshalJSON implements json.Marshaler.
func (v Var) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case varNumber, varBool:
		return []byte(v.String()), nil
	}
	return encode(v.text, "")
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Var) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*v = Var{}
	case string(b) == "true", string(b) == "false":
		*v = Bool(string(b) == "true")
	case len(b) > 0 && b[0] == '"':
		v.kind = varText
		return json.Unmarshal(b, &v.text)
	default:
		n, err := strconv.ParseUint(string(b), 10, 64)
		if err != nil {
			return fmt.Errorf("expected text, a natural number or a boolean, got %s", b)
		}
		*v = Number(n)
	}
	return nil
}

// Edition selects a set of defaults. "" is Edition2014.
type Edition string

// Editions.
const (
	Edition2014 Edition = "2014"
	Edition2024 Edition = "2024" // boot-location modules, tmp-is-dir
)

// UnmarshalJSON implements json.Unmarshaler. A number is accepted too.
func (e *Edition) UnmarshalJSON(b []byte) error {
	var v Var
	if err := v.UnmarshalJSON(b); err != nil {
		return err
	}
	return enum(e, Edition(v.String()), Edition2014, Edition2024)
}

// SysUsers says how users are made. "" is SysUsersAuto.
type SysUsers string

// Values of sysusers.
const (
	SysUsersAuto   SysUsers = "compose-auto"
	SysUsersForced SysUsers = "compose-forced"
)

// UnmarshalJSON implements json.Unmarshaler.
func (s *SysUsers) UnmarshalJSON(b []byte) error { return enumText(s, b, SysUsersAuto, SysUsersForced) }

// BootLocation says where the kernel is put. "" is BootNew.
type BootLocation string

// Places for kernels.
const (
	BootNew           BootLocation = "new"            // /usr/lib/ostree-boot and modules; deprecated
	BootModules       BootLocation = "modules"        // /usr/lib/modules only
	BootKernelInstall BootLocation = "kernel-install" // as BootModules, by kernel-install
)

// UnmarshalJSON implements json.Unmarshaler.
func (l *BootLocation) UnmarshalJSON(b []byte) error {
	return enumText(l, b, BootNew, BootModules, BootKernelInstall)
}

// OptUsrLocal says what /opt and /usr/local are. "" is OptVar.
type OptUsrLocal string

// Values of opt-usrlocal.
const (
	OptVar          OptUsrLocal = "var"
	OptRoot         OptUsrLocal = "root"
	OptStateOverlay OptUsrLocal = "state-overlay"
)

// UnmarshalJSON implements json.Unmarshaler.
func (o *OptUsrLocal) UnmarshalJSON(b []byte) error {
	if string(b) == `"stateoverlay"` {
		*o = OptStateOverlay
		return nil
	}
	return enumText(o, b, OptVar, OptRoot, OptStateOverlay)
}

// MetadataTarget says where metadata is put. "" is MetadataInline.
type MetadataTarget string

// Places for metadata.
const (
	MetadataInline   MetadataTarget = "inline"
	MetadataDetached MetadataTarget = "detached"
	MetadataDisabled MetadataTarget = "disabled"
)

// UnmarshalJSON implements json.Unmarshaler.
func (m *MetadataTarget) UnmarshalJSON(b []byte) error {
	return enumText(m, b, MetadataInline, MetadataDetached, MetadataDisabled)
}

// RPMDBBackend is the format of the package database. "" is RPMDBTarget.
type RPMDBBackend string

// Formats of the package database.
const (
	RPMDBBDB    RPMDBBackend = "bdb"
	RPMDBSQLite RPMDBBackend = "sqlite"
	RPMDBNDB    RPMDBBackend = "ndb"
	RPMDBTarget RPMDBBackend = "target"
	RPMDBHost   RPMDBBackend = "host"
)

// UnmarshalJSON implements json.Unmarshaler.
func (r *RPMDBBackend) UnmarshalJSON(b []byte) error {
	if string(b) == `"b-d-b"` { // an old mistake
		*r = RPMDBBDB
		return nil
	}
	return enumText(r, b, RPMDBBDB, RPMDBSQLite, RPMDBNDB, RPMDBTarget, RPMDBHost)
}

func enumText[T ~string](dst *T, b []byte, allowed ...T) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	return enum(dst, T(*s), allowed...)
}

func enum[T ~string](dst *T, value T, allowed ...T) error {
	if !slices.Contains(allowed, value) {
		return fmt.Errorf("unknown value %q, expected one of %q", value, allowed)
	}
	*dst = value
	return nil
}

// CheckType says what users and groups of a new tree are compared with.
type CheckType string

// Kinds of checks.
const (
	CheckNone     CheckType = "none"
	CheckPrevious CheckType = "previous" // those of the previous commit
	CheckFile     CheckType = "file"     // those of a file in the format of passwd(5) or group(5)
	CheckData     CheckType = "data"     // those that are listed
)

// UnmarshalJSON implements json.Unmarshaler.
func (c *CheckType) UnmarshalJSON(b []byte) error {
	return enumText(c, b, CheckNone, CheckPrevious, CheckFile, CheckData)
}

// CheckPasswd says which numbers users must have.
type CheckPasswd struct {
	Type     CheckType     `json:"type"`
	Filename string        `json:"filename,omitempty"` // of CheckFile; see Treefile.Passwd
	Entries  map[string]ID `json:"entries,omitempty"`  // of CheckData
}

// CheckGroups says which numbers groups must have.
type CheckGroups struct {
	Type     CheckType         `json:"type"`
	Filename string            `json:"filename,omitempty"` // of CheckFile; see Treefile.Group
	Entries  map[string]uint32 `json:"entries,omitempty"`  // of CheckData
}

// ID is the number of a user and of its group. It is written as one number,
// which holds for both, or as a list of one or two.
type ID struct {
	UID, GID uint32
	form     int // 0: a number, else the length of the list
}

// UnmarshalJSON implements json.Unmarshaler.
func (id *ID) UnmarshalJSON(b []byte) error {
	var one uint32
	if json.Unmarshal(b, &one) == nil && string(b) != "null" {
		*id = ID{one, one, 0}
		return nil
	}
	var list []uint32
	if err := json.Unmarshal(b, &list); err != nil || len(list) < 1 || len(list) > 2 {
		return fmt.Errorf("expected a number or a list of one or two, got %s", b)
	}
	*id = ID{list[0], list[len(list)-1], len(list)}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (id ID) MarshalJSON() ([]byte, error) {
	if id.form == 0 && id.UID == id.GID {
		return json.Marshal(id.UID)
	}
	if id.form == 1 {
		return json.Marshal([]uint32{id.UID})
	}
	return json.Marshal([]uint32{id.UID, id.GID})
}

// check reports what is missing or does not fit the type.
func checkFile(t CheckType, filename string, entries int) error {
	switch {
	case t == "":
		return errors.New("missing field `type`")
	case t == CheckFile && filename == "":
		return errors.New("missing field `filename`")
	case t == CheckData && entries == 0:
		return errors.New("missing field `entries`")
	}
	return nil
}
