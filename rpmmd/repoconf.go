package rpmmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of .repo files.
const (
	// MaxRepoFile is the size of a .repo file, in bytes.
	MaxRepoFile = 4 << 20
	// MaxRepos is how many repositories a .repo file may define.
	MaxRepos = 4096
)

// Defaults of a repository's configuration (libdnf).
const (
	DefaultPriority       = 99 // a smaller number is preferred
	DefaultCost           = 1000
	DefaultMetadataExpire = 48 * time.Hour
	// NeverExpire is the value of RepoConfig.MetadataExpire for "never".
	NeverExpire time.Duration = -1
)

// RepoConfig is the configuration of one repository: a section of a .repo file
// with variables replaced. Use NewRepoConfig to make one with the defaults.
type RepoConfig struct {
	ID   string
	Name string // defaults to ID
	File string // where the section stands; "" if nowhere
	// FileTime is when File was changed. Metadata that is older has expired. It is
	// zero if the age of File does not matter (check_config_file_age of dnf.conf).
	FileTime time.Time

	// Where the repository is. If there is more than one kind, the metalink comes
	// first, then the mirrorlist, then the base URLs.
	BaseURL    []string
	MirrorList string
	Metalink   string

	Enabled           bool
	GPGCheck          bool // packages must be signed
	RepoGPGCheck      bool // repomd.xml must be signed
	GPGKey            []string
	SkipIfUnavailable bool
	ModuleHotfixes    bool
	CountMe           bool
	EnableGroups      bool // comps are used
	FastestMirror     bool // mirrors are ordered by how fast they answer

	Priority       int
	Cost           int
	ExcludePkgs    []string // patterns of packages that must not be used
	IncludePkgs    []string // patterns; if there are any, other packages must not be used
	MetadataExpire time.Duration

	UserAgent string
	Username  string
	Password  string
	Timeout   time.Duration // zero means the default
	MinRate   int64         // bytes a second; zero means the default
	MaxRate   int64         // bytes a second; zero means no limit
	Retries   int           // zero means the default, RetryForever no limit
	MaxPerHost,
	MaxParallel int // downloads; zero means the default
	IPVersion int // 4, 6 or zero for any

	Proxy         string // URL; "_none_" for none at all, "" for that of the environment
	ProxyUsername string
	ProxyPassword string
	ProxyAuth     string    // any, basic, digest, negotiate, ntlm or none; "" means any
	ProxySSL      SSLConfig // of a proxy whose URL is of https

	SSL             SSLConfig
	SSLVerifyStatus bool // the server has to prove that its certificate is not revoked

	// Options are all keys of the section as they are written, with variables
	// replaced.
	Options map[string]string
	// Warnings tell which keys have invalid values; the defaults stand instead.
	Warnings []string

	keys []string // of Options, in the order of the file
}

// SSLConfig says how a server is verified, and what is shown to it.
type SSLConfig struct {
	Insecure                      bool   // it is not verified
	CACert, ClientCert, ClientKey string // file names
}

// RetryForever is the value of RepoConfig.Retries for "retries=0".
const RetryForever = 1 << 30

// NewRepoConfig returns the configuration of a repository of which nothing but
// the ID is known.
func NewRepoConfig(id string) RepoConfig {
	return RepoConfig{
		ID: id, Name: id, Enabled: true, EnableGroups: true,
		Priority: DefaultPriority, Cost: DefaultCost, MetadataExpire: DefaultMetadataExpire,
	}
}

// ParseRepos parses a .repo file. The section "main" is skipped. The file's name is
// for messages only.
func ParseRepos(name string, b []byte, vars Vars) ([]RepoConfig, error) {
	sections, err := parseINI(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", name, err)
	}
	var out []RepoConfig
	for _, s := range sections {
		if s.name == "main" {
			continue
		}
		if len(out) >= MaxRepos {
			return nil, fmt.Errorf("%s: %w", name, errLimit)
		}
		out = append(out, newRepoConfig(name, s, vars))
	}
	return out, nil
}

// Places where a system has its configuration (dnf and dnf5).
var (
	mainFiles    = []string{"etc/dnf/dnf.conf"}
	repoDirs     = []string{"etc/yum.repos.d", "etc/distro.repos.d", "usr/share/dnf5/repos.d"}
	overrideDirs = []string{"usr/share/dnf5/repos.override.d", "etc/dnf/repos.override.d"}
)

// LoadSystem reads the configuration of a system: its *.repo files as LoadRepos
// does, with what the section "main" of dnf.conf says for all repositories, and
// the overrides, whose sections name repositories by shell patterns.
func LoadSystem(fsys fs.FS, vars Vars) ([]RepoConfig, error) {
	var main iniSection
	dirs := repoDirs
	for _, name := range mainFiles {
		sections, err := loadINI(fsys, name)
		if err != nil {
			return nil, err
		}
		for _, s := range sections {
			if s.name == "main" {
				main = s
			}
		}
	}
	if list := splitList(vars.Expand(main.values["reposdir"])); len(list) > 0 {
		dirs = nil
		for _, dir := range list {
			dirs = append(dirs, strings.TrimPrefix(path.Clean("/"+dir), "/"))
		}
	}
	repos, err := LoadRepos(fsys, vars, dirs...)
	if err != nil {
		return nil, err
	}
	overrides, err := loadOverrides(fsys)
	if err != nil {
		return nil, err
	}
	for i := range repos {
		repos[i] = repos[i].under(main, overrides, vars)
	}
	return repos, nil
}

// loadINI reads a file that need not be there.
func loadINI(fsys fs.FS, name string) ([]iniSection, error) {
	b, err := readFile(fsys, name, MaxRepoFile)
	if isNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading repositories: %w", err)
	}
	sections, err := parseINI(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", name, err)
	}
	return sections, nil
}

// loadOverrides reads the files of all directories in the order of their names. One
// replaces that of the same name in an earlier directory.
func loadOverrides(fsys fs.FS) (out []iniSection, err error) {
	files := map[string]string{}
	for _, dir := range overrideDirs {
		entries, err := fs.ReadDir(fsys, dir)
		if err != nil && !isNotExist(err) {
			return nil, fmt.Errorf("reading repositories: %w", err)
		}
		for _, e := range entries {
			if path.Ext(e.Name()) == ".repo" {
				files[e.Name()] = path.Join(dir, e.Name())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sections, err := loadINI(fsys, files[name])
		if err != nil {
			return nil, err
		}
		out = append(out, sections...)
	}
	return out, nil
}

// inherited are the options of the section "main" that repositories have unless
// they say otherwise (libdnf's ConfigRepo).
var inherited = []string{
	"gpgcheck", "pkg_gpgcheck", "repo_gpgcheck", "enablegroups", "skip_if_unavailable", "metadata_expire", "fastestmirror",
	"username", "password", "user_agent", "timeout", "minrate", "bandwidth", "throttle", "retries", "ip_resolve",
	"max_parallel_downloads", "max_downloads_per_mirror",
	"proxy", "proxy_username", "proxy_password", "proxy_auth_method", "proxy_sslverify", "proxy_sslcacert", "proxy_sslclientcert", "proxy_sslclientkey",
	"sslverify", "sslverifystatus", "sslcacert", "sslclientcert", "sslclientkey",
}

// under returns the configuration with what the section "main" and overrides say.
func (c RepoConfig) under(main iniSection, overrides []iniSection, vars Vars) RepoConfig {
	s := iniSection{name: c.ID, values: map[string]string{}}
	set := func(key, value string) {
		if _, seen := s.values[key]; !seen {
			s.keys = append(s.keys, key)
		}
		s.values[key] = value
	}
	for _, key := range inherited {
		if v, ok := main.values[key]; ok {
			set(key, vars.Expand(v))
		}
	}
	for _, key := range c.keys {
		set(key, c.Options[key])
	}
	for _, o := range overrides {
		if ok, err := path.Match(vars.Expand(o.name), c.ID); !ok || err != nil {
			continue
		}
		for _, key := range o.keys {
			set(key, vars.Expand(o.values[key]))
		}
	}
	out := newRepoConfig(c.File, s, nil) // all is expanded
	check, p := true, optionParser{config: &out, key: "check_config_file_age"}
	if v, ok := main.values[p.key]; ok {
		p.bool(&check, vars.Expand(v))
	}
	if check {
		out.FileTime = c.FileTime
	}
	for _, key := range []string{"excludepkgs", "exclude"} {
		out.ExcludePkgs = append(out.ExcludePkgs, splitList(vars.Expand(main.values[key]))...)
	}
	out.IncludePkgs = append(out.IncludePkgs, splitList(vars.Expand(main.values["includepkgs"]))...)
	return out
}

// LoadRepos parses all *.repo files of directories such as etc/yum.repos.d in the
// order of their names. A file replaces those of the same name in later
// directories. Directories that are not there are skipped. If two files define
// the same repository, the first wins.
func LoadRepos(fsys fs.FS, vars Vars, dirs ...string) ([]RepoConfig, error) {
	var out []RepoConfig
	files, ids := map[string]bool{}, map[string]bool{}
	for _, dir := range dirs {
		entries, err := fs.ReadDir(fsys, dir)
		if err != nil && !isNotExist(err) {
			return nil, fmt.Errorf("reading repositories: %w", err)
		}
		for _, e := range entries {
			if path.Ext(e.Name()) != ".repo" || files[e.Name()] {
				continue
			}
			files[e.Name()] = true
			name := path.Join(dir, e.Name())
			b, err := readFile(fsys, name, MaxRepoFile)
			if err != nil {
				return nil, fmt.Errorf("reading repositories: %w", err)
			}
			repos, err := ParseRepos(name, b, vars)
			if err != nil {
				return nil, err
			}
			st, err := fs.Stat(fsys, name)
			if err != nil {
				return nil, fmt.Errorf("reading repositories: %w", err)
			}
			for _, r := range repos {
				if !ids[r.ID] {
					ids[r.ID] = true
					r.FileTime = st.ModTime()
					out = append(out, r)
				}
			}
		}
	}
	return out, nil
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// readFile reads a file of a limited size.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: %w", name, errLimit)
	}
	return b, err
}

func newRepoConfig(file string, s iniSection, vars Vars) RepoConfig {
	c := NewRepoConfig(vars.Expand(s.name))
	c.File, c.keys = file, s.keys
	c.Options = make(map[string]string, len(s.keys))
	p := optionParser{config: &c, options: c.Options}
	for _, key := range s.keys {
		c.Options[key] = vars.Expand(s.values[key])
	}
	for _, key := range s.keys {
		p.key = key
		p.set(c.Options[key])
	}
	p.key = "throttle"
	p.throttle(c.Options["throttle"], c.Options["bandwidth"])
	return c
}

// An optionParser sets the fields of a RepoConfig.
type optionParser struct {
	config  *RepoConfig
	options map[string]string
	key     string
}

func (p *optionParser) set(v string) {
	c := p.config
	switch p.key {
	case "name":
		c.Name = v
	case "baseurl":
		c.BaseURL = splitList(v)
	case "mirrorlist":
		c.setMirrorList(v)
	case "metalink":
		c.Metalink = firstWord(v)
	case "enabled":
		p.bool(&c.Enabled, v)
	case "gpgcheck", "pkg_gpgcheck":
		p.bool(&c.GPGCheck, v)
	case "repo_gpgcheck":
		p.bool(&c.RepoGPGCheck, v)
	case "gpgkey":
		c.GPGKey = splitList(v)
	case "skip_if_unavailable":
		p.bool(&c.SkipIfUnavailable, v)
	case "module_hotfixes":
		p.bool(&c.ModuleHotfixes, v)
	case "countme":
		p.bool(&c.CountMe, v)
	case "enablegroups":
		p.bool(&c.EnableGroups, v)
	case "fastestmirror":
		p.bool(&c.FastestMirror, v)
	case "priority":
		p.int(&c.Priority, v)
	case "cost":
		p.int(&c.Cost, v)
	case "excludepkgs", "exclude":
		c.ExcludePkgs = append(c.ExcludePkgs, splitList(v)...)
	case "includepkgs":
		c.IncludePkgs = append(c.IncludePkgs, splitList(v)...)
	case "metadata_expire":
		p.duration(&c.MetadataExpire, v)
	default:
		p.setConnection(v)
	}
}

// setConnection sets what concerns the way to the server.
func (p *optionParser) setConnection(v string) {
	c := p.config
	switch p.key {
	case "user_agent":
		c.UserAgent = v
	case "username":
		c.Username = v
	case "password":
		c.Password = v
	case "timeout":
		p.duration(&c.Timeout, v)
	case "minrate":
		p.size(&c.MinRate, v)
	case "retries":
		if p.int(&c.Retries, v); c.Retries == 0 {
			c.Retries = RetryForever
		}
	case "max_parallel_downloads":
		p.int(&c.MaxParallel, v)
	case "max_downloads_per_mirror":
		p.int(&c.MaxPerHost, v)
	case "ip_resolve":
		p.ipVersion(v)
	case "proxy":
		c.Proxy = v
	case "proxy_username":
		c.ProxyUsername = v
	case "proxy_password":
		c.ProxyPassword = v
	case "proxy_auth_method":
		c.ProxyAuth = v
	case "sslverifystatus":
		p.bool(&c.SSLVerifyStatus, v)
	default:
		if key, ok := strings.CutPrefix(p.key, "proxy_ssl"); ok {
			p.ssl(&c.ProxySSL, key, v)
		} else if key, ok := strings.CutPrefix(p.key, "ssl"); ok {
			p.ssl(&c.SSL, key, v)
		}
	}
}

func (p *optionParser) ssl(c *SSLConfig, key, v string) {
	switch key {
	case "verify":
		verify := !c.Insecure
		p.bool(&verify, v)
		c.Insecure = !verify
	case "cacert":
		c.CACert = v
	case "clientcert":
		c.ClientCert = v
	case "clientkey":
		c.ClientKey = v
	}
}

// throttle reads a rate, or a part in percent of what "bandwidth" says.
func (p *optionParser) throttle(v, bandwidth string) {
	percent, ok := strings.CutSuffix(v, "%")
	if !ok {
		if v != "" {
			p.size(&p.config.MaxRate, v)
		}
		return
	}
	n, err := strconv.ParseFloat(percent, 64)
	if err != nil || n < 0 || n > 100 {
		p.invalid(v)
		return
	}
	var whole int64
	if bandwidth != "" {
		p.key = "bandwidth"
		p.size(&whole, bandwidth)
	}
	p.config.MaxRate = int64(n / 100 * float64(whole))
}

// setMirrorList takes a mirrorlist whose URL says so for a metalink (librepo, yum).
func (c *RepoConfig) setMirrorList(v string) {
	v = firstWord(v)
	if strings.Contains(v, "metalink") && c.Metalink == "" {
		c.Metalink = v
	} else {
		c.MirrorList = v
	}
}

func (p *optionParser) invalid(v string) {
	p.config.Warnings = append(p.config.Warnings,
		fmt.Sprintf("Invalid configuration value: %s=%s in %s", p.key, v, p.config.File))
}

func (p *optionParser) bool(dst *bool, v string) {
	switch strings.ToLower(v) {
	case "1", "yes", "true", "on", "always":
		*dst = true
	case "0", "no", "false", "off", "never":
		*dst = false
	default:
		p.invalid(v)
	}
}

func (p *optionParser) int(dst *int, v string) {
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32)
	if err != nil {
		p.invalid(v)
		return
	}
	*dst = int(n)
}

// duration reads seconds, or a number with the unit s, m, h or d; -1 and "never"
// are NeverExpire.
func (p *optionParser) duration(dst *time.Duration, v string) {
	if v == "-1" || strings.EqualFold(v, "never") {
		*dst = NeverExpire
		return
	}
	n, ok := scaled(v, map[byte]float64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400})
	if !ok || n > float64(1<<62)/float64(time.Second) {
		p.invalid(v)
		return
	}
	*dst = time.Duration(n * float64(time.Second))
}

// size reads bytes, or a number with the unit k, m or g.
func (p *optionParser) size(dst *int64, v string) {
	n, ok := scaled(v, map[byte]float64{'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30})
	if !ok || n > 1<<60 {
		p.invalid(v)
		return
	}
	*dst = int64(n)
}

// scaled reads a number that is not negative and may have a unit.
func scaled(v string, units map[byte]float64) (float64, bool) {
	factor := 1.0
	if v != "" {
		if f, ok := units[v[len(v)-1]|0x20]; ok {
			factor, v = f, v[:len(v)-1]
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	return n * factor, err == nil && n >= 0
}

func (p *optionParser) ipVersion(v string) {
	switch strings.ToLower(v) {
	case "4", "ipv4":
		p.config.IPVersion = 4
	case "6", "ipv6":
		p.config.IPVersion = 6
	case "whatever", "":
		p.config.IPVersion = 0
	default:
		p.invalid(v)
	}
}

// splitList splits at blanks, commas and newlines.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' || r == '\r' })
}

func firstWord(s string) string {
	if f := strings.Fields(s); len(f) > 0 {
		return f[0]
	}
	return ""
}

// Sources reports whether the configuration says where the repository is.
func (c RepoConfig) Sources() bool {
	return len(c.BaseURL) > 0 || c.MirrorList != "" || c.Metalink != ""
}

// Clone returns a copy that shares nothing.
func (c RepoConfig) Clone() RepoConfig {
	c.BaseURL, c.GPGKey = slices.Clone(c.BaseURL), slices.Clone(c.GPGKey)
	c.ExcludePkgs, c.IncludePkgs = slices.Clone(c.ExcludePkgs), slices.Clone(c.IncludePkgs)
	c.Warnings = slices.Clone(c.Warnings)
	options := make(map[string]string, len(c.Options))
	for k, v := range c.Options {
		options[k] = v
	}
	c.Options = options
	return c
}
