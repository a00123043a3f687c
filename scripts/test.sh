#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All that must pass before a change lands; the first failure stops it.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; }

step "setup"
scripts/setup.sh test

step "format, ruff, mypy"
scripts/lint.sh --quick

step "build"
scripts/build.sh release

step "C++ tests"
ctest --preset release -j "$(nproc)" --progress

step "Python package"
export CCACHE_BASEDIR=$PWD
# The compiler's name and the flags of the release build: ccache has most objects.
CXX=c++ build/venv/bin/pip install --quiet --disable-pip-version-check --no-build-isolation \
  --no-deps -C cmake.define.SALTUS_WERROR=ON .

step "tests of the command line and the Python package"
SALTUS=$PWD/build/saltus build/venv/bin/python -m pytest tests/cli tests/python

step "documentation"
scripts/docs.sh

step "mutants"
scripts/mutation.sh

step "tests of what reads and writes files, under sanitizers"
scripts/sanitize.sh

step "fuzzing of the readers, under sanitizers"
scripts/fuzz.sh 20
