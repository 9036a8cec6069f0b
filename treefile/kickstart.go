package treefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// maxKickstarts bounds the files that a kickstart file includes, itself
// included.
const maxKickstarts = 256

// loadKickstart reads the packages of a kickstart file. Of that format, only
// "%include FILE" and "%packages [--exclude-weakdeps]" to "%end" are known.
// Paths are relative to the directory of the first file.
func loadKickstart(path string, data []byte) (*input, error) {
	k := kickstart{dir: filepath.Dir(path)}
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	k.seen = append(k.seen, fi)
	if err := k.parse(string(data)); err != nil {
		return nil, err
	}
	in := &input{}
	in.Packages = sorted(append([]string{}, k.install...))
	in.ExcludePackages = k.exclude
	if k.noWeak {
		in.Recommends = SetOn(false)
	}
	return in, nil
}

type kickstart struct {
	dir              string
	seen             []os.FileInfo
	install, exclude []string
	noWeak           bool
}

func (k *kickstart) parse(text string) error {
	var includes []string
	inside := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if inside {
			inside = line != "%end"
			if name, ok := strings.CutPrefix(line, "-"); ok {
				k.exclude = append(k.exclude, name)
			} else if inside {
				k.install = append(k.install, line)
			}
			continue
		}
		words, err := shellWords(line)
		if err != nil {
			return err
		}
		switch {
		case words[0] == "%packages":
			inside = true
			for _, arg := range words[1:] {
				if arg != "--exclude-weakdeps" {
					return fmt.Errorf("unknown argument %q of %%packages", arg)
				}
				k.noWeak = true
			}
		case words[0] == "%include" && len(words) == 2:
			includes = append(includes, words[1])
		case words[0] == "%include" && len(words) == 1:
			return errors.New("Missing path for %include")
		case words[0] == "%include":
			return errors.New("Too many arguments for %include")
		default:
			return fmt.Errorf("Unhandled verb: %s", words[0])
		}
	}
	if inside {
		return errors.New("Missing %end for %packages")
	}
	for _, path := range includes {
		if err := k.include(path); err != nil {
			return err
		}
	}
	return nil
}

func (k *kickstart) include(path string) error {
	if !filepath.IsAbs(path) {
		path = filepath.Join(k.dir, path)
	}
	data, fi, err := readFile(path, MaxSize)
	if err != nil {
		return err
	}
	for _, s := range k.seen {
		if os.SameFile(s, fi) {
			return fmt.Errorf("Recursive include: %s", path)
		}
	}
	if len(k.seen) == maxKickstarts {
		return fmt.Errorf("more than %d files are included", maxKickstarts)
	}
	k.seen = append(k.seen, fi)
	return k.parse(string(data))
}

// shellWords splits a line that is not empty as a shell does, with quotes and
// backslashes but no expansions.
func shellWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	open, escaped := false, false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, open = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case unicode.IsSpace(c):
			if open {
				words = append(words, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("Invalid syntax: %s", line)
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}
