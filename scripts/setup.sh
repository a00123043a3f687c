#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# setup.sh build|report|test|lint: installs what is missing for that, and nothing else.
#   build   compiler, CMake, Ninja, libraries
#   report  the same, and of the Python environment build/venv what `saltus report` needs
#   test    the same, test libraries, clang with its fuzzer, Doxygen and all of build/venv
#   lint    the same and clang-tidy
set -euo pipefail
cd "$(dirname "$0")/.."

goal=${1:-build}
case $goal in build | report | test | lint) ;; *) sed -n '3,7s/^# //p' "$0"; exit 2 ;; esac

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
wanted+=(ccache libcli11-dev libfmt-dev libhdf5-dev libhwy-dev libtbb-dev libtomlplusplus-dev libopenmpi-dev nlohmann-json3-dev openmpi-bin zlib1g-dev librandom123-dev)
if [[ $goal != build ]]; then
  runs python3 --version || wanted+=(python3)
  runs python3 -c 'import ensurepip, venv' || wanted+=(python3-venv)
  runs python3 -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' ||
    wanted+=(python3-dev)
fi
if [[ $goal == test || $goal == lint ]]; then
  wanted+=(libgtest-dev libgmock-dev librapidcheck-dev clang-format-14 clang-14 libclang-rt-14-dev)
  runs doxygen --version || wanted+=(doxygen)
fi
[[ $goal != lint ]] || wanted+=(clang-tidy-14)

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
  stamp_of() {
    (python3 -c 'import sys; print(sys.version, sys.prefix)'; pwd; cat "$@") | sha256sum
  }
  requirements=scripts/requirements-report.txt
  stamp=$(stamp_of "$requirements")
  all=scripts/requirements-test.txt
  found=$(cat build/venv/stamp 2>/dev/null || true)
  if [[ $goal != report || $found == "$(stamp_of "$requirements" "$all")" ]]; then
    stamp=$(stamp_of "$requirements" "$all")
    requirements=$all
  fi
  if [[ $found != "$stamp" ]]; then
    echo "installing: Python packages of $requirements in build/venv"
    python3 -m venv --clear build/venv
    build/venv/bin/pip install --quiet --disable-pip-version-check -r "$requirements"
    echo "$stamp" >build/venv/stamp
  fi
fi
