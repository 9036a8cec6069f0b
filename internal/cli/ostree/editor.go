package ostree

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// editMessage lets the user write the subject and body of a commit.
func (e *env) editMessage(branch, subject, body string) (string, string, error) {
	text := `
# Please enter the commit message for your changes. The first line will
# become the subject, and the remainder the body. Lines starting
# with '#' will be ignored, and an empty message aborts the commit.`
	if branch != "" {
		text += "\n#\n# Branch: " + branch
	}
	for _, s := range []string{subject, body} {
		if s != "" {
			text += "\n" + s
		}
	}
	text, err := e.edit(text + "\n")
	if err != nil {
		return "", "", err
	}
	subject, body = splitMessage(text)
	if subject == "" {
		return "", "", errors.New("Aborting commit due to empty commit subject.")
	}
	return subject, body, nil
}

// splitMessage takes the first line that is not empty as the subject. Comments are left out.
func splitMessage(text string) (subject, body string) {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "" && len(lines) == 0:
		case subject == "":
			subject = line
		default:
			lines = append(lines, line)
		}
	}
	return subject, strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// editor returns the command that the environment names, as git looks for it.
func editor() string {
	term := os.Getenv("TERM")
	dumb := term == "" || term == "dumb"
	visual, fallback := os.Getenv("VISUAL"), "vi"
	if dumb {
		visual, fallback = "", ""
	}
	return cmp.Or(os.Getenv("OSTREE_EDITOR"), visual, os.Getenv("EDITOR"), fallback)
}

// edit returns what the user makes of a text.
func (e *env) edit(text string) (string, error) {
	command := editor()
	if command == "" {
		return "", errors.New("Terminal is dumb, but EDITOR unset")
	}
	f, err := os.CreateTemp("", "ostree-")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(e.ctx, "/bin/sh", "-c", command+` "$1"`, "sh", f.Name())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Exited() {
			err = fmt.Errorf("Child process exited with code %d", exit.ExitCode())
		}
		return "", fmt.Errorf("There was a problem with the editor '%s'%w", command, err) // without a space, as upstream
	}
	data, err := os.ReadFile(f.Name())
	return string(data), err
}
