# What a newcomer needs: make demo, make test. Each target is one line; the first use builds .venv from the hashed lock.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-system bench bench-collector bench-codes bench-peers evaluate endurance fuzz check lock messages witness-page clean

demo: .venv/ready ; $(BIN)/c1kiosk demo $(if $(AUTO),--auto) $(if $(TRAINING),--training) $(if $(OUT),--out $(OUT))
test: .venv/ready ; $(BIN)/pytest
test-system: .venv/ready ; PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/system/run.sh
bench: .venv/ready ; $(BIN)/python -m tests.bench
bench-codes: .venv/ready ; $(BIN)/python -m tests.bench.codes
bench-collector: .venv/ready ; $(BIN)/python -m tests.bench.collector $(KIOSKS) && $(BIN)/python -m tests.bench.night
bench-peers: .venv/ready ; bash tests/peers/run.sh
evaluate: .venv/system ; $(BIN)/python -m tests.evaluation $(if $(FIELDS),--fields $(FIELDS)) $(if $(LEVELS),--levels $(LEVELS)) $(if $(CROPS),--crops $(CROPS))
endurance: .venv/system ; $(BIN)/python -m tests.endurance
fuzz: .venv/fuzz ; $(BIN)/python -m tests.fuzz $(FOR)
check: .venv/ready ; $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
lock: ; bash requirements/lock.sh
messages: .venv/ready ; for po in firmware/messages/*/LC_MESSAGES/*.po; do $(BIN)/pybabel -q compile -i $$po -o $${po%.po}.mo; done
witness-page: ; bash firmware/signing/witness/web/build.sh
clean: ; rm -rf .venv build dist

.venv/ready: requirements/dev.txt pyproject.toml ; $(PYTHON) -m venv .venv && $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $< && $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . && touch $@
.venv/system: requirements/system.txt .venv/ready ; $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $< && touch $@
.venv/fuzz: requirements/fuzz.txt .venv/ready ; $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $< && touch $@
