# okuru. `make help` tells what there is.

CARGO ?= cargo
NO_STD_TARGETS = thumbv7em-none-eabi wasm32-unknown-unknown
FUZZ_TARGETS = reply syntax content sasl connection receiver pair pop3 route spf dkim dmarc
FUZZ_SECONDS ?= 60
CARGO_FUZZ = 0.13.1

.DEFAULT_GOAL := help
.PHONY: help demo test bench instructions format lint docs unit corpus fuzz no-std servers targets python python-release django wheels venv node node-build npm

help: ## Tell what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## Send three real messages to a server in the same process, and show the dialogue
	$(CARGO) run --locked --quiet --release -p okuru-cli -- demo

test: format lint docs no-std corpus servers unit python node ## Everything that has to pass: style, docs, no_std builds, every test, real servers

bench: ## Measure clients beside lettre, mail-send and smtp-source, servers beside smtp-sink, aiosmtpd and smtp-server, direct delivery beside Postfix (some 20 minutes)
	tests/servers/install
	$(MAKE) python-release
	python3 benches/bench.py
	python3 benches/servers.py
	python3 benches/direct.py

instructions: ## Count instructions a message under callgrind
	python3 benches/bench.py --instructions

format: ## Check the formatting
	$(CARGO) fmt --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check

lint: ## Clippy, warnings denied
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	$(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml --all-targets -- -D warnings

docs: ## rustdoc, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --all-features --no-deps

no-std: targets ## Build the core for machines without an operating system, with and without its features
	for target in $(NO_STD_TARGETS); do \
	    $(CARGO) build --locked -p okuru-core --target $$target && \
	    $(CARGO) build --locked -p okuru-core --target $$target --no-default-features || exit 1; \
	done

unit: servers ## Every test of the workspace
	$(CARGO) test --locked --workspace --all-features
	$(CARGO) test --locked --release -p okuru --test large

node: servers node-build ## Every test of the packages for Node.js, in Node.js, Deno, Bun, workerd and Chromium
	cd bindings-node && node --test test/engines.test.mjs test/vectors.test.mjs test/packages.test.mjs test/types.test.mjs
	cd bindings-node && for engine in native wasm; do \
	    OKURU_ENGINE=$$engine node --expose-gc --test test/real-servers.test.mjs test/direct.test.mjs test/driver.test.mjs || exit 1; \
	done
	cd bindings-node && node --test test/runtimes.test.mjs

node-build: targets ## Build the addon, the module in WebAssembly and the driver over both
	cd bindings-node && npm install --silent --no-save
	$(CARGO) build --locked --release -p okuru-node
	node bindings-wasm/scripts/build.mjs
	cd bindings-node && npm run --silent build && node_modules/.bin/tsc -p .

npm: node-build ## Pack the packages for npm, in target/npm
	node bindings-node/scripts/pack.mjs

corpus: ## What fuzzing has found worth keeping, through its targets
	$(CARGO) test --locked --manifest-path fuzz/Cargo.toml

fuzz: ## Fuzz each target for FUZZ_SECONDS (60)
	$(CARGO) fuzz --version 2>&1 | grep -qF 'cargo-fuzz $(CARGO_FUZZ)' || \
	    $(CARGO) install cargo-fuzz --locked --version $(CARGO_FUZZ)
	for target in $(FUZZ_TARGETS); do \
	    mkdir -p fuzz/target/corpus/$$target && \
	    RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --sanitizer none $$target fuzz/target/corpus/$$target fuzz/corpus/$$target -- \
	        -max_total_time=$(FUZZ_SECONDS) -max_len=1024 -timeout=10 -verbosity=0 || exit 1; \
	done

python: servers venv ## Build the Python package, check its types and stubs, and test it
	$(CARGO) build --locked --workspace --all-features --bins
	cd bindings-python && .venv/bin/maturin develop --locked --quiet && .venv/bin/mypy && \
	    MYPYPATH=python .venv/bin/python -m mypy.stubtest okuru._okuru && \
	    .venv/bin/python -X dev -m pytest -q

python-release: venv # as it is released: what the bench measures
	cd bindings-python && .venv/bin/maturin develop --locked --quiet --release

django: python-release ## Test the Django backend with each version of Django that an interpreter here can run
	cd bindings-python && .venv/bin/python django_matrix.py

wheels: venv ## Build the Python wheel and sdist, and send a message with each from a clean environment
	$(CARGO) build --locked -p okuru-cli
	cd bindings-python && .venv/bin/python wheels.py

venv:
	test -x bindings-python/.venv/bin/python || python3 -m venv bindings-python/.venv
	bindings-python/.venv/bin/pip install --quiet --disable-pip-version-check -r bindings-python/requirements.txt

servers: ## Install the real mail servers that the tests start, and try them
	tests/servers/install
	tests/servers/selftest.py

targets:
	rustup target add $(NO_STD_TARGETS)
