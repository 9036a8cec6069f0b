package ostree

import (
	_ "embed"
	"maps"
	"slices"
	"strings"

	"rpmostree/internal/manual"
)

// manualText is what the pages say beyond the help: "= NAME", then paragraphs.
//
//go:embed manual.txt
var manualText string

// Pages returns the manual pages: one of the program, and one of each command that its
// help shows or manual.txt describes.
func Pages() []manual.Page {
	texts := manualTexts()
	var pages []manual.Page
	commands().walk(func(c *command) {
		if !c.hidden || texts[c.path()] != "" {
			pages = append(pages, c.page(texts))
		}
	})
	pages[0].Sections = append(pages[0].Sections,
		manual.Section{Title: "ENVIRONMENT", Items: environment},
		manual.Section{Title: "FILES", Items: files},
		manual.Section{Title: "EXIT STATUS", Text: "0 if the command did what it was asked to do, 1 if it did not and has said why on standard error."})
	return pages
}

// walk visits a command and all below it.
func (c *command) walk(visit func(*command)) {
	visit(c)
	for _, s := range c.sub {
		s.walk(visit)
	}
}

func (c *command) page(texts map[string]string) manual.Page {
	p := manual.Page{
		Name: c.path(), About: c.about, Synopsis: strings.TrimSpace("[OPTION...] " + c.args), Text: texts[c.path()],
		Options: (&env{cmd: c}).shown(),
	}
	if c.parent == nil {
		p.About = "Manage multiple bootable versioned filesystem trees"
	} else {
		p.SeeAlso = append(p.SeeAlso, c.parent.path())
	}
	for _, s := range c.sub {
		if !s.hidden {
			p.Commands = append(p.Commands, manual.Item{Name: s.name, Text: s.about})
			p.SeeAlso = append(p.SeeAlso, s.path())
		}
	}
	return p
}

func manualTexts() map[string]string {
	texts := map[string]string{}
	for _, part := range strings.Split("\n"+manualText, "\n= ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		texts[name] = strings.TrimSpace(text)
	}
	return texts
}

// environment is the variables that change what the program does.
var environment = items(map[string]string{
	"OSTREE_REPO":                        "The repository, if --repo is not given and the current directory is none.",
	"OSTREE_SYSROOT":                     "The sysroot, if --sysroot is not given.",
	"OSTREE_SYSROOT_OPTS":                "Comma separated: skip-sync, no-early-prune, bootloader-naming-1.",
	"OSTREE_SYSROOT_DEBUG":               "Comma separated, for tests: mutable-deployments, test-fifreeze, no-xattrs, no-dtb.",
	"OSTREE_BOOTID":                      "Stands for the kernel's boot id in the names of staging directories.",
	"OSTREE_GPG_HOME":                    "Directory of trusted keyrings in place of /usr/share/ostree/trusted.gpg.d.",
	"OSTREE_DUMMY_SIGN_ENABLED":          "Turns on the signature type \"dummy\", for tests.",
	"OSTREE_EXP_WRITE_BARE_SPLIT_XATTRS": "Allows commits to repositories of the mode bare-split-xattrs.",
	"OSTREE_SKIP_CACHE":                  "Set, the repository keeps no summaries of remotes; see --cache-dir.",
	"OSTREE_DEBUG_HTTP":                  "Set, pulls show their requests and the answers on standard error.",
	"OSTREE_GRUB2_EXEC":                  "The program that writes the configuration of GRUB 2, in place of grub2-mkconfig.",
	"OSTREE_DEBUG_GRUB2":                 "Set, what that program prints is shown, as it always is in a unit of systemd.",
	"OSTREE_EX_STAGE_DEPLOYMENTS":        "Set, admin upgrade and admin switch stage deployments as with --stage.",
	"OSTREE_SKIP_NEXTROOT_CLEANUP":       "Set, what a soft reboot that was given up has mounted stays.",
	"OSTREE_EDITOR, VISUAL, EDITOR":      "The editor of commit --editor, the first one that is set.",
	"SOURCE_DATE_EPOCH":                  "The time of new commits, in seconds since 1970.",
	"http_proxy, https_proxy, no_proxy":  "Proxies of pulls, if a remote's configuration names none.",
})

var files = items(map[string]string{
	"/sysroot/ostree/repo":                "The repository of the running system.",
	"/etc/ostree/remotes.d/*.conf":        "Remotes of the running system.",
	"/usr/share/ostree/trusted.gpg.d":     "Keys that sign for every remote which has no keyring of its own.",
	"/etc/ostree/trusted.TYPE.d":          "Public keys of the signature type TYPE; revoked.TYPE.d holds those that do not count anymore.",
	"/usr/libexec/libostree/ext/ostree-X": "The program of a command X that is not built in. It is looked for in PATH, too.",
})

func items(m map[string]string) []manual.Item {
	var list []manual.Item
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, manual.Item{Name: name, Text: m[name]})
	}
	return list
}
