# Needs python3 (3.11 or newer) with venv, and node for pyright; everything else is installed into .venv.
.PHONY: setup demo test test-vllm test-verl lint format bench-inference bench-realism clean

STAMP := .venv/.installed

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x .venv/bin/python || python3 -m venv .venv
	.venv/bin/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	.venv/bin/overture run recipes/quickstart.yaml

test: setup
	.ci/stages lint format types+tests

# vLLM's CPU build goes into the cache folder (2.3 GB); OVERTURE_VLLM_URL names a server that runs already instead.
test-vllm: setup
	.ci/stages vllm-install vllm-tests

# verl in a Python of its own, in the cache folder (1.9 GB): its datasets read our exports.
VERL = $(shell .venv/bin/python -c "from inference.weights import cache_folder; print(cache_folder() / 'verl')")
test-verl: setup
	test -x $(VERL)/bin/python || python3 -m venv $(VERL)
	$(VERL)/bin/pip install -q --disable-pip-version-check verl==0.9.1
	OVERTURE_VERL_PYTHON=$(VERL)/bin/python .venv/bin/python -m pytest tests/contracts/test_verl.py

lint: setup
	.ci/stages lint format types

format: setup
	.venv/bin/ruff check -q --fix .
	.venv/bin/ruff format -q .

# The table of docs/benchmarks.md for the inference side: ours, the floor and the limit, pass or short (a quarter of an hour).
bench-inference: setup
	.venv/bin/python benchmarks/inference_speed.py

# The table for realism: features, near-duplicates of a million, embeddings and their cache, selection (half an hour).
bench-realism: setup
	.venv/bin/python benchmarks/realism_speed.py
	.venv/bin/python benchmarks/matching_speed.py

# Runs are data: they stay.
clean:
	rm -rf .venv build *.egg-info .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
