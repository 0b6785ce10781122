# Two commands do everything on a bare Debian 12: `make run` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help setup build run cluster cluster-stop test check bench crash simulate oracle fuzz tsan format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## install what is missing (compiler, libraries, Go)
	@scripts/setup build

build: setup ## build the program: build/release/myelin
	@scripts/build release myelin

run: build ## build and start a server on http://localhost:8008, data in ./data
	@exec build/release/myelin serve --data data

cluster: ## a cluster on this machine, in the background: two processes of each role behind a proxy; PORT=n
	@scripts/setup cluster && scripts/build release myelin && scripts/cluster start $(if $(PORT),--port $(PORT))

cluster-stop: ## end it; its data stays in ./cluster
	@scripts/cluster stop

test: ## install what is missing, build, and run every test
	@scripts/test

check: ## format, lint of changed files, includes against the layering, file sizes
	@scripts/setup build
	@scripts/check

bench: build ## speed and memory tables (figures, never a pass or fail): WORLD=cluster|postgres|nats SECONDS_EACH=n ONLY=case
	@scripts/bench

crash: build ## kill -9 and power-cut audit: CYCLES=n POWER=n SEED=s; WORLD=cluster FAULTS=n
	@scripts/crash

simulate: ## many processes in one thread, with faults, by seed: SEEDS=n SEED=s
	@scripts/setup build && scripts/simulate

oracle: ## state resolution and auth against the oracles: DAGS=n AUTH=n SEED=s
	@scripts/setup build && scripts/oracle

fuzz: ## every fuzz target for MINUTES=n (default 1)
	@scripts/setup build && scripts/fuzz

tsan: ## the tests under ThreadSanitizer
	@scripts/setup test && scripts/build tsan all && ctest --test-dir build/tsan --output-on-failure

format: ## format every source file
	@git ls-files '*.cc' '*.h' | xargs clang-format-19 -i

clean: ## remove what was built (data stays)
	rm -rf build
