#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# report.sh DIR: a page about the run in DIR, by the Python package, which is built if it must be.
# A run is none the worse without: where Python or its packages cannot be had, that is said.
set -euo pipefail
cd "$(dirname "$0")/.."
export CCACHE_BASEDIR=$PWD  # the objects of build/saltus serve the package, made by a compiler of the same name
built=build/venv/saltus-built

build_package() {
  scripts/setup.sh report &&
    CXX=c++ build/venv/bin/pip install --quiet --disable-pip-version-check --no-build-isolation \
      --no-deps -C cmake.define.SALTUS_WERROR=ON . &&
    touch "$built"
}

if [[ ! -f $built || -n $(find python src include scripts/requirements-report.txt -newer "$built" -print -quit) ]]; then
  echo "building the Python package, which draws the page"
  if ! build_package; then
    echo "no page was drawn: the Python package could not be built; build/saltus report $1 draws it"
    exit
  fi
fi
build/saltus report "$1"
