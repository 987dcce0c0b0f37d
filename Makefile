# `make` is what must be green before a change is finished. Every step stands alone.
GO    ?= go
TOOL  := $(GO) tool -modfile=tools/tools.mod

.PHONY: all build format-check format vet lint generate generated-check asm asm-check test arm64 race long chaos race-runs seeds accept bench fuzz clean

all: format-check vet lint generated-check asm-check build test race

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/qpipe .

format:
	$(TOOL) gofumpt -w $$(git ls-files '*.go')

format-check:
	@out="$$($(TOOL) gofumpt -l $$(git ls-files '*.go'))"; if [ -n "$$out" ]; then echo "not formatted (make format):"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...
	cd ops/kernel/gen && $(GO) vet ./...

lint:
	$(TOOL) golangci-lint run ./...

# The reference pages are written by the program itself, from the Catalog and the grammars.
generate: build
	./bin/qpipe docs docs

generated-check: build
	@tmp="$$(mktemp -d)" && cp -r docs/. "$$tmp" && ./bin/qpipe docs "$$tmp" && diff -r docs "$$tmp" >/dev/null || { echo "docs/ is not current (make generate)"; exit 1; }

# The assembly of the kernel sets, and the Go code that is the same in both, is written by the nested module
# ops/kernel/gen.
asm:
	cd ops/kernel/gen && $(GO) run . -out ..

asm-check:
	@tmp="$$(mktemp -d)" && mkdir "$$tmp/avx2" "$$tmp/avx512" && (cd ops/kernel/gen && $(GO) run . -out "$$tmp") && \
	for f in "$$tmp"/*/*; do cmp -s "$$f" "ops/kernel/$${f#"$$tmp"/}" || { echo "ops/kernel/$${f#"$$tmp"/} is not current (make asm)"; exit 1; }; done

test:
	$(GO) test ./...

# The kernels on another architecture, where qemu-user is installed.
arm64:
	@if command -v qemu-aarch64 >/dev/null; then set -x; GOARCH=arm64 $(GO) test -short -exec qemu-aarch64 ./ops/kernel/...; \
	else echo "qemu-aarch64 is not installed: the kernels were not tested on arm64"; fi

race:
	$(GO) test -race ./infer ./interp/... ./stdlib/callbacks ./stdlib/datasets
	$(GO) test -race -run 'Threads|EveryOp(Backward|Int8|InPieces)' ./ops/engine

# Proofs that take minutes: the 30 kills, all steps of the training traces, accuracies and pipelines on real data, and
# int8 models read by a second implementation (QPIPE_PYTHON, or python3, with NumPy). Then the campaigns of chaos, in short.
# SKIP leaves tests out.
SKIP ?= ^$$
long: build
	QPIPE_LONG=1 $(GO) test -timeout 120m -count=1 -v -skip '$(SKIP)' -run 'Kill|Anchor|Mutations|Trained|Readback|Pages|Extremes|MemoryOfStages|Hostile|NoFused|Dump|WrittenNets|Light|Logs|Sets|FormatKeeps|NotFiles|Screen' ./...

	$(GO) run ./tools/chaos -binary bin/qpipe -seed $(SEED) -budget 90s

# What docs/reliability.md promises, from outside: kills, full disks, failing system calls, damaged and hostile files.
# ONLY=damage,kills chooses campaigns.
SEED   ?= 1
BUDGET ?= 10m
chaos: build
	$(GO) run ./tools/chaos -binary bin/qpipe -seed $(SEED) -budget $(BUDGET) -only '$(ONLY)'

# Whole runs with the race detector (which needs cgo): the quick start and MNIST, interrupted and continued.
race-runs:
	CGO_ENABLED=1 $(GO) build -race -trimpath -o bin/qpipe-race .
	$(GO) run ./tools/chaos -binary bin/qpipe-race -race bin/qpipe-race -jobs 1 -only races

# What every pipeline on built-in data reaches with the seeds 0 to SEEDS-1, as tables. With QPIPE_LONG=1 those on real
# data too; ONLY=mnist_small chooses.
SEEDS ?= 20
seeds:
	QPIPE_SEEDS=$(SEEDS) $(GO) test -timeout 6h -count=1 -run 'TestSeeds/$(ONLY)' -v .

# The acceptance pipelines, from the built binary.
accept: build
	./.ci/accept ./bin/qpipe

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1s ./ops/...

# Every fuzz target in turn. Without -fuzzminimizetime Go spends the time on making inputs smaller.
FUZZTIME ?= 20s
fuzz:
	for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do \
	$(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$p || exit 1; done; done

clean:
	rm -rf bin
