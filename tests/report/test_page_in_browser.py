"""The page in headless Chromium: no console error, pictures and video load, narrow screens."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from sonic_sb3.comparison import group_records, load_records
from sonic_sb3.report.content import collect
from sonic_sb3.report.illustrate import illustrate
from sonic_sb3.report.page import Video, render_page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium not found: install it to open the page in a browser"
)
# Added to a copy of the page, which itself has no script: what the browser made of it.
PROBE = """<script>
addEventListener('load', async () => {
  const videos = [...document.querySelectorAll('video')];
  await Promise.race([
    Promise.all(videos.map(v => v.readyState || new Promise(r => v.onloadedmetadata = r))),
    new Promise(r => setTimeout(r, 15000))]);
  parent.postMessage(JSON.stringify({
    images: [...document.images].map(i => i.complete && i.naturalWidth),
    videos: videos.map(v => [v.videoWidth, v.duration, v.error && v.error.message]),
    screen_px: innerWidth, page_px: document.documentElement.scrollWidth,
    text_px: parseFloat(getComputedStyle(document.body).fontSize)}), '*');
});
</script>"""
# Chromium's own window cannot be narrower than 500 pixels.
FRAME = """<!DOCTYPE html><link rel="icon" href="data:,">
<script>addEventListener('message', e => { document.body.dataset.found = e.data; });</script>
<body><iframe src="%(name)s" style="width: %(width_px)dpx; height: 900px; border: 0"></iframe>"""


@pytest.fixture(scope="module")
def page(study: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    writer = imageio_ffmpeg.write_frames(str(folder / "v.mp4"), (64, 48), fps=30, codec="libx264")
    writer.send(None)
    for k in range(15):
        writer.send(np.full((48, 64, 3), 16 * k, np.uint8))
    writer.close()
    groups = group_records(load_records(study))
    content = collect(groups, title="A title", intro="", metric=None)
    illustrate(content, groups)
    path = folder / "report.html"
    video = Video("learns", "seed 0", "best", (folder / "v.mp4").read_bytes())
    path.write_text(render_page(content, [video]))
    return path


def open_page(path: Path, width_px: int) -> tuple[str, str]:
    """The page as the browser holds it, and what the console said."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"),
        *(f"--user-data-dir={path.parent / 'profile'}", f"--window-size={width_px},900"),
        *("--virtual-time-budget=20000", "--dump-dom", path.as_uri()),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout, "\n".join(re.findall(r".*CONSOLE.*", result.stderr))


def probe(path: Path, width_px: int) -> dict[str, Any]:
    copy = path.with_name("probed.html")
    frame = path.with_name(f"frame_{width_px}.html")
    frame.write_text(FRAME % {"name": copy.name, "width_px": width_px})
    text = path.read_text()
    policy = "style-src 'unsafe-inline'"
    assert policy in text
    text = text.replace(policy, f"{policy}; script-src 'unsafe-inline'")
    copy.write_text(text.replace("</head>", PROBE + "</head>"))
    dom, console = open_page(frame, 1400)
    assert console == ""
    (found,) = re.findall(r'data-found="([^"]*)"', dom)
    facts: dict[str, Any] = json.loads(unescape(found))
    return facts


def test_the_console_stays_empty(page: Path) -> None:
    dom, console = open_page(page, 1280)
    assert "A title" in dom
    assert console == ""


def test_a_console_error_would_be_seen(page: Path) -> None:
    broken = page.with_name("broken.html")
    broken.write_text(page.read_text().replace("<body>", '<body><img src="https://example.org/x">'))
    _, console = open_page(broken, 1280)
    assert "Content Security Policy" in console


@pytest.mark.parametrize("width_px", [360, 1280])
def test_pictures_and_videos_load_and_nothing_is_cut_off(page: Path, width_px: int) -> None:
    found = probe(page, width_px)
    assert found["screen_px"] == width_px
    assert found["page_px"] <= width_px
    assert found["text_px"] >= 16
    assert len(found["images"]) >= 8
    assert all(found["images"])
    assert found["videos"] == [[64, 0.5, None]]
