"""Similar past callers and what kept them, in one sentence that says how many it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FEWEST = 3  # callers given the same, before the same is worth naming


@dataclass(frozen=True, slots=True)
class PastCaller:
    """One near case: what was given, as the agent said it (`fix`, `£20 credit`), and whether they stayed."""

    given: tuple[str, ...]
    stayed: bool


def what_kept(callers: Iterable[PastCaller]) -> str | None:
    """`9 of 12 similar callers stayed; with a fix and £20 credit 3 of 4.` None without any near case.

    What is named is what most of those given it stayed with, among what at least three were given; of equal shares the
    one that more were given. It tells what happened, not what it caused: agents give more to those in doubt.
    """
    cases = list(callers)
    if not cases:
        return None
    stayed = sum(case.stayed for case in cases)
    said = f"{stayed} of {len(cases)} similar callers stayed"
    groups: dict[tuple[str, ...], list[bool]] = {}
    for case in cases:
        groups.setdefault(tuple(sorted(case.given)), []).append(case.stayed)
    ranked = sorted(
        ((sum(ends) / len(ends), len(ends), given) for given, ends in groups.items() if given and len(ends) >= FEWEST),
        key=lambda found: (-found[0], -found[1], found[2]),
    )
    if not ranked:
        return f"{said}."
    share, many, given = ranked[0]
    return f"{said}; with {' and '.join(given)} {round(share * many)} of {many}."
