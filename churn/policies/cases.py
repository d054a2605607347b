"""The policy's cases as YAML, kept with the version they were written for."""

from __future__ import annotations

from datetime import date

import yaml

from churn.core.grants import Session
from churn.core.policies.policy import Policy
from churn.core.policies.policy_cases import CasesUnreadable, PolicyCase, Verdict, read_cases, run_cases
from churn.db import Database
from churn.gateway import rows_of

LONGEST = 200_000  # characters


def parse_cases(text: str) -> tuple[PolicyCase, ...]:
    """Cases of a YAML document; none of an empty one. Raises CasesUnreadable with a sentence."""
    if len(text) > LONGEST:
        raise CasesUnreadable(f"{len(text):,} characters of cases are more than {LONGEST:,}.")
    try:
        # An alias can stand for a thousand copies of itself: a list of cases needs none.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise CasesUnreadable("Cases are written out: no aliases (*).")
        plain = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, CasesUnreadable):
            raise
        mark = getattr(error, "problem_mark", None)
        where = f"Line {mark.line + 1}: " if mark else ""
        what = getattr(error, "problem", None) or "this is not YAML"
        raise CasesUnreadable(f"{where}{what}.") from None
    return read_cases(plain)


def cases_of(database: Database, who: Session | str, version: int) -> str:
    """The YAML kept with a version; empty when there is none."""
    rows = rows_of(database, who, "policy_lab", "cases", {"version": version})
    return str(rows[0]["document"]) if rows else ""


def verdicts_of(policy: Policy, text: str, on: date) -> list[Verdict]:
    """Each case of a document against a policy as of a day; a document that cannot be read is one red case."""
    try:
        return run_cases(policy, parse_cases(text), on)
    except CasesUnreadable as unreadable:
        return [Verdict("the cases themselves", False, str(unreadable))]
