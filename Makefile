# make build | doc | demo | test | conformance [RUN=regexp SUITE=dir] | conformance-solver | bench [BENCH=regexp] | fuzz [TIME=10m FUZZ=regexp] | lint | install [DESTDIR= PREFIX=] | uninstall
GO      ?= go
PREFIX  ?= /usr
BINDIR  ?= $(PREFIX)/bin
LIBDIR  ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec
SYSCONFDIR ?= /etc
MANDIR  ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
export CGO_ENABLED = 0

.PHONY: build doc demo test conformance conformance-solver bench fuzz lint install uninstall clean

build:
	@hack/setup build
	$(GO) build -trimpath -ldflags='-s -w' -o build/ ./cmd/...

# Manual pages and completions of shells.
doc:
	$(GO) run ./internal/cli/document build/doc

# The main job: make a distribution, compose, deploy, layer, upgrade, roll back, boot.
demo: build
	@hack/setup demo
	$(GO) run ./test/demo

test: lint
	@hack/setup test
	$(GO) test -timeout 40m ./...

# The shell tests of the C ostree, run with ours in its place; then the solver beside libsolv's
# (SOLV_N, SOLV_SEED).
conformance: build
	@hack/setup test conformance
	$(GO) run ./test/conformance $(if $(RUN),-run '$(RUN)') $(if $(SUITE),-suite '$(SUITE)')
	$(if $(RUN),,REPO_TEST_FAULTS=1 $(GO) test -timeout 40m -run 'TestKilledEverywhere|TestFailingCalls|TestProcesses|TestEveryDeath|TestCrash' ./ostree/repo ./ostree/delta ./ostree/pull ./ostree/sysroot)
	$(if $(RUN),,$(GO) run ./test/conformance/solver)

conformance-solver:
	@hack/setup test
	$(GO) run ./test/conformance/solver

# One line a case: CASE ratio=R ours=S peer=S ours_peak=MB peer_peak=MB
bench: build
	@hack/setup bench
	$(GO) run ./bench $(if $(BENCH),-run '$(BENCH)')

# Every fuzz target for TIME; what is found is in testdata/fuzz of its package.
fuzz:
	@hack/setup test
	GO='$(GO)' hack/fuzz '$(or $(TIME),10m)' '$(or $(FUZZ),.)'

lint:
	@hack/setup build
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt -l:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# What is installed, as FROM:TO below DESTDIR: programs first.
PROGRAMS = $(foreach p,rpm-ostree ostree rofiles-fuse,build/$(p):$(BINDIR)/$(p)) \
	build/ostree-prepare-root:$(LIBDIR)/ostree/ostree-prepare-root \
	build/ostree-trivial-httpd:$(LIBEXECDIR)/libostree/ostree-trivial-httpd
UNITS = ostree-prepare-root ostree-remount ostree-boot-complete ostree-finalize-staged ostree-finalize-staged-hold ostree-state-overlay@
FILES = $(foreach u,$(UNITS),dist/systemd/$(u).service:$(LIBDIR)/systemd/system/$(u).service) \
	dist/tmpfiles.d/ostree-tmpfiles.conf:$(LIBDIR)/tmpfiles.d/ostree-tmpfiles.conf \
	dist/dracut/ostree.conf:$(SYSCONFDIR)/dracut.conf.d/ostree.conf \
	build/doc/bash/ostree:$(DATADIR)/bash-completion/completions/ostree \
	build/doc/fish/ostree.fish:$(DATADIR)/fish/vendor_completions.d/ostree.fish \
	build/doc/zsh/_ostree:$(DATADIR)/zsh/site-functions/_ostree
SCRIPTS = dist/dracut/50ostree/module-setup.sh:$(LIBDIR)/dracut/modules.d/50ostree/module-setup.sh \
	dist/initcpio/ostree:$(LIBDIR)/initcpio/install/ostree \
	dist/grub/ostree-grub-generator:$(LIBDIR)/ostree/ostree-grub-generator \
	dist/grub/grub2-15_ostree:$(LIBEXECDIR)/libostree/grub2-15_ostree
# Links, as TARGET:TO: one program has three names.
LINKS = ../../ostree/ostree-prepare-root:$(LIBDIR)/systemd/system-generators/ostree-system-generator \
	ostree-prepare-root:$(LIBDIR)/ostree/ostree-remount \
	$(LIBEXECDIR)/libostree/grub2-15_ostree:$(SYSCONFDIR)/grub.d/15_ostree

from = $(firstword $(subst :, ,$(1)))
to = $(DESTDIR)$(lastword $(subst :, ,$(1)))

install: build doc
	@set -e; $(foreach f,$(FILES),install -D -m 0644 '$(call from,$(f))' '$(call to,$(f))';) \
	$(foreach f,$(PROGRAMS) $(SCRIPTS),install -D -m 0755 '$(call from,$(f))' '$(call to,$(f))';) \
	$(foreach f,$(LINKS),mkdir -p "$$(dirname '$(call to,$(f))')"; ln -sf '$(call from,$(f))' '$(call to,$(f))';) \
	install -D -m 0644 -t '$(DESTDIR)$(MANDIR)/man1' build/doc/man1/*

uninstall:
	rm -f $(foreach f,$(PROGRAMS) $(FILES) $(SCRIPTS) $(LINKS),'$(call to,$(f))')
	cd '$(DESTDIR)$(MANDIR)/man1' && rm -f ostree.1 ostree-*.1 rofiles-fuse.1

# rm alone cannot remove the demo's deployments, which are immutable.
clean:
	if [ -d build/demo ]; then $(GO) run ./test/demo -remove; fi
	rm -rf build
