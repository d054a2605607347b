"""What a model was learned from and what customers it had not seen say of it, as parts of its card (markdown)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from churn.core.document import letters, table
from churn.core.language import mark, number, t, tc, tn
from churn.core.trends.rates import FEWEST, wilson
from churn.core.trust.drift import MOVED
from churn.core.trust.trial import Arm
from churn.core.words import spoken

WHO = {
    "risk": mark(
        "Customers with a live subscription. Who left without choosing to (moved away, did not pay) counts as "
        "not having left."
    ),
    "survival": mark("Customers live a year before the data end, followed until they left by choice or the data end."),
    "why": mark("The newest inbound contacts whose reason was written down."),
    "effect": mark("Calls logged by retention agents and settled since: who stayed, who did not."),
    "escalation": mark("Contacts open at instants a fortnight apart; whether each was handed upwards afterwards."),
}
Metrics = Mapping[str, Any]


def who_is_in_it(kind: str, metrics: Metrics) -> Iterator[str]:
    """Whom it learned from, and as of when."""
    yield t(WHO[kind])
    marks = sorted(str(one)[:10] for one in metrics.get("landmarks") or ())
    if marks:
        yield tn(len(marks), "As of one day: {days}.", "As of {n} days: {days}.", days=", ".join(marks))


def calibration(metrics: Metrics) -> Iterator[str]:
    """Predicted beside happened, in groups of equal size by chance."""
    bins = metrics.get("calibration") or ()
    if not bins:
        yield t("It was not kept for this version, or a chance is not what this model says.")
        return
    low, high = wilson(pd.Series([one["rate"] * one["rows"] for one in bins]), pd.Series([one["rows"] for one in bins]))
    yield t("Groups of equal size by what was predicted; in brackets the 95 % interval (Wilson) of what happened.")
    yield table(
        (tc("document", "group"), tc("document", "how many"), tc("document", "predicted"), tc("document", "happened")),
        [
            (str(n), number(one["rows"]), _share(one["chance"]), f"{_share(one['rate'])} {_between(*ends)}")
            for n, (one, *ends) in enumerate(zip(bins, low, high, strict=True), start=1)
        ],
    )


def by_group(metrics: Metrics) -> Iterator[str]:
    """Whether it is as right for one group as for another; groups too small to say are left out."""
    rows = [row for row in (metrics.get("held_out") or {}).get("groups") or () if row["rows"] >= FEWEST]
    if not rows:
        yield t("It was not judged by group, or no group was large enough to say.")
        return
    low, high = wilson(pd.Series([row["left"] for row in rows]), pd.Series([row["rows"] for row in rows]))
    off = [
        f"{row['cut']} {row['value']}"
        for row, least, most in zip(rows, low, high, strict=True)
        if not least <= row["chance"] <= most
    ]
    yield table(
        (
            tc("document", "group"),
            tc("document", "how many"),
            tc("document", "predicted"),
            tc("document", "happened"),
            tc("document", "AUC"),
        ),
        [
            (
                f"{row['cut']}: {row['value']}",
                number(row["rows"]),
                _share(row["chance"]),
                f"{_share(row['rate'])} {_between(*ends)}",
                _auc(row),
            )
            for row, *ends in zip(rows, low, high, strict=True)
        ],
    )
    if off:
        yield t(
            "Predicted outside of its interval: {groups}. With many groups one in twenty is so by chance.",
            groups=letters(", ".join(off)),
        )
    else:
        yield t("What was predicted lies within the interval of every group.")


def landmarks(metrics: Metrics) -> Iterator[str]:
    """Of customers still here at a tenure: who was predicted to leave, who did."""
    cells = [cell for cell in (metrics.get("held_out") or {}).get("landmarks") or () if cell["seen"] >= FEWEST]
    if not cells:
        yield t("Too few customers were kept apart to judge any landmark.")
        return
    yield table(
        (
            tc("document", "tenure, months"),
            tc("document", "months ahead"),
            tc("document", "how many"),
            tc("document", "predicted"),
            tc("document", "happened"),
        ),
        [
            (
                number(cell["landmark"]),
                number(cell["ahead"]),
                number(cell["seen"]),
                _share(cell["predicted"]),
                f"{_share(cell['observed'])} {_between(cell['low'], cell['high'])}",
            )
            for cell in cells
        ],
    )
    inside = sum(cell["low"] <= cell["predicted"] <= cell["high"] for cell in cells)
    yield tn(
        len(cells),
        "{inside} of {n} prediction lies within its 95 % interval.",
        "{inside} of {n} predictions lie within their 95 % intervals.",
        inside=inside,
    )


def arms(of: Sequence[Arm], days: int) -> Iterator[str]:
    """What drawing amounts by lot came to, against the arm given as meant."""
    if not of:
        yield t("Nothing drawn by lot has settled yet: what it says of an amount rests on what agents chose to give.")
        return
    yield tn(
        days,
        "Share still here a day after, less that of the arm given as meant; 95 % intervals.",
        "Share still here {n} days after, less that of the arm given as meant; 95 % intervals.",
    )
    yield table(
        (
            tc("document", "arm"),
            tc("document", "calls"),
            tc("document", "calls needed"),
            tc("document", "stayed"),
            tc("document", "difference"),
        ),
        [
            (
                spoken(arm.arm),
                number(arm.calls),
                number(arm.needed),
                _share(arm.stayed) if arm.calls >= FEWEST else "–",
                _lift(arm),
            )
            for arm in of
        ],
    )


def looked_at(made_on: date, measured_on: date | None, moved: int) -> str:
    """When it was made, and held against the customers of a day for the last time."""
    if measured_on is None:
        return t(
            "Made on {day}; not held against the customers of a later day yet: that is done every night.", day=made_on
        )
    held = t(
        "Made on {day}; last held against the customers of the day on {measured}.", day=made_on, measured=measured_on
    )
    away = tn(
        moved,
        "{n} column has moved since training (PSI of {moved} or more).",
        "{n} columns have moved since training (PSI of {moved} or more).",
        moved=number(MOVED, 1),
    )
    return f"{held} {away}"


def _share(share: float) -> str:
    return f"{number(share * 100, 1)} %"


def _between(low: float, high: float) -> str:
    return tc("document", "({low} to {high})", low=_share(low), high=_share(high))


def _lift(arm: Arm) -> str:
    if arm.lift is None or arm.low is None or arm.high is None:
        return "–"
    ends = (number(100 * end, 1, is_signed=True) for end in (arm.lift, arm.low, arm.high))
    return t("{lift} points ({low} to {high})", **dict(zip(("lift", "low", "high"), ends, strict=True)))


def _auc(row: Mapping[str, Any]) -> str:
    if row.get("auc") is None:
        return "–"
    return f"{number(row['auc'], 2)} " + tc(
        "document", "({low} to {high})", low=number(row["low"], 2), high=number(row["high"], 2)
    )
