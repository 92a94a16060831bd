# One command each. `make check` is exactly what continuous integration runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := ingest processors runtime schemas segwire sinks
PIN_ANY := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --custom-compile-command 'make pins' --no-config -q
PIN := $(PIN_ANY) pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help setup fmt lint unit test integration e2e chaos soak spike bench-ingest bench-membership ingest-reference run check wheel pins clean
.PHONY: prometheus alerts dashboards pictures helm-tools helm-check image image-checks k8s render sink-kills foreign

help:  ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

setup: $(VENV)/.installed  ## The virtual environment, pinned by hash

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Segwire needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Install one and run: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

fmt: setup  ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup  ## Format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(PACKAGES:%=-p %)
	$(BIN)/mypy -p deploy
	$(BIN)/mypy tests
	$(BIN)/lint-imports

unit: setup  ## Pure tests, in seconds
	$(BIN)/pytest tests/unit tests/property tests/test_tidy.py

integration: setup  ## Against a real Kafka
	$(BIN)/pytest tests/integration

e2e: setup  ## `segwire up` of the built wheel in a fresh environment
	$(BIN)/pytest tests/e2e

chaos: setup  ## 200 seeded runs with processes and brokers killed, frozen and cut off: hours. CHAOS_SEED=N repeats
	$(BIN)/python -m tests.chaos.campaign --runs 200 --messages 1000000

test: setup  ## Every test: most side by side, as they mostly wait; then those that measure how long answers take
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not quiet"
	$(BIN)/pytest -m quiet

soak: setup  ## Ingest through long outages, many kills and 100 000 requests over rotations of keys, about an hour
	SOAK_OUTAGE_S=600 SOAK_KILLS=50 SOAK_STANDSTILLS=20 ROTATION_REQUESTS=100000 $(BIN)/pytest -s \
		tests/integration/test_ingest_outage.py tests/integration/test_ingest_rotation.py

spike: setup  ## Ingest while ten senders start a batch of 20 000 messages each at once, a minute or two
	SPIKE_MESSAGES=20000 SPIKE_CONNECTIONS=100 $(BIN)/pytest -s tests/integration/test_ingest_spike.py

sink-kills: setup  ## Kill each sink 20 times under traffic, some minutes
	SINK_KILLS=20 $(BIN)/pytest -s --timeout 1500 tests/integration/test_sink_postgres.py
	SINK_KILLS=20 $(BIN)/pytest -s --timeout 1500 tests/integration/test_sink_outbound.py

foreign: setup  ## A Go program reads our Avro with the registry's schema, which survives a kill (needs Go; two minutes once)
	$(BIN)/python -m tests.support.foreign
	FOREIGN=all $(BIN)/pytest -s tests/integration/test_schema_registry.py

ingest-reference: setup  ## The tests of the hot route against the ASGI application, which the direct way must equal
	TESTED_HOT_ROUTE=asgi $(BIN)/pytest tests/integration/test_ingest.py tests/integration/test_ingest_contract.py \
		tests/integration/test_ingest_limits.py

bench-ingest: setup  ## The ingest endpoint beside FastAPI, Go and Bento (needs Go; Bento is built for ten minutes, once)
	$(BIN)/python benchmarks/ingest.py --phases 64 256 rate half

bench-membership: setup  ## The membership processor beside Kafka Streams and Quix Streams (needs Maven and a JDK)
	$(BIN)/python benchmarks/membership.py

prometheus: setup  ## A Prometheus below the user's cache where none is installed (Debian, Ubuntu; no root)
	$(BIN)/python -m tests.support.prometheus

alerts: setup prometheus  ## Each alert in a case where it fires and in one where it does not
	ALERTS=all $(BIN)/pytest tests/integration/test_promtool.py

dashboards: setup prometheus  ## Every query of every dashboard against a real Prometheus and a real pipeline
	$(BIN)/python -m tests.dashboards.live

pictures: setup prometheus  ## The pictures of the README, from what the dashboards' queries answer about a run of ten minutes
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements/pictures.txt
	$(BIN)/python -m tests.dashboards.pictures

helm-tools: setup  ## Helm, kubeconform and schemas below the user's cache (needs Go; minutes)
	$(BIN)/python -m tests.kubernetes.tools

helm-check: helm-tools  ## The chart: lint, schemas, and what Segwire itself reads of it
	$(BIN)/pytest tests/integration/test_helm_chart.py tests/unit/deploy/test_helm.py

image: setup  ## The image, with podman (Debian: podman buildah runc; mmdebstrap where no registry is)
	deploy/image/build.sh

image-checks: image  ## Hadolint on the Containerfile, and dist/*.cdx.json: what the image consists of
	$(BIN)/python -m tests.kubernetes.image_checks

k8s: setup  ## The chart: checks, a real API server, then real nodes under traffic (root; first time half an hour)
	$(BIN)/python -m tests.kubernetes.prove

render: setup  ## Dashboards, rules, contracts and the chart's files anew from the code
	$(BIN)/python -m runtime.settings_reference > docs/CONFIGURATION.md
	$(BIN)/python -m deploy.grafana.render
	$(BIN)/python -m deploy.prometheus.render > deploy/prometheus/rules.yaml
	$(BIN)/python -m deploy.helm.render
	$(BIN)/segwire topics render --format asyncapi > docs/asyncapi.yaml
	$(BIN)/python -m segwire.contracts.openapi > docs/openapi.json
	$(BIN)/python -m segwire.contracts.topics_page

run: setup  ## The whole pipeline on this machine, with sample traffic
	$(BIN)/segwire up --demo

check: lint  ## What continuous integration runs: lint, then the README's own test command
	sh -ec "$$($(BIN)/python tests/readme_command.py test)"

wheel: setup  ## dist/*.whl
	$(BIN)/python -m hatchling build -t wheel

pins:  ## Pin the dependencies again (needs uv)
	$(PIN) --extra traces -o requirements/service.txt
	$(PIN) --extra traces --extra local -c requirements/service.txt -o requirements/local.txt
	$(PIN) --extra traces --extra local --extra containers --group dev -c requirements/local.txt -o requirements/dev.txt
	$(PIN_ANY) --group pyproject.toml:pictures -c requirements/dev.txt -o requirements/pictures.txt

clean:  ## Forget the environment and the local data
	rm -rf $(VENV) .segwire dist
