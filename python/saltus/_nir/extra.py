# SPDX-License-Identifier: Apache-2.0
"""What NIR has no word for, in the metadata of our nodes: other tools pass over it."""

from __future__ import annotations

import json
from typing import Any

_KEY = "saltus"


def with_extra(node: Any, **values: Any) -> Any:
    """Write it into a node."""
    node.metadata = {_KEY: json.dumps(values)}
    return node


def extra(node: Any) -> dict[str, Any]:
    """Read it; empty of a node of another tool."""
    text = (getattr(node, "metadata", None) or {}).get(_KEY)
    if text is None:
        return {}
    found: dict[str, Any] = json.loads(text.decode() if isinstance(text, bytes) else text)
    return found
