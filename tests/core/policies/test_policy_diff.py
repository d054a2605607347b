"""Two versions side by side, in sentences."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pandas as pd

from churn.core.policies.policy import Policy
from churn.core.policies.policy_diff import ADDED, CHANGED, REMOVED, differences, in_force_on, said, value_of
from churn.core.policies.policy_table import policy_of, tables_of
from churn.policies import default_policy

OLD = default_policy()


def changed(policy: Policy, code: str, **values: object) -> Policy:
    """The policy with one rule changed."""
    return replace(policy, rules=tuple(replace(r, **values) if r.code == code else r for r in policy.rules))


def test_the_same_policy_differs_in_nothing_whatever_its_title() -> None:
    assert differences(OLD, replace(OLD, title="Another")) == []


def test_a_ceiling_that_moved_says_from_what_to_what() -> None:
    new = changed(OLD, "fault-shared:bill_credit", value=Decimal(9_000))
    (one,) = differences(OLD, new)
    assert (one.kind, one.what, one.key) == (CHANGED, "rule", "fault-shared:bill_credit")
    assert one.sentence == "Ceiling for bill credit when fault = shared: £80 → £90 (fault-shared:bill_credit)."


def test_added_and_removed_rules_are_told_whole() -> None:
    new = replace(OLD, rules=(*OLD.rules[1:], replace(OLD.rules[0], code="horizon-2", value=Decimal(60))))
    found = {one.kind: one.sentence for one in differences(OLD, new)}
    assert found == {
        REMOVED: "Days that make a save: 90 days (horizon): removed.",
        ADDED: "Days that make a save: 60 days (horizon-2): new.",
    }


def test_an_authority_line_and_an_instrument_say_which_of_their_figures_moved() -> None:
    lines = tuple(
        replace(a, per_grant=4_000) if (a.role, a.instrument, a.contact_reason) == ("agent", "bill_credit", None) else a
        for a in OLD.authority
    )
    items = tuple(replace(i, max_amount=20_000) if i.instrument == "bill_credit" else i for i in OLD.instruments)
    sentences = [one.sentence for one in differences(OLD, replace(OLD, authority=lines, instruments=items))]
    assert sentences == [
        "Bill credit: max amount £150 → £200.",
        "Agent alone may give bill credit: per grant £35 → £40.",
    ]


def test_a_number_written_otherwise_is_no_difference() -> None:
    assert differences(OLD, changed(OLD, "discount-rate", value=Decimal("0.1000"))) == []


def test_conditions_and_shares_are_in_words() -> None:
    rule = next(r for r in OLD.rules if r.code == "worth-high:bill_credit")
    assert said(rule, "GBP") == "ceiling for bill credit when worth from £1,500: 25 % of worth"
    assert value_of(next(r for r in OLD.rules if r.code == "times-fee"), "GBP") == "2 times in 365 days"


def test_a_rule_holds_from_its_first_day_until_before_its_last() -> None:
    rule = replace(OLD.rules[0], starts_on=date(2026, 5, 1), ends_on=date(2026, 6, 1))
    assert [in_force_on(rule, date(2026, m, d)) for m, d in ((4, 30), (5, 1), (5, 31), (6, 1))] == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_policy_survives_its_tables() -> None:
    again, faults = policy_of(tables_of(OLD), title=OLD.title, currency="GBP")
    assert faults == []
    assert again is not None
    assert differences(OLD, again) == []


def test_every_bad_cell_is_told_with_its_row() -> None:
    held = tables_of(OLD)
    held["rules"] = held["rules"].astype({"value": object, "tenure_from": object})
    held["rules"].loc[0, "value"] = "lots"
    held["rules"].loc[1, "unit"] = None
    held["authority"] = pd.concat([held["authority"], pd.DataFrame([{"role": "agent"}])], ignore_index=True)
    found, faults = policy_of(held, title="", currency="GBP")
    assert found is None
    assert [fault.sentence for fault in faults] == [
        "Rules, row 1: value is a number, not “lots”.",
        "Rules, row 2: unit is missing.",
        f"Authority, row {len(OLD.authority) + 1}: instrument is missing.",
        "A draft needs a title.",
    ]


def test_an_empty_row_of_the_editor_is_no_row() -> None:
    held = tables_of(OLD)
    held["rules"] = held["rules"].reindex(range(len(OLD.rules) + 1))
    found, faults = policy_of(held, title="t", currency="GBP")
    assert faults == []
    assert found is not None
    assert len(found.rules) == len(OLD.rules)
