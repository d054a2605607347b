"""An import takes nobody in again who was erased."""

from __future__ import annotations

from churn import privacy
from tests.imports.small import GOOD_SUBSCRIBER, SUBSCRIBERS, Small, csv_row


def test_an_import_sets_the_erased_aside_and_keeps_only_the_account(small: Small) -> None:
    rows = [GOOD_SUBSCRIBER | {"Id": f"{i}", "Name": f"Person {i}", "Phone": f"020 7946 090{i}"} for i in (1, 2)]
    small.put("subscribers.csv", SUBSCRIBERS + "\n" + "".join(map(csv_row, rows)))
    small.take_in()
    bad = rows[0] | {"Price": "nonsense", "Name": "Person One"}
    small.conn.execute("SELECT desk.erase_by_job('1', 'asked', 'tests')")
    small.put("subscribers.csv", SUBSCRIBERS + "\n" + csv_row(bad) + csv_row(rows[1]) + csv_row(rows[0]))
    (report,) = small.take_in()
    assert (report.rows_read, report.rows_accepted, report.rows_set_aside) == (3, 1, 2)
    assert (
        small.rows("SELECT reason, row FROM feed.set_aside ORDER BY line")
        == [(privacy.ERASED["request"], {"Id": "1"})] * 2
    )
    assert small.rows("SELECT name, phone FROM feed.customers ORDER BY customer_id") == [
        ("[erased]", None), ("Person 2", "+442079460902"),
    ]  # fmt: skip


def test_rows_set_aside_before_are_blanked_too(small: Small) -> None:
    good, bad = GOOD_SUBSCRIBER | {"Id": "1"}, GOOD_SUBSCRIBER | {"Id": "1", "Name": "Ada Again"}
    small.put("subscribers.csv", SUBSCRIBERS + "\n" + csv_row(good) + csv_row(bad))
    small.take_in()
    assert small.rows("SELECT row ->> 'Name' FROM feed.set_aside") == [("Ada Again",)]
    small.conn.execute("SELECT desk.erase_by_job('1', 'asked', 'tests')")
    assert small.rows("SELECT value, row FROM feed.set_aside") == [(None, {})]
