#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds build/site: the pages of docs/, the Python reference and the C++ reference. A warning is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
# Not --quiet: it hides warnings from --strict too.
NO_MKDOCS_2_WARNING=1 build/venv/bin/python -m mkdocs build --strict
