"""Similar past callers: what was given in words, and the sentence of what kept them."""

from __future__ import annotations

from datetime import date

from churn.core.calls.similar import Context, PastCaller, PastCase, callers, given_in, what_kept


def case(amount: int = 0, *, is_kept: bool = True, is_fixed: bool = False, instrument: str = "bill_credit") -> PastCase:
    return PastCase(
        month=date(2026, 5, 1), contact_reason="cancel", fault=None, plan=None, segment=None, tenure_months=10,
        monthly_bill=41, risk=0.3, worth=900, instrument=instrument if amount else None, amount=amount,
        is_fixed=is_fixed, is_kept=is_kept, distance=1.0,
    )  # fmt: skip


def test_what_kept_names_what_most_stayed_with_among_what_three_were_given() -> None:
    cases = [
        *(case(1_900, is_fixed=True, is_kept=kept) for kept in (True, True, True, False)),
        *(case(2_200, is_kept=kept) for kept in (True, False, False)),
        *(case(4_000) for _ in range(2)),  # all stayed, but two are too few
        case(is_kept=False),
    ]
    assert what_kept(callers(cases, "GBP")) == (
        "6 of 10 similar callers stayed; with a fix and about £20 credit 3 of 4."
    )


def test_nobody_near_is_no_sentence_and_nothing_in_common_names_nothing() -> None:
    assert what_kept([]) is None
    assert what_kept([PastCaller((), True), PastCaller(("a fix",), False)]) == "1 of 2 similar callers stayed."


def test_money_is_said_in_bands_and_by_its_kind() -> None:
    assert given_in(case(499), "GBP") == ("about £10 credit",)
    assert given_in(case(7_200, instrument="monthly_discount"), "GBP") == ("about £70 monthly discount",)
    assert given_in(case(), "GBP") == ()
    assert given_in(case(is_fixed=True), "GBP") == ("a fix",)


def test_alike_is_one_for_the_same_and_what_is_not_known_has_no_place() -> None:
    assert case().alike == 0.5
    assert Context(monthly_bill=0.0, tenure_months=0, risk=0.5, worth=0).place == (0.0, 0.0, 0.0, 0.0)
    assert Context().place == (None,) * 4
