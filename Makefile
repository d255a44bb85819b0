# Everything that builds, tests or checks Berth. `make run` and `make test` need Go and make, nothing else.

GOLANGCI_LINT_VERSION := v2.12.2
CRANE_VERSION         := v0.22.1
# The reference registry, run beside ours: the version that go.mod has.
REGISTRY_VERSION      := v3.1.2
# skopeo comes from the system's packages (apt-get), in whatever version they have.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

GO      ?= go
# A Go module each. Their dependencies point at one another by replace directives.
MODULES := . guest-sdk/go examples/webdav testsuites/guests
TOOLS   := $(CURDIR)/build/tools
LINT    := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)/golangci-lint
CRANE   := $(TOOLS)/crane-$(CRANE_VERSION)/crane
REGISTRY := $(TOOLS)/registry-$(REGISTRY_VERSION)/registry
# The tests that need skopeo, crane or a server are behind this build tag.
TAG     := servers

VERSION := $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

# The race detector needs cgo and a C compiler.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v $$($(GO) env CC) >/dev/null 2>&1 && echo -race)

sources = $(shell find $(1) -name '*.go' -not -name '*_test.go' -o -name go.mod -o -name go.sum 2>/dev/null)
HOST_SOURCES := $(shell find . \( -path ./build -o -path ./bin -o -path ./.git -o -path ./examples -o -path ./guest-sdk -o -path ./testsuites/guests \) -prune -o \( -name '*.go' -not -name '*_test.go' \) -print) go.mod go.sum
SDK_SOURCES  := $(call sources,guest-sdk/go)

GUESTS := build/guests/webdav.wasm build/guests/parts.wasm build/guests/nop.wasm
DRIVERS := bin/registry-storage-filesystem bin/registry-storage-inmemory

.PHONY: run build drivers guests test test-servers test-long check lint bench fuzz clean tools

## run: an OCI registry on 127.0.0.1:5000 whose blobs go through webdav.wasm
run: build bin/registry-storage-webdav.wasm
	@exec bin/berth quickstart $(ARGS)

## build: bin/berth, and the drivers
build: bin/berth drivers

bin/berth: $(HOST_SOURCES)
	@mkdir -p bin
	$(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $@ ./cmd/berth
	@touch $@

## drivers: our native drivers as executables beside bin/berth, bin/registry-storage-NAME; by their names it opens those that it has compiled in
drivers: $(DRIVERS)

# Without cgo they run on any system of this kind, whatever its C library.
$(DRIVERS): bin/registry-storage-%: $(HOST_SOURCES)
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w' -o $@ ./drivers/$*/registry-storage-$*
	@touch $@

## guests: build/guests/NAME.wasm, and webdav's copy beside bin/berth under the name drivers are found by
guests: $(GUESTS) bin/registry-storage-webdav.wasm

bin/registry-storage-webdav.wasm: build/guests/webdav.wasm
	@mkdir -p bin
	cp $< $@.new
	mv $@.new $@

# $(1) folder of the module, $(2) package of the guest's main. testsuites/guestbuild builds them the same way
# for tests that run without make.
define guest
@mkdir -p build/guests
cd $(1) && GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 GOFLAGS= GOWORK=off $(GO) build -trimpath -buildvcs=false -buildmode=c-shared -o $(CURDIR)/$@ $(2)
@touch $@
endef

build/guests/webdav.wasm: $(call sources,examples/webdav) $(SDK_SOURCES)
	$(call guest,examples/webdav,./guest)

build/guests/parts.wasm: $(call sources,testsuites/guests/parts) testsuites/guests/go.mod $(SDK_SOURCES)
	$(call guest,testsuites/guests,./parts/guest)

build/guests/nop.wasm: $(call sources,testsuites/guests/nop) testsuites/guests/go.mod $(SDK_SOURCES)
	$(call guest,testsuites/guests,./nop)

## test: every test that needs Go alone, with -race where there is a C compiler
test: guests
	@[ -n "$(RACE)" ] || echo "make test: no C compiler (or CGO_ENABLED=0): running without -race"
	@failed=; for module in $(MODULES); do \
	  echo "== go test $(RACE) ./... in $$module"; \
	  (cd $$module && $(GO) test $(RACE) -timeout 15m ./...) || failed="$$failed $$module"; \
	done; \
	[ -z "$$failed" ] || { echo "make test: failed in:$$failed" >&2; exit 1; }
	@echo "make test: all passed$(if $(RACE), with -race, without -race). make test-servers adds pushes and pulls with skopeo and crane through bin/berth, killed and restarted, the suite on Apache and on the drivers in Python and Node, and the exchange of data with distribution's registry (it installs skopeo, crane, apache2, python3, nodejs and that registry)."

## test-servers: the tests with skopeo, crane, Apache's mod_dav, distribution's registry, Python and Node, which it installs
test-servers: guests build/e2e/berth $(CRANE) $(REGISTRY)
	@missing=; \
	command -v skopeo >/dev/null || missing=skopeo; \
	command -v apache2 >/dev/null || [ -x /usr/sbin/apache2 ] || missing="$$missing apache2"; \
	PATH=/usr/local/bin:/usr/bin:/bin command -v python3 >/dev/null || missing="$$missing python3"; \
	PATH=/usr/local/bin:/usr/bin:/bin command -v node >/dev/null || missing="$$missing nodejs"; \
	[ -z "$$missing" ] || { \
	  if [ "$$(id -u)" = 0 ]; then as=; else as=sudo; fi; \
	  command -v apt-get >/dev/null || { echo "make test-servers: install $$missing: this system has no apt-get to install it with" >&2; exit 1; }; \
	  $$as apt-get install -y --no-install-recommends $$missing || { $$as apt-get update && $$as apt-get install -y --no-install-recommends $$missing; }; \
	}
	cd testsuites/guests && $(GO) test -tags $(TAG) $(RACE) -count=1 -timeout 20m -run Apache .
	$(GO) test -tags $(TAG) $(RACE) -count=1 -timeout 20m ./examples/python-sqlite ./examples/node-files
	$(GO) test -tags $(TAG) $(RACE) -count=1 -timeout 20m -run OthersKilled ./ipc
	BERTH_E2E_BINARY=$(CURDIR)/build/e2e/berth BERTH_E2E_CRANE=$(CRANE) BERTH_DRIVER_PATH=$(CURDIR)/bin \
	  $(GO) test -tags $(TAG) $(RACE) -count=1 -timeout 30m ./testsuites/e2e/...
	BERTH_E2E_BINARY=$(CURDIR)/build/e2e/berth BERTH_E2E_CRANE=$(CRANE) BERTH_E2E_REGISTRY=$(REGISTRY) \
	  $(GO) test -tags $(TAG) $(RACE) -count=1 -timeout 30m ./testsuites/interchange/...

MODELTIME ?= 1h
## test-long: the long forms of tests that make test has short: streams of 5 GiB, thousands of kills, pairs of faults, and the model, for MODELTIME on each driver
test-long: guests
	BERTH_LONG=1 $(GO) test -count=1 -timeout 1h -v -run 'Killed|TestInmemory|TestParts|TestFilesystem' ./drivers/filesystem ./testsuites/faultloop
	cd testsuites/guests && BERTH_LONG=1 $(GO) test -count=1 -timeout 1h -v -run 'LongStreams|HoldsWhatever' .
	BERTH_MODEL_TIME=$(MODELTIME) $(GO) test -count=1 -timeout 12h -v -run 'TestInmemory|TestFilesystem' ./testsuites/model/modelrapid
	cd testsuites/guests && BERTH_MODEL_TIME=$(MODELTIME) $(GO) test -count=1 -timeout 12h -v -run GuestModel .

build/e2e/berth: $(HOST_SOURCES)
	@mkdir -p build/e2e
	$(GO) build $(RACE) -trimpath -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o $@ ./cmd/berth
	@touch $@

## check: formatting, vet, lint, tidy modules, fresh generated files; fails if it had to change anything
check: lint
	@before=$$($(fingerprint)); \
	unformatted=$$(git ls-files -co --exclude-standard -- '*.go' | while read -r f; do [ ! -f "$$f" ] || echo "$$f"; done | xargs gofmt -l); \
	[ -z "$$unformatted" ] || { echo "make check: not formatted by gofmt:" $$unformatted >&2; exit 1; }; \
	for module in $(MODULES); do \
	  echo "== go vet, go mod tidy -diff, go generate in $$module"; \
	  (cd $$module && $(GO) vet -tags $(TAG) ./... && $(GO) mod tidy -diff && $(GO) generate ./...) || exit 1; \
	done; \
	[ "$$before" = "$$($(fingerprint))" ] || { echo "make check: generated files were stale; they are fresh now, commit them:" >&2; git status --short >&2; exit 1; }; \
	echo "make check: all good"

# Every file that is tracked or could be. A tree that was dirty before is not check's business.
fingerprint = git ls-files -co --exclude-standard -z | xargs -0 sha256sum 2>/dev/null | sha256sum

## lint: golangci-lint in every module; depguard proves which package may import which
# Its cache remembers the paths of the checkout that filled it, so each checkout has its own.
lint: export GOLANGCI_LINT_CACHE := $(CURDIR)/build/lint-cache
lint: $(LINT)
	@for module in $(MODULES); do \
	  echo "== golangci-lint in $$module"; \
	  (cd $$module && $(LINT) run --config $(CURDIR)/.golangci.yml ./...) || exit 1; \
	done

## bench: wasm against native, wasm and processes against go-plugin, and filesystem against distribution's driver, in pairs, with a control of one side against itself
bench: guests
	cd testsuites/guests && $(GO) run ./cmd/bench $(BENCHARGS)
	$(GO) test -run '^$$' -bench AgainstDistribution -benchtime 21x ./drivers/filesystem

FUZZTIME ?= 10s
## fuzz: every fuzz target for FUZZTIME each
fuzz:
	@for module in $(MODULES); do ( \
	  cd $$module; \
	  for folder in $$($(GO) list -f '{{.Dir}}' ./...); do \
	    { grep -lsE '^func Fuzz' "$$folder"/*_test.go || true; } | grep -q . || continue; \
	    for target in $$($(GO) test -list '^Fuzz' "$$folder" | grep '^Fuzz'); do \
	      echo "== $$folder $$target"; \
	      $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$folder"; \
	    done; \
	  done ); \
	done

tools: $(LINT) $(CRANE) $(REGISTRY)

$(LINT):
	GOBIN=$(dir $@) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

$(CRANE):
	GOBIN=$(dir $@) $(GO) install github.com/google/go-containerregistry/cmd/crane@$(CRANE_VERSION)

$(REGISTRY):
	GOBIN=$(dir $@) $(GO) install github.com/distribution/distribution/v3/cmd/registry@$(REGISTRY_VERSION)

## clean: remove what was built; berth-data and quickstart's data stay
clean:
	rm -rf bin build
