package repo

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
)

// maxConfigBytes bounds the configuration file of a repository.
const maxConfigBytes = 1 << 20

// settings are the values of the configuration that this package uses.
type settings struct {
	mode           Mode
	fsync          bool
	perObjectFsync bool
	disableXattrs  bool
	verity         Verity
	parent         string
	collectionID   string
	locking        bool
	lockTimeout    time.Duration
	tmpExpiry      time.Duration
	zlibLevel      int
	cache          bool // archive: the uncompressed objects cache
	tombstones     bool
	autoSummary    bool
	noDeltaSummary bool
	minFree        minFree
	finders        []string
	boot           BootConfig
	// payloadThreshold is the size of the smallest file with a payload link, or -1.
	payloadThreshold int64
}

// minFree is the space that a transaction must leave free: bytes when they are
// set, else a percentage of the file system.
type minFree struct {
	percent int64
	bytes   uint64
	text    string // bytes as configured
}

var sizeRE = regexp.MustCompile(`^(\d+)(MB|GB|TB)$`)

func parseSettings(k *keyfile.File) (settings, error) {
	s := settings{}
	var errs []error
	flag := func(key string, def bool) bool {
		v, err := k.Bool("core", key, def)
		errs = append(errs, err)
		return v
	}
	// number is as lenient as upstream, so that an odd value does not make a system unusable.
	number := func(group, key string, def, least, most int64) int64 {
		if !k.Has(group, key) {
			return def
		}
		return max(least, min(leadingNumber(k.Get(group, key)), most))
	}
	if version, _ := k.String("core", "repo_version"); version != "1" {
		return s, fmt.Errorf("Invalid repository version '%s'", version)
	}
	if flag("archive", false) {
		return s, errors.New("This version of OSTree no longer supports \"archive\" repositories; use archive-z2 instead")
	}
	mode, err := k.String("core", "mode")
	if err != nil {
		mode = "bare"
	}
	s.mode, err = ParseMode(mode)
	errs = append(errs, err)
	s.fsync = flag("fsync", true)
	s.perObjectFsync = flag("per-object-fsync", false)
	s.disableXattrs = flag("disable-xattrs", false)
	s.parent = k.Get("core", "parent")
	s.locking = flag("locking", true)
	s.cache = flag("enable-uncompressed-cache", true)
	s.tombstones = flag("tombstone-commits", false)
	s.noDeltaSummary = flag("no-deltas-in-summary", false)
	s.autoSummary = flag("auto-update-summary", flag("commit-update-summary", false))
	timeout := number("core", "lock-timeout-secs", 300, noLocking, 1<<31)
	s.lockTimeout, s.locking = time.Duration(timeout)*time.Second, s.locking && timeout != noLocking
	s.tmpExpiry = time.Duration(number("core", "tmp-expiry-secs", 86400, 0, 1<<32)) * time.Second
	s.zlibLevel = int(number("archive", "zlib-level", 6, 1, 9))
	s.payloadThreshold = number("core", "payload-link-threshold", -1, -1, 1<<62)
	if v := k.Get("ex-integrity", "composefs"); v == "yes" || v == "true" || v == "1" {
		errs = append(errs, errors.New("composefs required, but libostree compiled without support"))
	}
	s.verity, err = parseVerity(k)
	errs = append(errs, err)
	s.boot, err = parseBootConfig(k)
	errs = append(errs, err)
	errs = append(errs, s.parseMinFreePercent(k), s.parseMinFreeSize(k), s.parseCollection(k), s.parseFinders(k))
	return s, errors.Join(errs...)
}

// noLocking is the core.lock-timeout-secs that says what locking=false says.
const noLocking = -2

// leadingNumber returns the number that a text begins with, 0 if it does not, and the nearest
// one that there is if it is too large.
func leadingNumber(text string) int64 {
	n, _ := strconv.ParseInt(numberRE.FindStringSubmatch(text)[1], 10, 64) // 0 or the nearest one
	return n
}

var numberRE = regexp.MustCompile(`^\s*([-+]?\d*)`)

func (s *settings) parseMinFreePercent(k *keyfile.File) error {
	const key = "min-free-space-percent"
	if !k.Has("core", key) {
		if !k.Has("core", "min-free-space-size") { // even one of 0MB
			s.minFree.percent = 3
		}
		return nil
	}
	text := k.Get("core", key)
	if strings.Trim(text, "0123456789") != "" {
		return fmt.Errorf("Invalid %s '%s': must be a number", key, text)
	}
	if s.minFree.percent = leadingNumber(text); s.minFree.percent > 99 {
		return fmt.Errorf("Invalid %s '%s'", key, text)
	}
	return nil
}

func (s *settings) parseMinFreeSize(k *keyfile.File) error {
	text, err := k.String("core", "min-free-space-size")
	if err != nil {
		return nil
	}
	m := sizeRE.FindStringSubmatch(text)
	var n uint64
	if m != nil {
		n, err = strconv.ParseUint(m[1], 10, 40)
	}
	if m == nil || err != nil {
		return fmt.Errorf("Invalid min-free-space-size '%s': It should be of the format '123MB', '123GB' or '123TB'", text)
	}
	s.minFree.bytes = n << map[string]int{"MB": 20, "GB": 30, "TB": 40}[m[2]]
	s.minFree.text = text
	return nil
}

func (s *settings) parseCollection(k *keyfile.File) error {
	s.collectionID = k.Get("core", "collection-id")
	if s.collectionID == "" {
		return nil
	}
	return ostree.ValidateCollectionID(s.collectionID)
}

// Config returns a copy of the repository's configuration.
func (r *Repo) Config() *keyfile.File { return r.state.Load().config.Clone() }

// SetConfig replaces the configuration, which must be valid. A change of mode is for
// those who open the repository afterwards.
func (r *Repo) SetConfig(k *keyfile.File) error {
	s, err := parseSettings(k)
	if err != nil {
		return err
	}
	if err := r.dir.WriteFileAtomic("config", k.Bytes(), 0o644, s.fsync); err != nil {
		return err
	}
	r.setState(k.Clone(), s)
	return nil
}

// ReloadConfig reads the configuration again after another program changed it.
func (r *Repo) ReloadConfig() error {
	data, err := r.dir.ReadFile("config", maxConfigBytes)
	if err != nil {
		return err
	}
	k, err := keyfile.Parse(data)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	s, err := parseSettings(k)
	if err != nil {
		return err
	}
	r.setState(k, s)
	return nil
}

func (r *Repo) setState(k *keyfile.File, s settings) {
	next := &state{config: k, settings: s}
	if old := r.state.Load(); old != nil {
		next.remotesDir = old.remotesDir
	}
	r.state.Store(next)
}

// CollectionID is the repository's collection ID, or "".
func (r *Repo) CollectionID() string { return r.settings().collectionID }

// parseFinders reads where repositories are looked for that have refs of collections.
func (s *settings) parseFinders(k *keyfile.File) error {
	const key = "default-repo-finders"
	if !k.Has("core", key) {
		s.finders = []string{"config", "mount"}
		return nil
	}
	s.finders = k.List("core", key)
	if len(s.finders) == 0 {
		return errors.New("Invalid empty default-repo-finders configuration")
	}
	for _, name := range s.finders {
		if name != "config" && name != "lan" && name != "mount" {
			return fmt.Errorf("Invalid configured repo-finder '%s'", name)
		}
	}
	return nil
}

// Finders are the kinds of places where the configuration says that repositories with refs of
// collections are looked for: "config", "lan", "mount".
func (r *Repo) Finders() []string { return slices.Clone(r.settings().finders) }
