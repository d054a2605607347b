# Thin aliases: everything is in `python3 -m churn`.
PYTHON ?= python3

.PHONY: run test bench lint setup
run test bench lint setup:
	@$(PYTHON) -m churn $@ $(ARGS)
