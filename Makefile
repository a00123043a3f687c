# SPDX-License-Identifier: Apache-2.0
# The front door; the work is done in scripts/ and CMakePresets.json.
.DEFAULT_GOAL := help
.PHONY: help build yinyang test docs mutation asan tsan format lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

build: ## the command build/saltus, after installing what is missing
	@scripts/setup.sh build
	@scripts/build.sh command

yinyang: build ## train on the Yin-Yang data set, and draw a page about it
	build/saltus train yinyang --out runs/yinyang
	@scripts/report.sh runs/yinyang

test: ## everything that must pass: C++, command line, Python, format, mutants
	@scripts/test.sh

docs: ## build/site: guides and the references of Python and C++, warnings as errors
	@scripts/setup.sh test
	@scripts/docs.sh

mutation: ## with any one term of the adjoint deleted, the gradient test must fail
	@scripts/setup.sh test
	@scripts/mutation.sh

asan: ## C++ tests under the address and undefined-behaviour sanitizers
	@scripts/setup.sh test
	@scripts/build.sh asan
	ctest --preset asan -j "$$(nproc)"

tsan: ## C++ tests under the thread sanitizer
	@scripts/setup.sh test
	@scripts/build.sh tsan
	ctest --preset tsan -j "$$(nproc)"

format: ## format C++ and Python in place
	@scripts/setup.sh lint
	@scripts/lint.sh --fix

lint: ## format check, clang-tidy, ruff, mypy
	@scripts/setup.sh lint
	@scripts/lint.sh

clean: ## remove all build trees
	rm -rf build build-*/
