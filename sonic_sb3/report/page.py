"""One self-contained HTML page: pictures and videos inside, no script, no request to anywhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sonic_sb3.report.content import Content, Picture
from sonic_sb3.report.tables import Table

_STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --page: #fff; --soft: #5b6470; --line: #d8dde3;
  --card: #f6f8fa; --accent: #0b62a8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ec; --page: #14171a; --soft: #9aa4af; --line: #343a41; --card: #1d2125;
    --accent: #6cb6f5; }
  img.plot { filter: invert(0.92) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
.soft, figcaption, small { color: var(--soft); }
figure { margin: 0 0 1.5rem; }
img { display: block; width: 100%; height: auto; border-radius: .4rem; }
.maps { overflow-x: auto; }
img.map { min-width: 60rem; }
.alone img.plot { max-width: 44rem; }
.videos, .side { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
video { width: 100%; max-width: 40rem; border-radius: .4rem; background: #000; display: block; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; }
th:first-child, td:first-child { text-align: left; min-width: 5rem; }
th, td + td { overflow-wrap: normal; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
td:first-child { font-weight: 600; }
td small { display: block; white-space: nowrap; }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem; }
.notes { background: var(--card); border-left: 4px solid var(--accent); padding: .5rem 1rem; }
.notes ul { margin: .3rem 0; padding-left: 1.1rem; }
a { color: var(--accent); }
@media (max-width: 40rem) {
  thead { position: absolute; left: -999rem; }
  table, tbody, tr, td { display: block; width: 100%; }
  tr { background: var(--card); border-radius: .4rem; margin-bottom: .8rem; padding: .3rem 0; }
  td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .2rem .8rem; }
  td::before { content: attr(data-label); color: var(--soft); font-weight: 400; text-align: left; }
  td small { white-space: normal; }
  td, td + td { overflow-wrap: anywhere; }
  td > span { min-width: 0; }
}
"""
_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Video:
    """
    The best video of an arm.

    :param arm: Whose.
    :param run: Which of its runs.
    :param caption: What it shows.
    :param mp4: Its bytes.
    """

    arm: str
    run: str
    caption: str
    mp4: bytes


def render_page(content: Content, videos: Sequence[Video]) -> str:
    """
    The whole page.

    :param content: What it says; every text is escaped, for names may be a stranger's.
    :param videos: One per arm that has one.
    """
    paragraphs = [p.strip() for p in content.intro.split("\n\n") if p.strip()]
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',
        f"<title>{escape(content.title)}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        f"<h1>{escape(content.title)}</h1>",
        *[f"<p>{_lines(p)}</p>" for p in paragraphs],
        _table(content.tables[0]),
        _notes(content.notes),
        _videos(videos),
        *[_picture(p) for p in content.pictures],
        *[_table(t) for t in content.tables[1:]],
        "<h2>What the numbers mean</h2>",
        "<dl>",
        *[f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in content.definitions],
        "</dl>",
        '<p class="soft">numbers.csv beside this page names for every number the run\'s file it '
        "comes from.</p>",
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.splitlines())


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.head)
    rows = [
        "<tr>" + "".join(_cell(n, text) for n, text in zip(table.head, row, strict=True)) + "</tr>"
        for row in table.rows
    ]
    return "\n".join(
        [
            f"<h2>{escape(table.title)}</h2>",
            '<div class="table"><table>',
            f"<thead><tr>{head}</tr></thead>",
            "<tbody>",
            *rows,
            "</tbody></table></div>",
        ]
    )


def _cell(name: str, text: str) -> str:
    value, _, interval = text.partition("\n")
    more = f"<small>{escape(interval)}</small>" if interval else ""
    return f'<td data-label="{escape(name)}"><span>{escape(value)}{more}</span></td>'


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<h2>Good to know</h2>\n<div class="notes"><ul>{items}</ul></div>'


def _videos(videos: Sequence[Video]) -> str:
    figures = [
        f'<figure><video controls muted loop playsinline preload="metadata" '
        f'src="data:video/mp4;base64,{base64.b64encode(v.mp4).decode()}"></video>'
        f"<figcaption>{escape(v.arm)}, {escape(v.run)}: {escape(v.caption)}</figcaption></figure>"
        for v in videos
    ]
    if not figures:
        return ""
    return "\n".join(["<h2>Best episodes</h2>", '<div class="videos">', *figures, "</div>"])


def _picture(picture: Picture) -> str:
    kind = "map" if picture.is_wide else "plot"
    panels = "".join(
        f'<div class="panel"><img class="{kind}" alt="{escape(picture.title)}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode()}"></div>'
        for png in picture.panels.values()
    )
    layout = "side" if len(picture.panels) > 1 else "alone"
    return (
        f'<h2>{escape(picture.title)}</h2>\n<figure><div class="{kind}s {layout}">{panels}</div>'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )
