#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# setup.sh build|test|lint: installs what is missing for that, and nothing else.
#   build  compiler, CMake, Ninja, libraries
#   test   the same, test libraries, Doxygen and the Python environment build/venv
#   lint   the same and the clang tools
set -euo pipefail
cd "$(dirname "$0")/.."

goal=${1:-build}
case $goal in build | test | lint) ;; *) sed -n '3,6s/^# //p' "$0"; exit 2 ;; esac

# --- system packages ---------------------------------------------------------------------------
runs() { "$@" >/dev/null 2>&1; }
cmake_is_new() {
  local version
  version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')
  [[ -n $version && $(printf '%s\n' 3.25 "$version" | sort -V | head -n 1) == 3.25 ]]
}

# Programs count wherever they come from (CMake from pip, for instance).
wanted=()
runs g++ --version || wanted+=(g++)
cmake_is_new || wanted+=(cmake)
runs ninja --version || wanted+=(ninja-build)
wanted+=(libcli11-dev libfmt-dev libhdf5-dev libhwy-dev libtbb-dev nlohmann-json3-dev zlib1g-dev librandom123-dev)
if [[ $goal != build ]]; then
  wanted+=(libgtest-dev libgmock-dev librapidcheck-dev)
  runs python3 --version || wanted+=(python3)
  runs python3 -c 'import ensurepip, venv' || wanted+=(python3-venv)
  runs python3 -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' ||
    wanted+=(python3-dev)
  wanted+=(ccache clang-format-14)
  runs doxygen --version || wanted+=(doxygen)
fi
[[ $goal != lint ]] || wanted+=(clang-14 clang-tidy-14)

if runs dpkg-query --version && runs apt-get --version; then
  missing=()
  for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
  done
  if ((${#missing[@]})); then
    echo "installing: ${missing[*]}"
    root=()
    [[ $(id -u) == 0 ]] || root=(sudo)
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
elif [[ -z ${SALTUS_SETUP_DONE:-} ]]; then
  echo "setup.sh installs packages on Debian and Ubuntu only. Here, install what these hold:"
  printf '  %s\n' "${wanted[@]}"
  echo "and then say SALTUS_SETUP_DONE=1 make ..."
  exit 1
fi

# --- Python environment ------------------------------------------------------------------------
if [[ $goal != build ]]; then
  requirements=scripts/requirements-test.txt
  stamp=$( (python3 -c 'import sys; print(sys.version, sys.prefix)'; pwd; cat "$requirements") | sha256sum)
  if [[ $(cat build/venv/stamp 2>/dev/null || true) != "$stamp" ]]; then
    echo "installing: Python packages of $requirements in build/venv"
    python3 -m venv --clear build/venv
    build/venv/bin/pip install --quiet --disable-pip-version-check -r "$requirements"
    echo "$stamp" >build/venv/stamp
  fi
fi
