# SPDX-License-Identifier: Apache-2.0
"""What a run was and what came of it, on one page of HTML that needs nothing else.

``saltus report DIR`` and ``python -m saltus.report DIR`` are the same. Needs matplotlib.
"""

from __future__ import annotations

from ._write import write

__all__ = ["write"]
