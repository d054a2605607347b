"""Models and data in a real browser: figures, a refusal, a challenger put into use, every view in light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from churn import db, registry
from churn.trust import data_job
from tests.browser.conftest import Site, looks_whole, settled

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def owner(site: Site) -> Iterator[psycopg.Connection]:
    """The company's database; its data were profiled, as in the night."""
    data_job.profile(site.settings, progress=lambda _: None)
    with psycopg.connect(db.admin_conninfo(site.settings), autocommit=True) as connection:
        yield connection


def analyst(owner: psycopg.Connection) -> str:
    row = owner.execute("SELECT staff_id FROM desk.staff WHERE role = 'analyst' AND is_active ORDER BY 1").fetchone()
    assert row is not None
    return str(row[0])


def test_the_card_and_the_figures_are_the_registrys(site: Site, page: Page, owner: psycopg.Connection) -> None:
    row = owner.execute(
        "SELECT model_version, metrics FROM desk.model_versions WHERE kind = 'risk' AND status = 'current'"
    ).fetchone()
    assert row is not None
    version, metrics = row
    page.goto(f"{site.url}/models?who={analyst(owner)}")
    expect(page.get_by_text(f"Version {version}, in use since")).to_be_visible(timeout=60_000)
    auc = page.get_by_test_id("stMetric").filter(has_text="AUC")
    expect(auc.get_by_text(f"{metrics['auc']:.3f}", exact=True)).to_be_visible()
    page.get_by_role("radio", name="Card", exact=True).click()
    expect(page.get_by_text(f"- customers judged on: {metrics['rows']:,}")).to_be_visible()
    expect(page.get_by_text(f"- of these left: {metrics['left']:,}")).to_be_visible()


def test_a_refused_training_is_told_with_its_sentence(site: Site, page: Page, owner: psycopg.Connection) -> None:
    sentence = "There are 12 rows and 0 of the rarer outcome."
    at = owner.execute("SELECT data_until FROM desk.company").fetchone()
    assert at is not None
    registry.register_refusal(owner, "survival", sentence, data_as_of=at[0], horizon_days=90, by="job")
    page.goto(f"{site.url}/models?who={analyst(owner)}&kind=survival")
    expect(page.get_by_text(re.compile(rf"The last training .* made none: {re.escape(sentence)}"))).to_be_visible(
        timeout=60_000
    )
    expect(page.get_by_text("Landmark calibration")).to_be_visible()  # the one in use is still shown


def test_a_challenger_is_put_into_use_by_somebody_else_and_for_a_reason(
    site: Site, page: Page, owner: psycopg.Connection
) -> None:
    who = analyst(owner)
    copied = "data_as_of, horizon_days, metrics, libraries, artifact, sha256"
    made = [
        owner.execute(
            f"INSERT INTO desk.model_versions (kind, status, created_by, {copied}) SELECT kind, 'candidate', "  # noqa: S608 - column names
            f"CASE WHEN %s THEN (SELECT name FROM desk.staff WHERE staff_id = %s) ELSE 'job' END, {copied} "
            "FROM desk.model_versions WHERE kind = 'why' AND status = 'current' RETURNING model_version",
            [is_own, who],
        ).fetchone()
        for is_own in (False, True)
    ]
    theirs, own = (row[0] for row in made if row is not None)
    page.goto(f"{site.url}/models?who={who}&kind=why&view=Versions")
    expect(page.get_by_text("You made this model; somebody else must put it into use.")).to_be_visible(timeout=60_000)
    page.get_by_role("combobox", name="Version to use").click()
    page.get_by_role("option", name=f"{theirs} · candidate · made by job").click()
    page.get_by_role("button", name="Put into use").click()
    expect(page.get_by_text(re.compile("Say in a few words why"))).to_be_visible()
    page.get_by_label("Why", exact=True).fill("the same, made anew")
    page.get_by_label("Why", exact=True).press("Enter")
    settled(page)
    page.get_by_role("button", name="Put into use").click()
    expect(page.get_by_text(f"Version {theirs} is in use.")).to_be_visible()
    found = owner.execute(
        "SELECT model_version, promoted_by FROM desk.model_versions WHERE kind = 'why' AND status = 'current'"
    ).fetchall()
    assert found == [(theirs, who)]
    assert own > theirs


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_of_models_and_data_is_whole(
    browser: Browser, site: Site, owner: psycopg.Connection, scheme: str
) -> None:
    who = analyst(owner)
    models = {
        "By group": "bars 95 % .Wilson., AUC|No group had", "Over time": "Version by version",
        "Drift": "Population stability index|Not measured", "Versions": "Champion and challenger",
        "Card": "Take the card", "Judged": "Gains on the same customers",
    }  # fmt: skip
    looks_whole(browser, f"{site.url}/models?who={who}", models, scheme)
    data = {
        "Empty": "Counted over every row", "Doubles and contacts": "in no customer's history",
        "Impossible": "Every row keeps the data contract", "Files": "Nothing was imported from files",
        "Held back": "Nothing was held back|Counted when the profile", "Fresh": "Newest row by its own date",
    }  # fmt: skip
    looks_whole(browser, f"{site.url}/data?who={who}", data, scheme)
