package prepareroot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"rpmostree/internal/keyfile"
)

// configPath is looked up below usr/lib and etc; etc overrides key by key.
const configPath = "ostree/prepare-root.conf"

// Composefs says whether the root must be a composefs image.
type Composefs uint8

const (
	ComposefsNo     Composefs = iota // a plain deployment directory
	ComposefsMaybe                   // an image if there is one
	ComposefsYes                     // an image
	ComposefsVerity                  // an image under fs-verity
	ComposefsSigned                  // an image under fs-verity whose commit is signed
)

// Config is the content of prepare-root.conf, as changed by the kernel command
// line. The zero value is that of an empty file.
type Config struct {
	Composefs       Composefs
	RootTransient   bool // changes of / live until the next boot; or, read-only
	EtcTransient    bool // changes of /etc live until the next boot
	SysrootReadonly bool // /sysroot is mounted read-only
}

// LoadConfig reads the configuration below root, which is / of the initramfs,
// and the argument ostree.prepare-root.composefs= of the kernel command line.
// Missing files are empty.
func LoadConfig(root, cmdline string) (Config, error) {
	return ReadConfig(func(name string) ([]byte, error) { return readConfigFile(path.Join(root, name)) }, cmdline)
}

// ReadConfig is LoadConfig for files that read returns by their paths, relative to
// the root. The error of a missing file is fs.ErrNotExist.
func ReadConfig(read func(name string) ([]byte, error), cmdline string) (Config, error) {
	merged := new(keyfile.File)
	for _, dir := range []string{"usr/lib", "etc"} {
		name := path.Join(dir, configPath)
		text, err := read(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		var f *keyfile.File
		if err == nil {
			f, err = keyfile.Parse(text)
		}
		if err != nil {
			return Config{}, fmt.Errorf("Failed to parse config: %s: %v", name, err)
		}
		for _, group := range f.Groups() {
			for _, key := range f.Keys(group) {
				raw, _ := f.Raw(group, key)
				if err := merged.SetRaw(group, key, raw); err != nil {
					return Config{}, err
				}
			}
		}
	}
	return parseConfig(merged, cmdline)
}

func parseConfig(f *keyfile.File, cmdline string) (Config, error) {
	var c Config
	var failed error
	flag := func(group, key string, def bool) bool {
		v, err := f.Bool(group, key, def)
		if err != nil && failed == nil {
			failed = fmt.Errorf("Failed to parse %s.%s value: %v", group, key, err)
		}
		return v
	}
	transient, transientRO := flag("root", "transient", false), flag("root", "transient-ro", false)
	c.RootTransient = transient || transientRO
	c.EtcTransient = flag("etc", "transient", false)

	var err error
	if c.Composefs, err = parseComposefs(f.Get("composefs", "enabled")); err != nil {
		return Config{}, fmt.Errorf("Parsing rootfs config: %v", err)
	}
	if v, ok := kernelArg(cmdline, "ostree.prepare-root.composefs"); ok {
		if c.Composefs, err = parseComposefs(v); err != nil {
			return Config{}, fmt.Errorf("Parsing rootfs config: handling karg ostree.prepare-root.composefs: %v", err)
		}
	}
	c.SysrootReadonly = flag("sysroot", "readonly", c.Composefs >= ComposefsYes)
	if transient && transientRO {
		return Config{}, errors.New("Parsing rootfs config: Cannot set both root.transient and root.transient-ro")
	}
	return c, failed
}

func parseComposefs(s string) (Composefs, error) {
	switch s {
	case "", "no", "false", "0":
		return ComposefsNo, nil
	case "maybe":
		return ComposefsMaybe, nil
	case "yes", "true", "1":
		return ComposefsYes, nil
	case "verity":
		return ComposefsVerity, nil
	case "signed":
		return ComposefsSigned, nil
	}
	return 0, fmt.Errorf("Invalid tri-state value: %s", s)
}

// supported refuses what needs composefs.
func (c Config) supported() error {
	if c.Composefs >= ComposefsYes {
		return errors.New("Failed to mount composefs: composefs: enabled at runtime, but support is not compiled in")
	}
	if c.RootTransient {
		return errors.New("Must enable composefs with root.transient")
	}
	return nil
}

// repoReadonly reads the older switch for a read-only /sysroot from the
// repository's configuration. One that cannot be read is no reason not to boot.
func repoReadonly(config string) (bool, error) {
	text, err := readConfigFile(config)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var f *keyfile.File
	if err == nil {
		f, err = keyfile.Parse(text)
	}
	if err != nil {
		return false, fmt.Errorf("Failed to load %s: %v", config, err)
	}
	return f.Bool("sysroot", "readonly", false)
}

func readConfigFile(path string) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, keyfile.MaxBytes+1))
}
