#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# lint.sh           checks everything: format, licence lines, ruff, mypy, clang-tidy
# lint.sh --quick   without clang-tidy, which takes minutes
# lint.sh --fix     formats in place
set -euo pipefail
cd "$(dirname "$0")/.."
bin=build/venv/bin
mapfile -t cpp < <(find include src tests bench python examples -name '*.[ch]pp' 2>/dev/null | sort)
python=()
for folder in python tests bench examples scripts; do
  [[ -z $(find "$folder" -name '*.py' -print -quit 2>/dev/null) ]] || python+=("$folder")
done

if [[ ${1:-} == --fix ]]; then
  clang-format-14 -i "${cpp[@]}"
  "$bin/ruff" check --quiet --fix "${python[@]}" || true
  "$bin/ruff" format --quiet "${python[@]}"
  exit
fi

failed=0
check() {
  echo "-- $1"
  shift
  "$@" || failed=1
}
licence_lines() {
  local bare
  bare=$(find include src tests bench python examples scripts cmake .ci -type f \
    \( -name '*.[ch]pp' -o -name '*.hpp.in' -o -name '*.py' -o -name '*.sh' -o -name '*.cmake' \
    -o -name CMakeLists.txt -o -name run \) -exec grep -L 'SPDX-License-Identifier: Apache-2.0' {} + 2>/dev/null || true)
  [[ -z $bare ]] || { echo "no SPDX line in:"; echo "$bare"; return 1; }
}
one_version() {
  local version
  version=$(sed -n 's/^project(Saltus VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
  grep -qx "version: $version" CITATION.cff || { echo "CITATION.cff is not at $version"; return 1; }
  grep -q "^## \[$version\]" CHANGELOG.md || { echo "CHANGELOG.md has no [$version]"; return 1; }
}

check "clang-format" clang-format-14 --dry-run -Werror "${cpp[@]}"
check "licence lines" licence_lines
check "one version" one_version
check "rooms" scripts/rooms.py
check "the walk" scripts/walk.py
check "ruff" "$bin/ruff" check --quiet "${python[@]}"
check "ruff format" "$bin/ruff" format --check --quiet "${python[@]}"
check "mypy" "$bin/mypy"
if [[ ${1:-} != --quick ]]; then
  scripts/build.sh clang --target saltus_git_commit >/dev/null
  sources=$(printf '%s\n' "${cpp[@]}" | grep -E '^src/.*\.cpp$')
  check "clang-tidy" xargs -P "$(nproc)" -n 1 clang-tidy-14 --quiet -p build-clang <<<"$sources"
fi
exit $failed
