# SPDX-License-Identifier: Apache-2.0
"""A hook of MkDocs: the C++ reference, made of the public headers by Doxygen, joins the site."""

import shutil
import subprocess
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
HTML = ROOT / "build" / "reference" / "html"  # where Doxyfile says


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what Doxygen writes, below cpp/reference/; what it complains about is an error."""
    shutil.rmtree(HTML.parent, ignore_errors=True)
    HTML.parent.mkdir(parents=True)
    done = subprocess.run(["doxygen"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PluginError(f"the C++ reference (Doxyfile):\n{done.stderr}")
    for path in sorted(HTML.rglob("*")):
        if path.is_file() and path.suffix != ".dot":
            where = f"cpp/reference/{path.relative_to(HTML).as_posix()}"
            files.append(File.generated(config, where, abs_src_path=str(path)))
    return files
