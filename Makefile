# make demo   install into .venv and print the table of the two baselines on real footage
# make test   the tests
# make fast   the tests that take less than a second or two each, and need no browser
# make check  ruff, and mypy --strict on the installed package
# make pages  anew what is made of results/runs, of the weights and of docs/evidence: the leaderboard, tables, a picture
# make docs   the documentation and the leaderboard, in build/docs/index.html; a warning is an error
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin

.PHONY: demo test fast check types pages docs clean
.DELETE_ON_ERROR:

demo: $(VENV)/demo.stamp
	$(BIN)/vpbench run --model last_frame --model optical_flow --split demo

test: $(VENV)/dev.stamp
	$(BIN)/pytest

fast: $(VENV)/dev.stamp
	$(BIN)/pytest -n auto --dist worksteal -m "not slow and not browser"

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) types

pages: $(VENV)/dev.stamp
	$(BIN)/vpbench standings results/runs
	$(BIN)/python docs/tables
	$(BIN)/python docs/pictures/occlusion.py

# On the package as it is installed, whose folders have other names than those of the checkout.
types: $(VENV)/dev.stamp
	rm -rf build/installed
	$(BIN)/pip install --quiet --no-deps --target build/installed .
	cd build/installed && $(abspath $(BIN))/mypy --cache-dir ../../.mypy_cache --config-file ../../pyproject.toml --package vpbench

docs: $(VENV)/dev.stamp
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs
	$(BIN)/vpbench site results/runs --out build/docs/leaderboard --docs ../index.html

# The constraints pin what these commands install; pyproject.toml's own ranges are wider.
$(VENV)/%.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@
$(VENV)/demo.stamp: EXTRAS = demo
$(VENV)/dev.stamp: EXTRAS = cluster,demo,dev,docs,figures,learn,parquet,tensorboard

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vpbench needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "This Python cannot make virtual environments; on Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist *.egg-info
