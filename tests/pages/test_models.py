"""The models page: its figures are the registry's, each role sees or stops, a model is put into use by a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from churn import db, registry
from churn.settings import Settings
from churn.ui.models import VIEWS
from tests.ledger_world import World, add_office, build
from tests.model_world import METRICS, NIGHTS, bins, version
from tests.pages.conftest import OpenPage

PEOPLE = {
    "lea": "leader",
    "finn": "finance",
    "ana": "analyst",
    "adi": "administrator",
    "ann": "agent",
    "nor": "supervisor",
}
MAY = {"lea", "finn", "ana", "adi"}


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    pool = db.open_database(database, size=4)
    made = build(pool, owner)
    add_office(owner)
    yield made
    pool.close()


@pytest.fixture
def pages(open_page: OpenPage) -> OpenPage:
    def of(who: str, page: str = "models", **asked: str) -> AppTest:
        if "view" in asked:  # the URL names a choice by what it is called
            asked["view"] = VIEWS[asked["view"]]
        return open_page(page, who, **asked).run()

    return of


def said(page: AppTest) -> str:
    assert not page.exception, [error.value for error in page.exception]
    kinds = (page.caption, page.info, page.warning, page.success, page.error, page.markdown, page.text)
    return "\n".join(str(part.value) for kind in kinds for part in kind)


def figures(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("page", ["models", "data"])
def test_each_role_sees_the_page_or_is_told_whose_it_is(world: World, pages: Any, who: str, page: str) -> None:
    told = said(pages(who, page))
    if who in MAY - ({"finn"} if page == "data" else set()):
        assert "python3 -m churn" in told  # nothing there yet: what to do
    else:
        assert f"you are here as {PEOPLE[who]}" in told


def test_the_figures_are_the_registrys(world: World, pages: Any) -> None:
    version(world.owner, metrics=METRICS, status="current")
    page = pages("lea")
    assert figures(page) == {
        "AUC": f"{METRICS['auc']:.3f}", "Log loss": f"{METRICS['log_loss']:.4f}", "Brier": f"{METRICS['brier']:.4f}",
        "Lift, top tenth": f"{METRICS['lift_top_decile']:.1f}",
        "Slope": f"{METRICS['held_out']['calibration']['slope']:.2f}",
        "In the large": f"{METRICS['held_out']['calibration']['intercept']:+.2f}",
        "EMPC": f"{METRICS['held_out']['empc']:.3f}",
    }  # fmt: skip
    assert f"{METRICS['rows']:,} customers not seen in training" in said(page)
    by_group = pages("lea", view="groups")
    (table,) = by_group.dataframe
    wanted = [row for row in METRICS["held_out"]["groups"] if row["cut"] == "segment"]
    assert table.value[["group", "rows", "left", "rate"]].to_numpy().tolist() == [
        [row["value"], row["rows"], row["left"], row["rate"]] for row in wanted
    ]


@pytest.mark.parametrize("view", ["judged", "groups", "time", "drift", "versions", "card"])
def test_every_view_of_every_kind_can_be_opened(world: World, pages: Any, view: str) -> None:
    for kind, metrics in NIGHTS.items():
        number = version(world.owner, kind=kind, metrics=metrics, status="current")
        bins(world.owner, number)
    for kind in NIGHTS:
        said(pages("ana", kind=kind, view=view))


def test_a_model_of_before_says_what_was_not_kept(world: World, pages: Any) -> None:
    old = {name: value for name, value in METRICS.items() if name not in ("held_out", "calibration")}
    version(world.owner, metrics=old, status="current")
    page = pages("lea")
    assert figures(page)["AUC"] == f"{METRICS['auc']:.3f}"
    assert "trained before that was kept" in said(page)


def test_a_refusal_is_told_with_its_sentence(world: World, pages: Any) -> None:
    sentence = "There are 20 rows and 0 of the rarer outcome."
    with psycopg.connect(world.owner.info.dsn, autocommit=True) as connection:
        registry.register_refusal(
            connection, "risk", sentence, data_as_of=world.owner.execute("SELECT now()").fetchone()[0],  # type: ignore[index]
            horizon_days=90, by="job",
        )  # fmt: skip
    assert "There are 20 rows and 0 of the rarer outcome" in said(pages("lea")).replace("\\", "")


def test_a_drifted_column_is_named_and_a_steady_one_is_not(world: World, pages: Any) -> None:
    number = version(world.owner, metrics=METRICS, status="current")
    bins(world.owner, number, drifted="monthly_price", steady="region")
    told = said(pages("lea", view="drift"))
    assert "1 column drifted, 0 moved, of 2" in told
    assert "Its chances are steady: 0.000" in told


def test_an_analyst_puts_a_colleagues_model_into_use_and_not_their_own(world: World, pages: Any) -> None:
    first = version(world.owner, metrics=METRICS, status="current", by="job")
    own = version(world.owner, metrics=METRICS, by="Ana")
    page = pages("ana", view="versions")
    assert "You made this model; somebody else must put it into use." in said(page)
    assert not [button for button in page.button if button.label == "Put into use"]
    page = pages("adi", view="versions")
    (button,) = [one for one in page.button if one.label == "Put into use"]
    button.click().run()
    assert "Say in a few words why" in said(page)
    page.text_input(key="why-use").set_value("better on the newest horizon")
    (button,) = [one for one in page.button if one.label == "Put into use"]
    button.click().run()
    assert f"Version {own} is in use" in said(page)
    found = world.owner.execute(
        "SELECT model_version, status, promoted_by FROM desk.model_versions ORDER BY 1"
    ).fetchall()
    assert found == [(first, "retired", None), (own, "current", "adi")]


def test_finance_looks_and_does_not_promote(world: World, pages: Any) -> None:
    version(world.owner, metrics=METRICS, status="current")
    version(world.owner, metrics=METRICS)
    page = pages("finn", view="versions")
    assert "an administrator puts a model into use" in said(page)
    assert not page.text_input


def test_the_challenger_is_told_beside_the_champion(world: World, pages: Any) -> None:
    first = version(world.owner, metrics=METRICS, status="current")
    rivalry = {
        "champion": first, "rows": 900, "gain": 0.001, "error": 0.004, "gain_in_errors": 0.25, "has_seen_some": True,
        "champion_log_loss": 0.14, "challenger_log_loss": 0.139, "champion_auc": 0.75, "challenger_auc": 0.76,
    }  # fmt: skip
    version(world.owner, metrics={**METRICS, "rivalry": rivalry})
    told = said(pages("lea", view="versions"))
    assert "no win either way: less than one standard error" in told
    assert "which flatters it" in told


def test_hostile_names_stay_letters(world: World, pages: Any) -> None:
    number = version(world.owner, metrics=METRICS, status="current", by="<script>alert(1)</script>")
    world.owner.execute(
        "INSERT INTO desk.model_bins VALUES (%s, false, '# [x](http://y)', NULL, '{a,b}', '{1,0}', 10)",
        [number],
    )
    said(pages("lea", view="card"))
