# Clickmeter: `make run` serves it, `make test` proves it. Needs Python 3.11 or newer and make.
.DEFAULT_GOAL := help
BIN := .venv/bin

.PHONY: help run demo test test-long lint types openapi browser lock audit bench trust clean
PIP_AUDIT := pip-audit==2.10.1
# The tests start hundreds of servers, each of four or more processes: without bytecode each compiles all modules anew.
unexport PYTHONDONTWRITEBYTECODE
# Most of a test's time is a server's, or a wait: three processes for two cores.
WORKERS := $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) * 3 / 2 )))

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/run.done ## Serve on http://127.0.0.1:8000, with a first property and ready lines to try it
	@$(BIN)/clickmeter run

demo: .venv/run.done ## Serve 90 days of made-up but realistic data
	@$(BIN)/clickmeter demo

test: lint types ## Run every check and every test
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

test-long: .venv/test.done ## The same histories, many more of them
	CLICKMETER_TEST_EXAMPLES=long $(BIN)/pytest -n $(WORKERS) --dist worksteal

lint: .venv/test.done
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: .venv/test.done
	$(BIN)/mypy
	cd client && ../$(BIN)/mypy

openapi: .venv/test.done ## Write docs/openapi.json anew from the code
	$(BIN)/python -m clickmeter.web.openapi > docs/openapi.json

browser: .venv/test.done ## Build tracker and dashboard into the package; needs Node 20, or gets it from PyPI
	@PYTHON=$(BIN)/python scripts/node.sh npm ci --no-audit --no-fund
	@PYTHON=$(BIN)/python scripts/node.sh npm run build --workspaces --if-present

bench: .venv/test.done ## Measure ingest and reports on this machine; ENGINE=postgres or chdb, QUICK=1
	$(BIN)/python -m bench

trust: .venv/test.done ## Try every promise, beside a build that breaks it; FULL=1 for the long run
	PYTHONPATH=tests:tests/contract $(BIN)/python -m trust

lock: .venv/test.done ## Renew the lock files from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--python-version 3.11 pyproject.toml scripts/build.in -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--python-version 3.11 pyproject.toml scripts/build.in --extra geo --extra postgres --extra clickhouse --extra chdb --group dev -c requirements.lock -o requirements-dev.lock

audit: .venv/test.done ## Look for known vulnerabilities, and write dist/sbom.json
	mkdir -p dist
	$(BIN)/python scripts/sbom.py requirements.lock pyproject.toml > dist/sbom.json
	$(BIN)/uv tool run --from $(PIP_AUDIT) pip-audit --strict --require-hashes --disable-pip -r requirements.lock
	npm audit

clean: ## Remove the virtual environment and every cache
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/run.done: requirements.lock pyproject.toml scripts/venv.sh
	@echo "Setting up .venv (once, under a minute) ..."
	@scripts/venv.sh requirements.lock .
	@touch $@

.venv/test.done: requirements-dev.lock pyproject.toml client/pyproject.toml scripts/venv.sh
	@echo "Setting up .venv with what the tests need (once) ..."
	@scripts/venv.sh requirements-dev.lock . client
	@touch $@ .venv/run.done
