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
  format asan tsan coverage crash-test cluster-test simulate mutants \
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

# The release before: a git ref. Further arguments: UPGRADE_ARGS="--seed 7".
FROM ?= 8f60d66
UPGRADE_ARGS ?=
.PHONY: upgrade-test
upgrade-test: configure ## Replicas of FROM=REF, the release before, beside these: upgrade and rollback; 6 minutes and the builds.
	@cmake --build build/$(PRESET) --parallel $(JOBS) --target hail-sim hail-check rider-service driver-service
	@old=$$(tests/upgrade/build-release $(FROM) $(JOBS)); \
	/usr/bin/python3 -B tests/upgrade/upgrade_test.py --bin build/$(PRESET)/bin --old $$old --from $(FROM) $(UPGRADE_ARGS)

demo: build ## A simulated city for under a minute, with a verdict.
	@tests/tools/demo build/$(PRESET)/bin

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
bench: configure ## Hail beside the least its calls could cost and beside PostgreSQL; a table, and build/bench/report.json.
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
hostile: build ## Hostile clients beside a well-behaved rider and driver, for some minutes.
	@/usr/bin/python3 -B tests/clients/hostile_client_test.py build/$(PRESET)/bin --rounds $(ROUNDS) --heavy $(HEAVY)

$(BUF):
	@command -v npm >/dev/null || { echo "lint: buf comes with npm; install node and npm first" >&2; exit 1; }
	@npm install --silent --no-fund --no-audit --prefix $(TOOLS) @bufbuild/buf@$(BUF_VERSION)

lint: setup-checks $(BUF) ## buf lint on the contract, clang-format on the code.
	@cd proto && ../$(BUF) lint && echo "lint: proto/ is clean"
	@$(CXX_FILES) | xargs -0 --no-run-if-empty clang-format --dry-run -Werror && echo "lint: the code's format is clean"

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

# Nothing is installed where the programs are there, from wherever they come.
setup-deploy: setup
	@PATH=$$PATH:/usr/sbin; for program in docker-compose go haproxy promtool; do \
	  command -v $$program >/dev/null || { deploy/setup deploy/apt-packages-deploy.txt; break; }; done

check-deploy: setup-deploy ## What is in deploy/, read strictly by the programs and types it is for; nothing is run.
	@tests/deploy/check

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
