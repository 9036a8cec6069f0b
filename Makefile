GO ?= go
export CGO_ENABLED = 0

.PHONY: build
build:
	$(GO) build -trimpath -ldflags='-s -w' -o build/ ./cmd/...
