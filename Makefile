# `make` prints this help. Each target sets up what it needs.
PYTHON ?=
ARGS ?=
LOADTEST := .venv/bin/loadtest

.DEFAULT_GOAL := help
.PHONY: help setup dev quick wrk-all report doctor test check format lock clean docs schemas bench-self
.PHONY: server bench wrk-compose down test-compose test-fast attack agents agents-demo test-machines

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {sub("%", "<server>", $$1); printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv from the lock file, install wrk if it is missing (PYTHON=python3.13 for another)
	@PYTHON=$(PYTHON) scripts/setup

dev: ## The same, and what tests and checks need
	@PYTHON=$(PYTHON) scripts/setup dev

quick: setup ## A first look: six servers in five minutes
	@$(LOADTEST) run quick $(ARGS)

wrk-all: setup ## The full matrix: every server at every endpoint (75 to 90 min; ARGS='--rounds 1' for less)
	@$(LOADTEST) run standard $(ARGS)

wrk-%: setup ## The full matrix for one server, e.g. make wrk-uvicorn
	@$(LOADTEST) run standard --server $* $(ARGS)

serve-%: setup ## Run one server with its services in the foreground, e.g. make serve-uvicorn
	@$(LOADTEST) serve $* $(ARGS)

server: setup ## Run only the upstream that HTTP clients are measured against, until Ctrl-C
	@$(LOADTEST) clients --serve $(ARGS)

bench: setup ## Compare HTTP clients: the three published experiments (ARGS='--rounds 3' for less)
	@status=0; for preset in asyncio-clients reuse threads-vs-asyncio; do \
	    $(LOADTEST) clients $$preset --make-environments $(ARGS) || status=$$?; \
	    [ $$status -lt 2 ] || break; done; exit $$status

up-%: setup ## One server with its services in containers on localhost:8000, e.g. make up-uvicorn
	@[ -e servers/$*.toml ] || { echo "there is no servers/$*.toml; $(LOADTEST) list servers" >&2; exit 2; }
	@$(MAKE) --no-print-directory down
	@env $$(.venv/bin/python -m loadtest.bench.servers.compose.stack) docker compose --profile $* up --build --detach --wait

down: ## Remove what make up-<server> started
	@docker compose --profile '*' down --volumes --remove-orphans --timeout 1

wrk-compose: setup ## The full matrix in containers, one server at a time (hours; ARGS='--rounds 1' for less)
	@$(LOADTEST) run standard --launcher compose $(ARGS)

report: setup ## Write the newest run's reports again (ARGS=results/RUN for another)
	@$(LOADTEST) report $(ARGS)

agents: setup ## Add to .venv what runs over several machines need (docs/machines.md)
	@PYTHON=$(PYTHON) scripts/setup agents

agents-demo: agents ## A run whose load two agents make, on this machine
	@scripts/agents-demo $(ARGS)

doctor: setup ## Check this machine for what would spoil a run
	@$(LOADTEST) doctor

test: ## Run the tests, three files at a time (ARGS='-k warden' for some)
	@PYTHON=$(PYTHON) scripts/setup dev chromium
	@.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: dev ## Run the tests that take a minute, two at a time: no real servers, browser or simulation
	@.venv/bin/python -m pytest -n 2 -m 'not real and not browser and not docker and not slow' $(ARGS)

test-compose: dev agents ## Try all profiles on a Docker engine of its own (root, Debian; ARGS='-k uvicorn' for some)
	@tests/compose/engine .venv/bin/python -m pytest tests/compose tests/bench/servers/test_compose_file.py $(ARGS)

test-machines: dev agents ## Try runs over several hosts, as network namespaces (root, Linux; ARGS='-k killed' for some)
	@LOADTEST_MACHINES=1 .venv/bin/python -m pytest tests/machines tests/bench/agents tests/cli/test_agents.py $(ARGS)

attack: dev ## Attack the tool at random: files, arguments, kills, environments; two hours or three (ARGS='readers --share 0.01')
	@PYTHONPATH=.:tests/support .venv/bin/python -m attack $(ARGS)

check: dev ## Run the linters, the type checks and the contracts of which room may import which
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: dev ## Format the code
	@.venv/bin/ruff check --fix --quiet
	@.venv/bin/ruff format

docs: setup ## Write the generated parts of README and docs/, and the JSON Schemas, again
	@.venv/bin/python docs/write.py

schemas: setup ## Write the JSON Schemas alone
	@.venv/bin/python docs/schema.py docs/schemas

bench-self: setup ## Measure the tool itself: its cost, its reports, its power (half an hour)
	@.venv/bin/python -m benchmarks.overhead
	@.venv/bin/python -m benchmarks.render
	@.venv/bin/python -m benchmarks.power $(ARGS)

COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --no-header --upgrade

lock: setup ## Resolve the dependencies again; names no registry
	$(COMPILE) --group app --group servers --group clients --group serve --group image --group setup \
	    pyproject.toml --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock --group dev --output-file requirements-dev.lock
	$(COMPILE) --constraint requirements.lock --extra distributed pyproject.toml \
	    --output-file requirements-agents.lock
	for group in clients niquests; do $(COMPILE) --constraint requirements.lock --group $$group \
	    --output-file loadtest/bench/clients/drivers/$$group.lock || exit; done

clean: ## Remove .venv and caches; results stay
	rm -rf .venv .clients .loadtest .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
