"""Where a problem sits, who may be told of, what a fix saved; quotes, league and digest."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.voice import digest, league, problems
from churn.core.voice.digest import Digest, Told
from churn.core.voice.problems import Avoided, Day, Scope
from churn.core.voice.quotes import HIDDEN, choose, mask_quote

MONDAY = date(2026, 11, 2)


def course(counts: list[int], expected: float = 20.0, spread: float = 1.0) -> list[Day]:
    return [Day(MONDAY + timedelta(days=k), n, expected, spread) for k, n in enumerate(counts)]


@pytest.mark.parametrize(
    "scope",
    [Scope("fault"), Scope("fault", region="North | West"), Scope("fault", plan="Fibre 500"), Scope(None, topic_id=7)],
)
def test_a_scope_is_the_same_after_its_key(scope: Scope) -> None:
    assert problems.scope_of(scope.key) == scope


def test_a_problem_sits_in_the_part_that_holds_most_of_it() -> None:
    found = {"fault": 1e-6, "fault|region|Wales": 1e-9}
    assert problems.seat("fault", found, {"fault": 40, "fault|region|Wales": 30}) == "fault|region|Wales"
    assert problems.seat("fault", found, {"fault": 400, "fault|region|Wales": 30}) == "fault"
    assert problems.seat("fault", {"fault": 1e-6}, {"fault": 40}) == "fault"
    assert problems.seat(
        "fault", {"fault|plan|A": 1e-6, "fault|plan|B": 1e-3}, {"fault|plan|A": 5, "fault|plan|B": 9}
    ) == ("fault|plan|B")


@given(st.lists(st.sampled_from(["north", "south", "east", None]), max_size=80))
def test_nobody_is_told_of_in_a_group_under_ten_and_nobody_is_counted_twice(values: list[str | None]) -> None:
    told = problems.groups(values)
    assert all(customers >= problems.LEAST_GROUP for _, customers in told)
    hidden = len(values) - sum(customers for _, customers in told)
    assert 0 <= hidden < problems.LEAST_GROUP


def test_what_a_fix_saved_is_what_would_have_come_less_what_came() -> None:
    # 60 a day for four days where 20 are usual, fixed on the fifth, then 20 a day for six days.
    saved = problems.avoided(course([60] * 4 + [40] + [20] * 6), MONDAY, MONDAY + timedelta(days=4))
    assert saved is not None
    assert (saved.contacts, saved.days) == (240.0, 6)
    assert saved.low == pytest.approx(240 - 1.6449 * (1.5**2 * 240 + 120) ** 0.5, abs=0.1)
    assert saved.high == pytest.approx(480 - saved.low)


def test_twice_the_spread_is_a_wider_interval() -> None:
    calm = problems.avoided(course([60] * 4 + [20] * 4), MONDAY, MONDAY + timedelta(days=3))
    wild = problems.avoided(course([60] * 4 + [20] * 4, spread=4.0), MONDAY, MONDAY + timedelta(days=3))
    assert calm is not None
    assert wild is not None
    assert wild.contacts - wild.low == pytest.approx(2 * (calm.contacts - calm.low))


def test_too_early_nothing_is_said_of_a_fix_and_late_days_do_not_count() -> None:
    assert problems.avoided(course([60, 60, 20]), MONDAY, MONDAY + timedelta(days=2)) is None
    assert problems.avoided(course([60, 60, 20]), MONDAY, MONDAY) is None
    long = problems.avoided(course([60] * 2 + [20] * 60), MONDAY, MONDAY + timedelta(days=2))
    assert long is not None
    assert long.days == problems.EFFECT_DAYS


def test_effects_are_told_by_their_interval() -> None:
    assert digest.effect_in_words(Avoided(120, 80, 160, 9)) == (
        "about 120 contacts avoided in 9 days since the fix (80 to 160, 90 % interval)"
    )
    assert digest.effect_in_words(Avoided(5, -30, 40, 1)).startswith("no effect shown yet in 1 day")
    assert "50 contacts more" in digest.effect_in_words(Avoided(-50, -80, -20, 9))


# quotes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "masked"),
    [
        ("Mrs Byron rang, ada is upset", "Ada Byron", "Mrs ••• rang, ••• is upset"),
        ("spoke to obrien and O’Brien's wife", "Pat O'Brien", "spoke to ••• and ••• wife"),
        ("Møller wants out", "Jorgen Moller", "••• wants out"),
        ("mail ada.byron+x@mail.co.uk now", None, "mail ••• now"),
        ("call 07700 900 123 or +44 (20) 7946-0123", None, "call ••• or •••"),
        ("account C0012345, ref 99-88-77", None, "account •••, ref •••"),
        ("lives at 12 High Street, SW1A 1AA", None, "lives ••• •••"),
        ("wohnt Hauptstraße 12", None, "wohnt •••"),
        ("see https://x.example/a?b=1 please", None, "see ••• please"),
        ("speed test 4 down 1 up, 300 mb, 3rd time", "Ann Lee", "speed test 4 down 1 up, 300 mb, 3rd time"),
    ],
)
def test_a_quote_says_what_and_not_who(text: str, name: str | None, masked: str) -> None:
    shown = mask_quote(text, name)
    kept = [word for word in masked.replace(",", " ").split() if word != HIDDEN]
    assert [word for word in kept if word not in shown.replace(",", " ").split()] == []
    for secret in ("yron", "rien", "ller", "@", "900", "7946", "12345", "88", "High", "1AA", "Haupt", "example"):
        assert secret not in shown


@given(st.text(max_size=200), st.integers(1000, 10**9), st.sampled_from(["Ada Byron", "Li Wei", "Zoë Müller-Þór"]))
def test_whatever_surrounds_them_numbers_and_names_are_gone(text: str, number: int, name: str) -> None:
    first = name.split(maxsplit=1)[0]
    shown = mask_quote(f"{text} {number} . {first} .", name)
    assert str(number) not in shown
    assert f" {first} " not in shown


def test_quotes_are_of_different_people_and_wording_with_the_telling_words_first() -> None:
    notes = [
        ("router shows no light at all today", "A"),
        ("hub red light since the update last night", "B"),
        ("hub red light since the update last week", "C"),  # nearly the same
        ("red light on the box, wants an engineer", "B"),  # the same customer
        ("short", "D"),
    ]
    assert choose(notes, ["red light"]) == [1, 0]


# league ---------------------------------------------------------------------------------------------------------------


def test_the_league_puts_what_nobody_wanted_first_and_a_leaders_word_above_a_guess() -> None:
    rows = league.league(
        {"fault": 60, "upgrade": 30, "move_home": 10}, {"fault": 40}, {"move_home": ("irritating", "irritating")}
    )
    assert [(row.reason, row.contacts, row.is_ours) for row in rows] == [
        ("fault", 60, False),
        ("move_home", 10, True),
        ("upgrade", 30, False),
    ]
    assert rows[0].change == pytest.approx(0.5)
    assert rows[2].change is None
    assert rows[2].advice == "make the most of it"
    assert league.avoidable(rows) == (70, pytest.approx(0.7))


# digest ---------------------------------------------------------------------------------------------------------------

TOLD = Told(
    title="Fault: <b>red light</b>",
    where="Wales",
    began_on=MONDAY,
    last_burst_on=MONDAY + timedelta(days=1),
    contacts=120,
    expected=40.0,
    customers=100,
    worth_at_risk=1_234_500,
    currency="GBP",
    at_that_time=(),
    is_expected=False,
    state="noticed",
    owner=None,
    fixed_on=None,
    quotes=("<script>alert(1)</script> *hub* red",),
    course=(),
)


def told(**changes: object) -> Digest:
    return Digest("Larkfell & Sons", MONDAY, 900, (replace(TOLD, **changes),), (), (("red light", "hub <i>stuck</i>"),))


def test_the_digest_escapes_whatever_was_typed() -> None:
    mail, text = digest.as_html(told()), digest.as_text(told())
    assert "<script>" not in mail
    assert "&lt;script&gt;alert(1)" in mail
    assert "Larkfell &amp; Sons" in mail
    assert "<i>" not in mail.replace("<li>", "")
    assert "\\<script\\>" in text
    assert "\\*hub\\*" in text


def test_the_digest_says_how_much_who_and_whose() -> None:
    text = digest.as_text(told()).replace("\\", "")
    assert "120 contacts, 40 would be usual: 80 more, since 2 Nov." in text
    assert "100 customers, £12,345 of worth at risk." in text
    assert "Noticed, nobody owns it yet." in text


def test_few_customers_are_not_counted_out_and_known_causes_come_together() -> None:
    assert "100 customers" in digest.as_text(told())
    assert "9 customers" not in digest.as_text(told(customers=9))
    known = digest.as_text(told(is_expected=True, at_that_time=("Bill run",))).replace("\\", "")
    assert "Nothing new" in known
    assert "At that time: Bill run." in known
