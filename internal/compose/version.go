package compose

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/core"
	"rpmostree/ostree"
	"rpmostree/rpm/rpmdb"
)

// version returns the version of the new commit: the one given as metadata, or
// the next after the previous commit's.
func (c *composer) version(previous *ostree.Commit) (string, error) {
	for _, e := range c.opt.Metadata {
		if e.Key == ostree.KeyVersion {
			return e.Value, nil
		}
	}
	prefix := c.tf.AutomaticVersionPrefix
	if prefix == "" {
		return "", nil
	}
	last := ""
	if previous != nil {
		last = previous.Version()
	}
	suffix := c.tf.AutomaticVersionSuffix
	if suffix == "" {
		suffix = "."
	}
	return NextVersion(prefix, suffix, last, time.Unix(int64(c.opt.Epoch), 0).UTC())
}

// NextVersion returns the version that follows last for an automatic version
// prefix, which may contain one "<date:FORMAT>" with a strftime(3) format. Without a
// date the first version is the prefix itself, then PREFIX.1 and so on; with
// one the count starts at 0 with every new date.
func NextVersion(prefix, suffix, last string, now time.Time) (string, error) {
	dated := false
	if i := strings.Index(prefix, "<date:"); i >= 0 {
		end := strings.IndexByte(prefix[i:], '>')
		if end < 0 {
			return "", fmt.Errorf("automatic-version-prefix: no end of <date: in '%s'", prefix)
		}
		date, err := strftime(prefix[i+len("<date:"):i+end], now)
		if err != nil {
			return "", fmt.Errorf("automatic-version-prefix: %w", err)
		}
		prefix = prefix[:i] + date + prefix[i+end+1:]
		dated = true
	}
	first := prefix
	if dated {
		first = prefix + suffix + "0"
	}
	if last == prefix && !dated {
		return prefix + suffix + "1", nil
	}
	rest, ok := strings.CutPrefix(last, prefix+suffix)
	if !ok {
		return first, nil
	}
	n, err := strconv.ParseUint(rest, 10, 63)
	if err != nil {
		return first, nil
	}
	return prefix + suffix + strconv.FormatUint(n+1, 10), nil
}

// strftime formats the conversions that versions use.
func strftime(format string, t time.Time) (string, error) {
	layouts := map[byte]string{'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'j': "002"}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		layout, ok := layouts[format[i]]
		if !ok {
			return "", fmt.Errorf("unknown date conversion '%%%c'", format[i])
		}
		b.WriteString(t.Format(layout))
	}
	return b.String(), nil
}

// FromJSON converts a decoded JSON or YAML value to a GVariant as json-glib
// does: text, booleans, 64-bit integers, doubles, arrays of variants, and
// dictionaries.
func FromJSON(v any) (gvariant.Value, error) {
	switch v := v.(type) {
	case string:
		return gvariant.String(v), nil
	case bool:
		return gvariant.Bool(v), nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return gvariant.Int64(n), nil
		}
		f, err := v.Float64()
		return gvariant.Float64(f), err
	case int64:
		return gvariant.Int64(v), nil
	case uint64:
		return gvariant.Int64(int64(v)), nil
	case int:
		return gvariant.Int64(int64(v)), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return gvariant.Int64(int64(v)), nil
		}
		return gvariant.Float64(v), nil
	case []any:
		var list []gvariant.Value
		for _, e := range v {
			x, err := FromJSON(e)
			if err != nil {
				return x, err
			}
			list = append(list, gvariant.Variant(x))
		}
		return gvariant.Array("v", list...), nil
	case map[string]any:
		var list []gvariant.Value
		for _, k := range slices.Sorted(maps.Keys(v)) {
			x, err := FromJSON(v[k])
			if err != nil {
				return x, err
			}
			list = append(list, gvariant.DictEntry(gvariant.String(k), gvariant.Variant(x)))
		}
		return gvariant.Array("{sv}", list...), nil
	}
	return gvariant.Value{}, fmt.Errorf("a value of type %T cannot be stored", v)
}

func mapKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// database reads the package database of the tree.
func (s *shaper) database() (*rpmdb.DB, error) { return core.Database(s.tx.Objects, s.tree) }
