# Everything that builds, tests or checks Berth. `make run` and `make test` need Go and make, nothing else.

GOLANGCI_LINT_VERSION := v2.12.2
CRANE_VERSION         := v0.22.1
# The reference registry, run beside ours: the version that go.mod has.
REGISTRY_VERSION      := v3.1.2
# S3 services to test against. minio is run, never linked: its licence is AGPL.
VERSITYGW_VERSION := v1.8.0
MINIO_VERSION     := v0.0.0-20260212201848-7aac2a2c5b7c
# skopeo comes from the system's packages (apt-get), in whatever version they have.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

GO      ?= go
# A Go module each. Their dependencies point at one another by replace directives.
MODULES := . guest-sdk/go examples/webdav examples/compress examples/seal examples/worm examples/go-memory testsuites/guests
TOOLS   := $(CURDIR)/build/tools
LINT    := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)/golangci-lint
CRANE   := $(TOOLS)/crane-$(CRANE_VERSION)/crane
REGISTRY := $(TOOLS)/registry-$(REGISTRY_VERSION)/registry
VERSITYGW := $(TOOLS)/versitygw-$(VERSITYGW_VERSION)/versitygw
MINIO   := $(TOOLS)/minio-$(MINIO_VERSION)/minio
# The tests that need skopeo, crane or a server are behind this build tag.
TAG     := servers

VERSION := $(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

# The race detector needs cgo and a C compiler.
RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v $$($(GO) env CC) >/dev/null 2>&1 && echo -race)
# wazero's compiler takes ten times as long under it, a dozen times in a run. Its packages share nothing between goroutines; those that
# run guests keep it.
UNRACED   := engine/wazevo/ssa engine/wazevo/frontend engine/wazevo/backend/... wasm/binary leb128
RACEFLAGS := $(if $(RACE),$(RACE) $(foreach package,$(UNRACED),-gcflags=github.com/tetratelabs/wazero/internal/$(package)=-race=false))
# Otherwise each process waits a second at its end for races in what still runs, and the tests start hundreds.
export GORACE := atexit_sleep_ms=50

HOST_SOURCES := $(shell find . \( -path ./build -o -path ./bin -o -path ./.git -o -path ./examples -o -path ./guest-sdk -o -path ./testsuites/guests \) -prune -o \( -name '*.go' -not -name '*_test.go' \) -print) go.mod go.sum

GUESTS := webdav compress seal worm parts nop s3 go-memory $(if $(shell command -v tinygo),tinygo-webdav tinygo-worm tinygo-memory)
# What TinyGo may compile, whose int has 32 bits.
TINY := guest-sdk/go examples/webdav examples/worm examples/go-memory
# Those that need compilers of their own: Debian's Rust, whose cargo has to be the first in PATH, and clang.
OTHER_GUESTS := rust-memory rust-s3 rust-exercise rust-transform c-memory
# The crates that are tested by themselves.
CRATES := guest-sdk/rust examples/memory examples/rust-s3 testsuites/guests/rust-exercise testsuites/guests/rust-transform
RUST := PATH=/usr/bin:$$PATH CARGO_TARGET_DIR=$(CURDIR)/build/cargo
DRIVERS := bin/registry-storage-filesystem bin/registry-storage-inmemory

.PHONY: FORCE run build drivers guests guests-others test test-servers test-servers-s3 test-servers-others test-sdks install-others test-long check lint bench fuzz clean tools

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
# testsuites/guestbuild builds them, for tests that run without make as well, those whose sources are younger.
guests: bin/registry-storage-webdav.wasm
	@$(GO) run ./testsuites/guestbuild/guests $(GUESTS)

bin/registry-storage-webdav.wasm: FORCE
	@mkdir -p bin
	@$(GO) run ./testsuites/guestbuild/guests webdav
	@cmp -s build/guests/webdav.wasm $@ || { cp build/guests/webdav.wasm $@.new && mv $@.new $@; }

## guests-others: those in Rust and C, which need their compilers; and the Go guests by TinyGo where that is on PATH
guests-others: install-others
	PATH=/usr/bin:$$PATH $(GO) run ./testsuites/guestbuild/guests $(OTHER_GUESTS)

FORCE:

# $(1) packages of Debian's, or none.
install = [ -z "$(1)" ] || { \
	  if [ "$$(id -u)" = 0 ]; then as=; else as=sudo; fi; \
	  command -v apt-get >/dev/null || { echo "make $@: install $(1): this system has no apt-get to install it with" >&2; exit 1; }; \
	  $$as apt-get install -y --no-install-recommends $(1) || { $$as apt-get update && $$as apt-get install -y --no-install-recommends $(1); }; \
	}

## test: every test that needs Go alone, with -race where there is a C compiler
test: guests
	@[ -n "$(RACE)" ] || echo "make test: no C compiler (or CGO_ENABLED=0): running without -race"
	@failed=; for module in $(MODULES); do \
	  echo "== go test $(RACE) ./... in $$module"; \
	  (cd $$module && $(GO) test $(RACEFLAGS) -timeout 25m ./...) || failed="$$failed $$module"; \
	done; \
	if [ "$$($(GO) env GOOS)/$$($(GO) env GOARCH)" = linux/amd64 ]; then for module in $(TINY); do \
	  echo "== GOARCH=386 go test ./... in $$module"; \
	  (cd $$module && GOARCH=386 CGO_ENABLED=0 $(GO) test -timeout 5m ./...) || failed="$$failed $$module"; \
	done; fi; \
	[ -z "$$failed" ] || { echo "make test: failed in:$$failed" >&2; exit 1; }
	@echo "make test: all passed$(if $(RACE), with -race, without -race). make test-servers adds pushes and pulls with skopeo and crane through bin/berth, killed and restarted, the suite on Apache, versitygw, minio and on the drivers in Python and Node, a look for secrets after every call of a suite run, and the exchange of data with distribution's registry (it installs skopeo, crane, apache2, python3, nodejs, versitygw, minio and that registry)."

## test-servers: the tests with skopeo, crane, Apache's mod_dav, versitygw, minio, distribution's registry, Python and Node, which it installs
test-servers: guests install-others build/e2e/berth $(CRANE) $(REGISTRY) $(VERSITYGW) $(MINIO)
	@missing=; \
	command -v skopeo >/dev/null || missing=skopeo; \
	command -v apache2 >/dev/null || [ -x /usr/sbin/apache2 ] || missing="$$missing apache2"; \
	PATH=/usr/local/bin:/usr/bin:/bin command -v python3 >/dev/null || missing="$$missing python3"; \
	PATH=/usr/local/bin:/usr/bin:/bin command -v node >/dev/null || missing="$$missing nodejs"; \
	$(call install,$$missing)
	@$(MAKE) --no-print-directory --keep-going --output-sync=target -j2 test-servers-s3 test-servers-others

# The compilers of the other SDKs.
install-others:
	@missing=; \
	[ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] || missing="cargo rustc"; \
	[ -d /usr/lib/rustlib/wasm32-unknown-unknown ] || missing="$$missing libstd-rust-dev-wasm32"; \
	[ -x /usr/bin/cargo-fmt ] || missing="$$missing rustfmt"; \
	[ -x /usr/bin/cargo-clippy ] || missing="$$missing rust-clippy"; \
	command -v clang >/dev/null || missing="$$missing clang"; \
	command -v wasm-ld >/dev/null || missing="$$missing lld"; \
	$(call install,$$missing)

## test-sdks: the tests of the SDKs in Rust and C, which need their compilers
test-sdks: install-others $(VERSITYGW)
	@for crate in $(CRATES); do echo "== cargo fmt, clippy, test in $$crate"; \
	  (cd $$crate && $(RUST) cargo fmt --check && $(RUST) cargo clippy --offline --all-targets -- -D warnings && $(RUST) cargo test --offline) || exit 1; \
	done
	cd testsuites/guests && PATH=/usr/bin:$$PATH BERTH_VERSITYGW=$(VERSITYGW) $(GO) test -tags $(TAG) -count=1 -timeout 20m -run '^TestRust|^TestC[GHM]|TestMemoryOfExamples' -skip S3 .
	PATH=/usr/bin:$$PATH $(GO) test -tags $(TAG) -count=1 -timeout 10m -run "NewDriverIn|TutorialInRust" ./cmd/berth

# The two run side by side, and take about as long: both wait for servers a good deal. Suites on guests are without the race detector here: make
# test has each guest and mode under it, but for S3's, whose time is the services'.
test-servers-s3:
	BERTH_VERSITYGW=$(VERSITYGW) BERTH_MINIO=$(MINIO) $(GO) test -tags $(TAG) $(RACEFLAGS) -count=1 -timeout 30m -skip '$(S3_BULK)' ./drivers/s3
	BERTH_VERSITYGW=$(VERSITYGW) BERTH_MINIO=$(MINIO) $(GO) test -tags $(TAG) -count=1 -timeout 30m -run '$(S3_BULK)' ./drivers/s3
	BERTH_VERSITYGW=$(VERSITYGW) $(GO) test -tags $(TAG) -count=1 -timeout 20m ./testsuites/s3bench
	BERTH_VERSITYGW=$(VERSITYGW) $(GO) test -tags $(TAG) -count=1 -timeout 20m -run AWholeSuiteRun ./runtime

test-servers-others:
	BERTH_E2E_BINARY=$(CURDIR)/build/e2e/berth BERTH_E2E_CRANE=$(CRANE) BERTH_E2E_REGISTRY=$(REGISTRY) BERTH_DRIVER_PATH=$(CURDIR)/bin BERTH_VERSITYGW=$(VERSITYGW) BERTH_MINIO=$(MINIO) \
	  $(GO) test -tags $(TAG) $(RACEFLAGS) -count=1 -timeout 30m ./testsuites/e2e/... ./testsuites/interchange/...
	cd testsuites/guests && BERTH_VERSITYGW=$(VERSITYGW) BERTH_MINIO=$(MINIO) $(GO) test -tags $(TAG) -count=1 -timeout 20m -run '$(BEYOND_RACE)|Apache|Versitygw|Minio' .
	$(GO) test -tags $(TAG) $(RACEFLAGS) -count=1 -timeout 20m ./examples/python-sqlite ./examples/node-files
	$(GO) test -tags $(TAG) $(RACEFLAGS) -count=1 -timeout 20m -run OthersKilled ./ipc
	@$(MAKE) --no-print-directory test-sdks

# Without the race detector: what moves hundreds of MiB through one process, of which it makes minutes, and what compares with distribution's driver,
# whose SDK it finds guilty.
S3_BULK := Adopts|Encrypt

# What underRace leaves out in testsuites/guests.
BEYOND_RACE := TestSealConforms/inmemory|TestWormConforms/elsewhere|TestWormConforms/over/inmemory|TestLayerGuestConforms/delegate/inmemory|TestLayerGuestConforms/derived/filesystem|TestCompressConforms/inmemory|TestLayersDoNotWaitForEachOther/^(delegated|derived|derived_above)$$

MODELTIME ?= 1h
## test-long: the long forms of tests that make test has short: streams of 5 GiB, thousands of kills, pairs of faults, and the model, for MODELTIME on each driver
test-long: guests $(VERSITYGW) $(MINIO)
	BERTH_LONG=1 $(GO) test -count=1 -timeout 1h -v -run 'Killed|TestInmemory|TestParts|TestFilesystem' ./drivers/filesystem ./testsuites/faultloop
	BERTH_LONG=1 $(GO) test -count=1 -timeout 1h -v -run 'TestSuite|Kill' ./layers/migrate
	cd testsuites/guests && BERTH_LONG=1 $(GO) test -count=1 -timeout 1h -v -run 'LongStreams|HoldsWhatever' .
	BERTH_LONG=1 BERTH_VERSITYGW=$(VERSITYGW) BERTH_MINIO=$(MINIO) $(GO) test -tags $(TAG) -count=1 -timeout 2h -v -run HoldsWhatever ./drivers/s3
	BERTH_MODEL_TIME=$(MODELTIME) $(GO) test -count=1 -timeout 12h -v -run 'TestInmemory|TestFilesystem' ./testsuites/model/modelrapid
	cd testsuites/guests && BERTH_MODEL_TIME=$(MODELTIME) $(GO) test -count=1 -timeout 12h -v -run GuestModel .

build/e2e/berth: $(HOST_SOURCES)
	@mkdir -p build/e2e
	$(GO) build $(RACEFLAGS) -trimpath -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o $@ ./cmd/berth
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

## bench: wasm against native, wasm and processes against go-plugin, and filesystem and s3 against distribution's drivers, in pairs, with a control of one side against itself
bench: guests install-others $(VERSITYGW)
	cd testsuites/guests && PATH=/usr/bin:$$PATH $(GO) run -tags noasm ./cmd/bench $(BENCHARGS)
	$(GO) test -run '^$$' -bench AgainstDistribution -benchtime 21x ./drivers/filesystem
	PATH=/usr/bin:$$PATH BERTH_VERSITYGW=$(VERSITYGW) BERTH_MINIO=$(MINIO) $(GO) test -tags $(TAG) -run '^$$' -bench 'BesideDistribution|Sandboxed' -benchtime 1x -timeout 1h ./testsuites/s3bench $(S3BENCHARGS)

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

tools: $(LINT) $(CRANE) $(REGISTRY) $(VERSITYGW) $(MINIO)

$(LINT):
	GOBIN=$(dir $@) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

$(CRANE):
	GOBIN=$(dir $@) $(GO) install github.com/google/go-containerregistry/cmd/crane@$(CRANE_VERSION)

$(REGISTRY):
	GOBIN=$(dir $@) $(GO) install github.com/distribution/distribution/v3/cmd/registry@$(REGISTRY_VERSION)

$(VERSITYGW):
	GOBIN=$(dir $@) $(GO) install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION)

$(MINIO):
	GOBIN=$(dir $@) $(GO) install github.com/minio/minio@$(MINIO_VERSION)

## clean: remove what was built; berth-data and quickstart's data stay
clean:
	rm -rf bin build
