"""The one-page summary as HTML to print or send: figures with how they were got, every text escaped, nothing loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from churn.core.language import current

STYLE = (
    "@page{size:A4;margin:16mm}body{font:11pt/1.4 Inter,'Segoe UI',Arial,sans-serif;color:#1d2a2e;max-width:180mm;"
    "margin:auto}h1{font-size:16pt;margin:0}h2{font-size:11pt;margin:10pt 0 3pt;border-bottom:1px solid #d9d5cb}"
    "table{border-collapse:collapse;width:100%;font-size:9.5pt}th,td{text-align:left;padding:2pt 6pt 2pt 0;"
    "vertical-align:top}td.n,th.n{text-align:right}.how{color:#55646a;font-size:8.5pt}"
    ".tiles{display:flex;flex-wrap:wrap;gap:10pt 22pt;margin:8pt 0}.tiles b{font-size:15pt;display:block}"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: what it is, the figure, and how it was got."""

    label: str
    figure: str
    how: str


@dataclass(frozen=True, slots=True)
class Section:
    """A small table under a heading; columns whose cells begin with a digit or a sign are set to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    how: str = ""


def page(title: str, subtitle: str, tiles: Sequence[Tile], sections: Sequence[Section]) -> str:
    """A whole HTML document, at most one printed page for the few rows it is given."""
    shown = "".join(
        f"<div>{escape(tile.label)}<b>{escape(tile.figure)}</b><span class=how>{escape(tile.how)}</span></div>"
        for tile in tiles
    )
    body = "".join(_section(section) for section in sections)
    return (
        f'<!doctype html><html lang="{current().code}"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f"<p class=how>{escape(subtitle)}</p><div class=tiles>{shown}</div>{body}</body></html>"
    )


def _section(section: Section) -> str:
    right = [
        bool(section.rows) and all(row[i][:1] in "0123456789−-+£€$¥<>–" for row in section.rows)
        for i in range(len(section.columns))
    ]
    head = "".join(f"<th{_side(r)}>{escape(c)}</th>" for c, r in zip(section.columns, right, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{_side(r)}>{escape(c)}</td>" for c, r in zip(row, right, strict=True)) + "</tr>"
        for row in section.rows
    )
    how = f"<p class=how>{escape(section.how)}</p>" if section.how else ""
    return f"<h2>{escape(section.title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{how}"


def _side(is_right: bool) -> str:
    return " class=n" if is_right else ""
