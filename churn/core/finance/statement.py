"""A month's signed-off sums as a page to print: plain text, fixed width, one line a team, instrument and currency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from churn.core.money import show
from churn.core.words import moment

SUMS = ("granted", "reversed", "clawed_back", "net")
HEAD = ("Team", "Instrument", "Entries", "Granted", "Reversed", "Clawed back", "Net")


def totals(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Currency → entries and every sum, in minor units; nothing is added across currencies."""
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        held = found.setdefault(row["currency"], dict.fromkeys(("entries", *SUMS), 0))
        for name in held:
            held[name] += int(row[name])
    return dict(sorted(found.items()))


def statement_text(
    company: str, month: date, rows: list[dict[str, Any]], *, signed: tuple[str, datetime] | None, time_zone: str
) -> str:
    """The statement of a month. `signed`: by whom and when; None: the month is open, and the page says so."""
    who = (
        f"Signed off by {signed[0]} on {moment(signed[1], time_zone)}"
        if signed
        else "NOT CLOSED: sums may still change"
    )
    lines = [f"{company}: concessions booked in {month:%B %Y}", who, ""]
    for currency, sums in totals(rows).items():
        cells = [
            (
                str(row["team"] or "no team"),
                row["instrument"],
                str(row["entries"]),
                *(show(row[n], currency) for n in SUMS),
            )
            for row in rows
            if row["currency"] == currency
        ]
        total = (f"All in {currency}", "", str(sums["entries"]), *(show(sums[name], currency) for name in SUMS))
        table = [HEAD, *cells, total]
        widths = [max(len(line[k]) for line in table) for k in range(len(HEAD))]
        drawn = [
            "  ".join(
                cell.ljust(width) if k < 2 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
        rule = "-" * len(drawn[0])
        lines += [drawn[0], rule, *drawn[1:-1], rule, drawn[-1], ""]
    return "\n".join(line.rstrip() for line in lines) + "\n"
