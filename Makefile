# `make` lists what there is. Variables may be given to any of them, as in `make run PORT=8001`.

PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3),python3)
VENV ?= .venv
BIN := $(VENV)/bin
ORG ?= acme
AGENT ?= agent-1
ROLE ?= owner
AMOUNT ?= 19.99
# The suite takes two processes, a file at a time, each with servers of its own. One process, as with
# WORKERS=0, is for servers that are given: they are one set, which only one suite can use.
WORKERS ?= $(if $(DATABASE_URL)$(NATS_URL),0,2)

.DEFAULT_GOAL := help
.PHONY: help run ui demo buy travel test check fix bench pictures chaos audit contracts token credentials clean local dev

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: local ## Start everything: servers, services, gateway (PORT, BILLING_HOME; ARGS=--help)
	@exec $(BIN)/python -m deploy.local --page --stop-with-parent $(ARGS)

ui: local ## Build the web page, if it has changed (ARGS=--help)
	@exec $(BIN)/python -m deploy.frontend $(ARGS)

demo: local ## Fill a page as a customer would, replay calls as agents would (ARGS=--help)
	@exec $(BIN)/python -m deploy.demo $(ARGS)

buy: dev ## Buy credits as a person would, on the hosted page (ORG, AMOUNT; ARGS=--help)
	@TOKEN="$$($(BIN)/python -m services.gateway.tokens --organization '$(ORG)' --role '$(ROLE)')" \
		$(BIN)/python -m tests.journeys.buy_credits '$(AMOUNT)' --organization '$(ORG)' $(ARGS)

travel: local ## Move what `make run` started forward in time (TO=2027-01-31; ARGS="--days 31")
	@exec $(BIN)/python -m deploy.time_machine $(if $(TO),--to '$(TO)') $(ARGS)

test: dev ## Run the whole test suite (WORKERS; ARGS="tests/gateway -x")
	@exec $(BIN)/python -m pytest $(if $(filter-out 0,$(WORKERS)),-n $(WORKERS) --dist loadfile) $(ARGS)

check: dev ## Check format, style, types, boundaries
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/architecture

fix: dev ## Format, and correct what can be corrected
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: dev ## Measure, and write a report (ARGS=--help)
	@exec $(BIN)/python -m tests.bench $(ARGS)

pictures: dev ## Take pictures of every page and dialog, in var/pictures (ARGS=--help)
	@exec $(BIN)/python -m tests.frontend.pictures $(ARGS)

chaos: dev ## Kill everything again and again, and count every cent (ARGS=--help)
	@exec $(BIN)/python -m tests.chaos $(ARGS)

audit: local ## See what the auditor found (ARGS=--help; ARGS="explain ID", "release ORG ...", "verify ORG")
	@exec $(BIN)/python -m deploy.audit $(or $(ARGS),show)

contracts: dev ## Write the OpenAPI and AsyncAPI documents anew
	@exec $(BIN)/python -m deploy.contracts $(ARGS)

token: local ## Make a token for the gateway (ORG, ROLE; ARGS=--operator)
	@exec $(BIN)/python -m services.gateway.tokens --organization '$(ORG)' --role '$(ROLE)' $(ARGS)

credentials: local ## Make a bus credential for an agent (ORG, AGENT; ARGS=--help)
	@exec $(BIN)/python -m deploy.credentials --organization '$(ORG)' --agent '$(AGENT)' $(ARGS)

clean: ## Delete the virtual environment and caches; the data in var stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

local:
	@exec $(PYTHON) deploy/install.py $(VENV) --extra local

dev:
	@exec $(PYTHON) deploy/install.py $(VENV) --extra local --extra test
