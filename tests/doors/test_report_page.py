"""The report in a real browser: it opens offline, shows its verdict, and fits its window."""

import shutil
import subprocess
from pathlib import Path

import pytest

from genlock.testing.stamps import make_rig_stamps
from genlock.testing.takes import session_evidence
from genlock.verify import report_html, verify_take

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
).split()

# What the page itself cannot know: how wide it came out, and whether it asks anybody for anything.
HEAD = """<head><meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"><script>
const root = document.documentElement;
root.dataset.refused = 0;
addEventListener("securitypolicyviolation", () => root.dataset.refused++);
addEventListener("load", () => { root.dataset.overflow = root.scrollWidth - root.clientWidth; });
</script>"""


pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; on Debian: apt install chromium")


def opened(html: str, width_px: int, folder: Path) -> str:
    """The page as the browser has it after loading."""
    page = folder / "report.html"
    page.write_text(html.replace("<head>", HEAD, 1), encoding="utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM),
            *QUIET,
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width_px},900",
            "--virtual-time-budget=2000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "Uncaught" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("width_px", [1200, 480])
def test_the_page_opens_offline_and_fits_its_window(tmp_path: Path, width_px: int):
    dom = opened(report_html(verify_take(session_evidence(make_rig_stamps(3, 60)))), width_px, tmp_path)
    assert "GOOD" in dom
    assert 'data-refused="0"' in dom
    assert 'data-overflow="0"' in dom


def test_the_probe_sees_a_page_that_is_too_wide_or_asks_for_something(tmp_path: Path):
    planted = (
        '<html><head><link rel="stylesheet" href="other.css"></head><body><div style="width:5000px">x</div></body>'
    )
    dom = opened(planted, 1200, tmp_path)
    assert 'data-refused="1"' in dom
    assert 'data-overflow="0"' not in dom
