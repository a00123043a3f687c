# SPDX-License-Identifier: Apache-2.0
"""The report's page in headless Chromium (Debian's package `chromium`): as people see it."""

import re
import shutil
import subprocess

import pytest
import saltus

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("chromium is not installed (apt-get install chromium)", allow_module_level=True)

from .report_pages import yin_yang_run  # noqa: E402

DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    yin_yang_run(folder)
    return saltus.report.write(folder)


@pytest.fixture
def chromium(tmp_path):
    """chromium(page, ...) is what it writes on its standard output and error."""

    def run(page, *options):
        line = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--allow-file-access-from-files", "--enable-logging=stderr", "--v=0",
                f"--user-data-dir={tmp_path / 'profile'}", *options, page.as_uri()]  # fmt: skip
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    return run


@pytest.fixture
def asked(chromium, tmp_path):
    """asked(page, width, question) is what JavaScript says of the page at that width."""

    def ask(page, width, question, *options):
        frame = tmp_path / "frame.html"
        frame.write_text(
            f'<iframe src="{page.as_uri()}" style="width:{width}px;height:800px;border:0" '
            'onload="const page = this.contentDocument, style = name => '
            "this.contentWindow.getComputedStyle(page.querySelector(name)); "
            f'document.title = JSON.stringify({question})"></iframe>'
        )
        out, _ = chromium(frame, "--dump-dom", *options)
        return re.search(r"<title>(.*)</title>", out)[1]

    return ask


def console(text):
    return [line for line in text.splitlines() if "CONSOLE" in line]


def test_the_console_stays_empty(chromium, page, tmp_path):
    _, said = chromium(page, "--dump-dom")
    assert console(said) == []
    spoilt = tmp_path / "spoilt.html"  # what the console would say is seen
    text = page.read_text(encoding="utf-8")
    spoilt.write_text(text.replace("</main>", "<script>missing()</script></main>"))
    assert len(console(chromium(spoilt, "--dump-dom")[1])) == 1


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_screen(asked, page, width):
    wide = "page.documentElement.scrollWidth"
    assert asked(page, width, wide) == str(width)
    smallest = "Math.min(...[...page.querySelectorAll('svg')].map(s => s.clientWidth))"
    assert float(asked(page, width, smallest)) > 0.7 * min(width, 500)


def test_the_page_is_light_or_dark_as_the_reader_has_it(asked, page):
    shade = (
        "[style('body').backgroundColor, style('body').color, style('svg text').fill]"
        ".map(c => c.match(/[0-9]+/g).reduce((a, b) => +a + +b, 0) / 3)"
    )
    light = [float(v) for v in asked(page, 1200, shade)[1:-1].split(",")]
    dark = [float(v) for v in asked(page, 1200, shade, DARK)[1:-1].split(",")]
    assert light[0] > 240
    assert max(light[1:]) < 60
    assert dark[0] < 40
    assert min(dark[1:]) > 200


def test_the_page_prints(chromium, page, tmp_path):
    paper = tmp_path / "page.pdf"
    chromium(page, "--no-pdf-header-footer", f"--print-to-pdf={paper}", DARK)
    sheets = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))
    assert 2 <= sheets <= 8
