# Every task of this project. `make help` lists them.
.DEFAULT_GOAL := help
BIN := .venv/bin

# Some containers set it, and every process would then compile the packages that it imports.
export PYTHONDONTWRITEBYTECODE :=

# The tests of a file stay together; more processes than this would fight for the memory.
PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadgroup --no-loadscope-reorder

.PHONY: help setup demo browser engines fetched-engines test unit clouds engine-kills faults golden pictures bench bench-quick fuzz sbom docs lint format constraints

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 16

.venv/.ready: constraints.txt setup.py tools/setup.sh .python-version
	@tools/setup.sh

setup: .venv/.ready  ## Build the environment in .venv

data/demo/training: | .venv/.ready
	@$(BIN)/higgs generate --events 200000 --validation-fraction 0.1 --out data/demo

demo: .venv/.ready data/demo/training  ## Generate events and run the whole pipeline on them
	@$(BIN)/higgs run --config configs/demo.yaml

browser:
	@tools/browser.sh

engines: .venv/.ready  ## Fetch Flink and Spark for the engine tests; needs Java and Maven
	@tools/engines/fetch.sh

# Without the engines their tests are skipped, with the reason.
fetched-engines: .venv/.ready
	@tools/engines/fetch.sh || true

test: lint browser fetched-engines  ## Run the linters and every test
	@$(BIN)/pytest $(PARALLEL) --durations=10 -m "not matrix"

unit: .venv/.ready  ## Run every fast test, in 60 to 80 s
	@$(BIN)/pytest $(PARALLEL) -m "not e2e and not slow and not matrix"

clouds: .venv/.ready  ## Run the compiled pipeline as every release of Kubeflow does, with every store
	@$(BIN)/pytest tests/kubeflow/test_compiled_runs.py -k every_release

engine-kills: engines  ## Kill workers of Spark during ingestion, statistics and evaluation
	@$(BIN)/pytest -s tests/engines/test_spark.py

faults: .venv/.ready  ## Make 10,000 writes fail, for hours; resumes; rewrites docs/faults.md
	@PYTHONPATH=.:tests/support $(BIN)/python tests/faults/campaign.py --document

golden: .venv/.ready  ## Rewrite the compiled files that tests compare with; then look at git diff
	@$(BIN)/pytest tests/kubeflow -m "not e2e" -k golden --golden

pictures: .venv/.ready browser  ## Rewrite the pictures of the report that tests compare with
	@$(BIN)/pytest tests/components/report/test_pictures.py --golden

bench: .venv/.ready  ## Measure everything against its peer
	@$(BIN)/python -m benchmarks

bench-quick: .venv/.ready  ## Measure less data in 10 minutes, without training and quality
	@$(BIN)/python -m benchmarks --quick

FUZZ_SECONDS := 60

fuzz: .venv/.ready  ## Fuzz every reader of untrusted data, FUZZ_SECONDS each
	@for target in shard record json manifest configuration tf_config table; do \
		$(BIN)/python tests/fuzz/fuzz.py $$target $(FUZZ_SECONDS) || exit 1; done

sbom: .venv/.ready  ## Write the bill of materials, sbom.cdx.json, from constraints.txt
	@$(BIN)/cyclonedx-py requirements constraints.txt --output-reproducible --output-format JSON \
		--output-file sbom.cdx.json

docs: .venv/.ready  ## Rewrite the tables of docs/configuration.md
	@$(BIN)/python -m tools.configuration_table

lint: .venv/.ready  ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/hadolint kubeflow/Dockerfile kubeflow/Dockerfile.tpu
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.cloudbuild cloudbuild.yaml
	@$(BIN)/mypy

format: .venv/.ready  ## Rewrite the code in the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

constraints: .venv/.ready  ## Remake constraints.txt from setup.py
	UV_CUSTOM_COMPILE_COMMAND="make constraints" $(BIN)/uv pip compile setup.py --extra dev --python-version 3.10 --generate-hashes \
		--no-emit-index-url --output-file constraints.txt --upgrade
