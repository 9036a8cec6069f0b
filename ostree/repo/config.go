package repo

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"rpmostree/internal/keyfile"
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
	remotesInEtc   bool // remotes are in a directory too
	minFree        minFree
	finders        []string
	boot           BootConfig
	// payloadThreshold is the size of the smallest file with a payload link, or -1.
	payloadThreshold int64
}

// minFree is the space that a transaction must leave free: MiB when they are
// set, else a percentage of the file system.
type minFree struct {
	percent int64
	mib     uint64
	text    string // MiB as configured
}

var sizeRE = regexp.MustCompile(`^(\d+)(MB|GB|TB)$`)

// parseSettings reads all that upstream reads when it opens a repository, so that whoever may
// use one with upstream may do so here. What is read when it is needed, is not: see flag.
// system tells that the repository is that of the running system, and writable that the
// caller may write to it.
func parseSettings(k *keyfile.File, system, writable bool) (settings, error) {
	s := settings{}
	var errs []error
	flag := func(key string, def bool) bool {
		v, err := k.Bool("core", key, def)
		errs = append(errs, err)
		return v
	}
	// number is as lenient as upstream, so that an odd value does not make a system unusable:
	// a negative one is a very large one.
	number := func(group, key string, def, least, most int64) int64 {
		text, err := k.Raw(group, key)
		if err != nil {
			return def
		}
		n := leadingNumber(text)
		if n < 0 {
			return most
		}
		return max(least, min(n, most))
	}
	version, err := k.Raw("core", "repo_version")
	if err == nil && version != "1" {
		err = fmt.Errorf("Invalid repository version '%s'", version)
	}
	if err != nil {
		return s, err
	}
	if flag("archive", false) {
		return s, errors.New("This version of OSTree no longer supports \"archive\" repositories; use archive-z2 instead")
	}
	mode, err := k.Raw("core", "mode")
	if err != nil {
		mode = "bare"
	}
	s.mode, err = ParseMode(mode)
	errs = append(errs, err)
	s.fsync = flag("fsync", true)
	s.perObjectFsync = flag("per-object-fsync", false)
	s.disableXattrs = flag("disable-xattrs", false)
	s.parent, _ = k.Raw("core", "parent")
	s.collectionID, _ = k.Raw("core", "collection-id")
	s.locking = flag("locking", true)
	s.cache = writable && flag("enable-uncompressed-cache", true)
	s.remotesInEtc = flag("add-remotes-config-dir", system)
	s.parseLocking(k)
	s.tmpExpiry = time.Duration(number("core", "tmp-expiry-secs", 86400, 0, 1<<32)) * time.Second
	s.zlibLevel = int(number("archive", "zlib-level", 6, 1, 9))
	s.payloadThreshold = number("core", "payload-link-threshold", -1, -1, 1<<62)
	s.verity, err = parseVerity(k)
	errs = append(errs, err)
	s.boot, err = parseBootConfig(k)
	errs = append(errs, err)
	errs = append(errs, s.parseMinFreeSize(k), s.parseMinFreePercent(k), s.parseFinders(k))
	for _, err := range errs {
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// flag returns a key of the group core that is looked at when it is needed only: a wrong
// value is no obstacle before.
func (r *Repo) flag(key string) (bool, error) { return r.state.Load().config.Bool("core", key, false) }

// Values of core.lock-timeout-secs that are no seconds.
const (
	waitForEver = -1
	noLocking   = -2 // as locking=false
)

func (s *settings) parseLocking(k *keyfile.File) {
	timeout := int64(300)
	if text, err := k.Raw("core", "lock-timeout-secs"); err == nil {
		timeout = min(leadingNumber(text), math.MaxInt32)
	}
	if s.locking = s.locking && timeout != noLocking; timeout < 0 {
		timeout = waitForEver
	}
	s.lockTimeout = time.Duration(timeout) * time.Second
}

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
	text, _ := k.Raw("core", key)
	if strings.Trim(text, "0123456789") != "" {
		return fmt.Errorf("Invalid %s '%s': must be a number", key, text)
	}
	if s.minFree.percent = leadingNumber(text); s.minFree.percent > 99 {
		return fmt.Errorf("Invalid %s '%s'", key, text)
	}
	return nil
}

func (s *settings) parseMinFreeSize(k *keyfile.File) error {
	text, err := k.Raw("core", "min-free-space-size")
	if err != nil {
		return nil
	}
	m := sizeRE.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("Invalid min-free-space-size '%s': It should be of the format '123MB', '123GB' or '123TB'", text)
	}
	n, _ := strconv.ParseUint(m[1], 10, 64) // the largest one if there are too many digits
	shift := map[string]int{"MB": 0, "GB": 10, "TB": 20}[m[2]]
	if n > math.MaxUint64>>shift {
		return fmt.Errorf("Invalid min-free-space-size '%s': Value was too high", text)
	}
	s.minFree.mib, s.minFree.text = n<<shift, text
	return nil
}

// Config returns a copy of the repository's configuration.
func (r *Repo) Config() *keyfile.File { return r.state.Load().config.Clone() }

// SetConfig replaces the configuration, which must be valid UTF-8, without which libostree opens
// no repository, and have valid settings. A change of mode is for
// those who open the repository afterwards.
func (r *Repo) SetConfig(k *keyfile.File) error {
	s, err := r.parse(k)
	if err != nil {
		return err
	}
	data := k.Bytes()
	if !utf8.Valid(data) {
		return errors.New("configuration of the repository would be invalid UTF-8")
	}
	if err := r.dir.WriteFileAtomic("config", data, 0o644, s.fsync); err != nil {
		return err
	}
	r.setState(k.Clone(), s)
	return nil
}

func (r *Repo) parse(k *keyfile.File) (settings, error) {
	return parseSettings(k, r.IsSystem(), r.CheckWritable() == nil)
}

// ReloadConfig reads the configuration again after another program changed it.
func (r *Repo) ReloadConfig() error {
	data, err := r.dir.ReadFile("config", maxConfigBytes)
	if err != nil {
		return err
	}
	k, err := keyfile.Parse(data)
	if err != nil {
		return fmt.Errorf("Couldn't parse config file: %w", err)
	}
	s, err := r.parse(k)
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

// CollectionID is the repository's collection ID, or "". It may be one that nobody else
// accepts.
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
