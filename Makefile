# make build | demo | test | conformance | bench [BENCH=regexp] | lint | install [DESTDIR= PREFIX=] | uninstall
GO      ?= go
PREFIX  ?= /usr
BINDIR  ?= $(PREFIX)/bin
LIBDIR  ?= $(PREFIX)/lib
export CGO_ENABLED = 0

.PHONY: build demo test conformance bench lint install uninstall clean

build:
	@hack/setup build
	$(GO) build -trimpath -ldflags='-s -w' -o build/ ./cmd/...

# The main job: make a distribution, compose, deploy, layer, upgrade, roll back, boot.
demo: build
	@hack/setup demo
	$(GO) run ./test/demo

test: lint
	@hack/setup test
	$(GO) test -timeout 40m ./...

# The shell tests of the C ostree, run with ours in its place.
conformance: build
	@hack/setup test conformance
	$(GO) run ./test/conformance $(if $(RUN),-run '$(RUN)')

# One line a case: CASE ratio=R ours=S peer=S ours_peak=MB peer_peak=MB
bench: build
	@hack/setup bench
	$(GO) run ./bench $(if $(BENCH),-run '$(BENCH)')

lint:
	@hack/setup build
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt -l:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

install: build
	install -D -m 0755 build/rpm-ostree '$(DESTDIR)$(BINDIR)/rpm-ostree'
	install -D -m 0755 build/ostree '$(DESTDIR)$(BINDIR)/ostree'
	install -D -m 0755 build/ostree-prepare-root '$(DESTDIR)$(LIBDIR)/ostree/ostree-prepare-root'

uninstall:
	rm -f '$(DESTDIR)$(BINDIR)/rpm-ostree' '$(DESTDIR)$(BINDIR)/ostree' \
		'$(DESTDIR)$(LIBDIR)/ostree/ostree-prepare-root'

# rm alone cannot remove the demo's deployments, which are immutable.
clean:
	if [ -d build/demo ]; then $(GO) run ./test/demo -remove; fi
	rm -rf build
