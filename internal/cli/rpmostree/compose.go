package rpmostree

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rpmostree/gvariant"
	"rpmostree/internal/compose"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

func (a *app) composeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "compose",
		Short: "Commands to compose a tree",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("Unknown \"compose\" subcommand \"%s\"", args[0])
			}
			cmd.SetOut(a.err)
			_ = cmd.Help()
			return errors.New("No \"compose\" subcommand specified")
		},
	}
	c.AddCommand(a.composeTreeCommand())
	return c
}

type composeFlags struct {
	opt              compose.Options
	touch, composeTo string
	metadata         []string
	metadataJSON     string
	printOnly        bool
	proxy            string
	unifiedCore      bool
}

func (a *app) composeTreeCommand() *cobra.Command {
	var f composeFlags
	c := &cobra.Command{
		Use:   "tree TREEFILE",
		Short: "Process a \"treefile\"; install packages and commit the result to an OSTree repository",
		Args:  exactly("TREEFILE", 1),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.composeTree(cmd, args[0], f) },
	}
	flags := c.Flags()
	flags.StringVarP(&f.opt.Repo, "repo", "r", "", "Path to OSTree repository")
	flags.StringVar(&f.opt.CacheDir, "cachedir", "", "Cached state")
	flags.StringVar(&f.opt.WorkDir, "workdir", "", "Working directory")
	flags.BoolVar(&f.opt.CacheOnly, "cache-only", false, "Assume cache is present, do not attempt to update it")
	flags.BoolVar(&f.opt.DownloadOnly, "download-only", false, "Like --dry-run, but download and import RPMs as well")
	flags.BoolVar(&f.opt.DryRun, "dry-run", false, "Just print the transaction and exit")
	flags.BoolVar(&f.printOnly, "print-only", false, "Just expand any includes and print treefile")
	flags.BoolVar(&f.opt.Force, "force-nocache", false, "Always create a new OSTree commit, even if nothing appears to have changed")
	flags.BoolVar(&f.opt.NoSELinux, "disable-selinux", false, "Disable SELinux labeling, even if manifest enables it")
	flags.StringVar(&f.opt.Parent, "parent", "", "Commit with specific parent")
	flags.BoolVar(&f.opt.NoParent, "no-parent", false, "Always commit without a parent")
	flags.StringArrayVar(&f.metadata, "add-metadata-string", nil, "Append given key and value (in string format) to metadata")
	flags.StringVar(&f.metadataJSON, "add-metadata-from-json", "", "Parse the given JSON file as object, convert to GVariant, append to OSTree commit")
	flags.StringVar(&f.opt.WriteCommitTo, "write-commitid-to", "", "File to write the composed commitid to instead of updating the ref")
	flags.StringVar(&f.composeTo, "write-composejson-to", "", "Write JSON to FILE containing information about the compose run")
	flags.StringVar(&f.touch, "touch-if-changed", "", "Update the modification time on FILE if a new commit was created")
	flags.StringVar(&f.proxy, "proxy", "", "HTTP proxy")
	flags.BoolVar(&f.unifiedCore, "unified-core", false, "Use new \"unified core\" codepath")
	flags.BoolVar(&f.unifiedCore, "ex-unified-core", false, "Use new \"unified core\" codepath")
	_ = flags.MarkHidden("unified-core")
	_ = flags.MarkHidden("ex-unified-core")
	return c
}

// exactly demands n arguments, the first of which is called name.
func exactly(name string, n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < n:
			return fmt.Errorf("%s must be specified", name)
		case len(args) > n:
			return fmt.Errorf("Unexpected argument '%s'", args[n])
		}
		return nil
	}
}

func (a *app) composeTree(cmd *cobra.Command, path string, f composeFlags) error {
	f.opt.Progress, f.opt.Arch, f.opt.Epoch = a.progress(), hostArch(), epoch()
	if f.printOnly {
		text, err := compose.Print(path, f.opt)
		if err == nil {
			fmt.Fprintln(a.out, strings.TrimRight(string(text), "\n"))
		}
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("This command requires root privileges")
	}
	if f.proxy != "" {
		for _, name := range []string{"http_proxy", "https_proxy"} {
			if err := os.Setenv(name, f.proxy); err != nil {
				return err
			}
		}
	}
	var err error
	if f.opt.Metadata, err = keyValues(f.metadata); err != nil {
		return err
	}
	if f.metadataJSON != "" {
		if f.opt.MetadataValue, err = readMetadata(f.metadataJSON); err != nil {
			return err
		}
	}
	f.opt.Lua = self()
	r, err := compose.Tree(cmd.Context(), path, f.opt)
	if err != nil {
		return err
	}
	switch {
	case f.opt.DryRun:
		a.printPlan(r.Plan)
		return nil
	case f.opt.DownloadOnly:
		return nil
	case r.Unchanged:
		fmt.Fprintln(a.out, "No apparent changes since previous commit; use --force-nocache to override")
		return nil
	}
	if !a.quiet {
		a.printCompose(r)
	}
	if f.composeTo != "" {
		if err := writeComposeJSON(f.composeTo, r, f.opt.Repo); err != nil {
			return err
		}
	}
	if f.touch != "" {
		return os.WriteFile(f.touch, nil, 0o644)
	}
	return nil
}

func (a *app) printCompose(r *compose.Result) {
	s := r.Stats
	fmt.Fprintf(a.out, "Metadata Total: %d\nMetadata Written: %d\nContent Total: %d\nContent Written: %d\nContent Cache Hits: %d\nContent Bytes Written: %d\n",
		s.MetadataTotal, s.MetadataWritten, s.ContentTotal, s.ContentWritten, s.CacheHits, s.ContentBytesWritten)
	if r.Version != "" {
		fmt.Fprintf(a.out, "Version: %s\n", r.Version)
	}
	if r.Ref != "" {
		fmt.Fprintf(a.out, "%s => %s\n", r.Ref, r.Commit)
	} else {
		fmt.Fprintf(a.out, "Wrote commit: %s\n", r.Commit)
	}
}

func keyValues(list []string) ([]compose.Entry, error) {
	var out []compose.Entry
	for _, s := range list {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("Missing '=' in KEY=VALUE metadata '%s'", s)
		}
		out = append(out, compose.Entry{Key: k, Value: v})
	}
	return out, nil
}

// readMetadata reads a JSON object as commit metadata.
func readMetadata(path string) (map[string]gvariant.Value, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := map[string]gvariant.Value{}
	for k, v := range object {
		if out[k], err = compose.FromJSON(v); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, k, err)
		}
	}
	return out, nil
}

// writeComposeJSON writes what other programs want to know of a compose.
func writeComposeJSON(path string, r *compose.Result, repoPath string) error {
	dest, err := repo.Open(repoPath)
	if err != nil {
		return err
	}
	defer dest.Close()
	c, err := dest.Commit(r.Commit)
	if err != nil {
		return err
	}
	out := struct {
		Ref             string `json:"ref,omitempty"`
		MetaTotal       int    `json:"ostree-n-metadata-total"`
		MetaWritten     int    `json:"ostree-n-metadata-written"`
		ContentTotal    int    `json:"ostree-n-content-total"`
		ContentWritten  int    `json:"ostree-n-content-written"`
		CacheHits       int    `json:"ostree-n-cache-hits"`
		BytesWritten    uint64 `json:"ostree-content-bytes-written"`
		Commit          string `json:"ostree-commit"`
		ContentChecksum string `json:"ostree-content-checksum"`
		Version         string `json:"ostree-version,omitempty"`
		Timestamp       string `json:"ostree-timestamp"`
		InputHash       string `json:"rpm-ostree-inputhash"`
	}{
		r.Ref, r.Stats.MetadataTotal, r.Stats.MetadataWritten, r.Stats.ContentTotal, r.Stats.ContentWritten,
		r.Stats.CacheHits, r.Stats.ContentBytesWritten, r.Commit.String(),
		ostree.ContentChecksum(c.Tree, c.Meta).String(), r.Version,
		c.Time().UTC().Format("2006-01-02T15:04:05Z"), c.MetadataString("rpmostree.inputhash"),
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
