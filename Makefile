# Targets: build run test chaos-cluster golden-smt golden-converters bench lint fmt docs cross clean; `make` alone builds.
SHELL := /bin/bash
GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT := $(shell git rev-parse --short=16 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

.PHONY: build run test chaos-cluster golden-smt golden-converters bench lint fmt docs cross clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/troupe .

run: build
	bin/troupe dev

test: build
	scripts/test.sh

# Whole clusters through random trouble in virtual time; a failed seed prints how to
# run it again. SEEDS=200 FIRST=10001 make chaos-cluster runs fewer, and others.
chaos-cluster:
	set -o pipefail; TROUPE_CHAOS_SEED=$${FIRST:-1} TROUPE_CHAOS_SEEDS=$${SEEDS:-5000} $(GO) test -count=1 -timeout 6h -run 'TestChaos$$' -v ./cluster | grep -v '^=== '

# Are the vectors of the transforms what Kafka Connect gives? Needs a JDK 17.
golden-smt:
	scripts/golden-smt.sh --check

bench: build
	$(GO) run ./bench

lint:
	scripts/lint.sh

fmt:
	gofmt -w $$(git ls-files '*.go')

# Are the vectors of the converters what Kafka Connect gives? Needs a JDK 17.
golden-converters:
	scripts/golden-converters.sh --check

docs:
	TROUPE_WRITE_DOCS=1 $(GO) test -run 'TestDocs|TestRESTDocs' ./...

# Static builds that must compile everywhere.
cross:
	@for os in linux darwin windows; do for arch in amd64 arm64; do \
	  echo "building for $$os/$$arch"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/troupe-$$os-$$arch$$([ $$os = windows ] && echo .exe) . || exit 1; \
	done; done

clean:
	rm -rf bin bench/out
