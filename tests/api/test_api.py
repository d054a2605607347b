"""The API gives what the desk gives, to whom it may, once, and says every no in one form."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from churn import casework, ledger, offers, people
from churn.api import app, keys
from churn.api.keys import BadService, NoSuchKey
from churn.calls import telephony
from churn.core.offers.question import Ask
from churn.operations import logs
from churn.refusals import ServiceDiffers
from tests.api.conftest import CUSTOMERS, Api, Service

CROWD = 12
SECRET = "s" * 40


def problem(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem of an answer, which is in the form every no has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["status"] == status
    assert told["detail"].endswith(".")
    assert told["what_to_do"]
    assert told.get("code") == code
    return told


def at_once(act: Callable[[int], httpx.Response], many: int = CROWD) -> list[httpx.Response]:
    """The same moment, many times."""
    gate = threading.Barrier(many)

    def go(i: int) -> httpx.Response:
        gate.wait()
        return act(i)

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(go, range(many)))


# decisions ------------------------------------------------------------------------------------------------------------


def test_a_service_is_told_what_a_person_of_its_role_and_team_sees(api: Api, ivr: Service) -> None:
    ann = ledger.open_session(api.world.database, "ann")
    card = casework.open_case(
        api.world.database, casework.Models(), "C1", me=ann, clock=datetime.now(UTC), opened_by="account"
    )
    call = offers.Call(contact_reason="cancel", fault="ours", ask=Ask(amount=2_500))
    seen = offers.make_offer(api.world.database, ann, card, casework.Models(), call).ladder.as_receipt()
    told = ivr.decide("C1", ask={"amount": 2_500, "currency": "GBP"}).json()
    assert told["say_yes"]["sentence"] == seen["say_yes"]["sentence"]
    assert [(r["instrument"], r["amount"], r["reason"]) for r in told["rungs"]] == [
        (r["instrument"], r["amount"], r["reason"]) for r in seen["rungs"]
    ]
    assert {b["instrument"]: [x["amount"] for x in b["limits"]] for b in told["bounds"]} == {
        name: [x["amount"] for x in held] for name, held in seen["bounds"].items()
    }


def test_its_receipt_is_the_desks_own_and_makes_the_same_ladder(api: Api, ivr: Service) -> None:
    told = ivr.decide().json()
    made, receipt = offers.recompute(api.world.database, "batch", UUID(told["decision_id"]))
    assert offers.differences(made, receipt) == []
    assert told["say_yes"]["sentence"] == made.say_yes.sentence
    assert told["receipt_sha256"] == api.one(
        "SELECT encode(sha256(convert_to(receipt::text, 'UTF8')), 'hex') FROM desk.decisions"
    )
    assert api.one("SELECT staff_id FROM desk.decisions") == "api:ivr"


def test_the_same_key_is_answered_the_same_and_another_body_refused(api: Api, ivr: Service) -> None:
    key = uuid4()
    first, again = ivr.decide(key=key), ivr.decide(key=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert first.json()["decision_id"] == str(key)
    problem(ivr.decide("C2", key=key), 409, "KL206")
    problem(ivr.decide(fault="theirs", key=key), 409, "KL206")
    assert api.one("SELECT count(*) FROM desk.decisions") == 1
    assert api.one("SELECT count(*) FROM desk.cases") == 1


def test_the_same_key_sent_by_many_at_once_makes_one_decision(api: Api, ivr: Service) -> None:
    key = uuid4()
    came = at_once(lambda _: ivr.decide(key=key))
    assert {one.status_code for one in came} <= {200, 201}
    assert [one.status_code for one in came].count(201) == 1
    assert all(one.json() == came[0].json() for one in came)
    assert api.one("SELECT count(*) FROM desk.decisions") == 1


def test_amounts_of_another_currency_are_refused(ivr: Service) -> None:
    assert "in GBP" in problem(ivr.decide(ask={"amount": 5, "currency": "EUR"}), 409)["detail"]


def test_whom_nobody_knows_is_not_there(ivr: Service) -> None:
    told = problem(ivr.decide("C404-private"), 404)
    assert "C404" not in json.dumps(told)
    problem(ivr.send("GET", f"/v1/decisions/{uuid4()}"), 404)


# given, once, and never more ------------------------------------------------------------------------------------------


def test_what_is_given_is_in_the_ledger_once(api: Api, ivr: Service) -> None:
    made, terms = ivr.grantable()
    given = ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms)
    again = ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms)
    assert given.status_code == again.status_code == 200
    assert again.json() == given.json()
    assert again.headers["idempotency-replayed"] == "true"
    row = api.world.owner.execute("SELECT entry_id, staff_id, team, amount FROM desk.ledger").fetchall()
    assert row == [(given.json()["entry_id"], "api:ivr", "north", terms["amount"])]
    found = ivr.send("GET", f"/v1/decisions/{made['decision_id']}").json()
    assert found["entry_id"] == given.json()["entry_id"]
    problem(ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms | {"amount": 1}), 409, "KL206")


def test_one_grant_sent_by_many_at_once_is_one_row(api: Api, ivr: Service) -> None:
    made, terms = ivr.grantable()
    came = at_once(lambda _: ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms))
    assert {one.status_code for one in came} == {200}
    assert len({one.json()["entry_id"] for one in came}) == 1
    assert api.one("SELECT sum(amount)::bigint FROM desk.ledger") == terms["amount"]
    assert ledger.reconcile(api.world.database) == []


def test_a_crowd_never_passes_a_budget(api: Api, ivr: Service) -> None:
    made = [ivr.grantable(customer) for customer in CUSTOMERS]
    instrument, amount = made[0][1]["instrument"], made[0][1]["amount"]
    api.world.owner.execute(
        "UPDATE desk.budget_counters c SET amount_limit = %s FROM desk.budgets b WHERE b.budget_id = c.budget_id "
        "AND b.team = 'north' AND b.instrument = %s",
        [3 * amount + 1, instrument],
    )
    came = at_once(lambda i: ivr.send("PUT", f"/v1/decisions/{made[i][0]['decision_id']}/grant", made[i][1]), len(made))
    statuses = [one.status_code for one in came]
    assert statuses.count(200) == 3
    assert {one.json()["code"] for one in came if one.status_code != 200} == {"KL308"}
    assert api.one("SELECT sum(amount)::bigint FROM desk.ledger") == 3 * amount


@pytest.mark.parametrize("amount", [1, 3_501, 8_000, 8_001, 20_000, 10**12, 2**53 - 1])
def test_nothing_that_is_not_on_the_ladder_is_given(api: Api, ivr: Service, amount: int) -> None:
    made, terms = ivr.grantable()
    offered = {(r["instrument"], r["amount"]) for r in made["rungs"]}
    assert (terms["instrument"], amount) not in offered
    told = problem(
        ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms | {"amount": amount}), 409, "KL205"
    )
    assert "not on this ladder" in told["detail"]
    problem(ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms | {"currency": "EUR"}), 409, "KL205")
    assert api.one("SELECT count(*) FROM desk.ledger") == 0
    assert api.one("SELECT max(amount) FROM desk.decision_rungs WHERE NOT needs_approval AND instrument = %s",
                   terms["instrument"]) <= 8_000  # fmt: skip


# not given, closed, asked for -----------------------------------------------------------------------------------------


def test_a_no_is_written_down_once(api: Api, ivr: Service) -> None:
    made, terms = ivr.grantable()
    path = f"/v1/decisions/{made['decision_id']}"
    said = {"answer": "refused_by_caller", "reason": "too little"}
    assert ivr.send("PUT", f"{path}/answer", said).json() == ivr.send("PUT", f"{path}/answer", said).json()
    problem(ivr.send("PUT", f"{path}/answer", said | {"answer": "not_now"}), 409, "KL206")
    problem(ivr.send("PUT", f"{path}/grant", terms), 409, "KL208")
    assert ivr.send("GET", path).json()["answer"] == "refused_by_caller"
    assert api.one("SELECT count(*) FROM desk.decision_answers") == 1


def test_a_case_is_closed_once_and_its_decisions_with_it(api: Api, ivr: Service) -> None:
    made, terms = ivr.grantable()
    path, said = f"/v1/cases/{made['case_id']}/outcome", {"outcome": "resolved", "contact_reason": "fault"}
    closed = ivr.send("PUT", path, said)
    assert (closed.status_code, closed.json()["outcome"]) == (200, "resolved")
    assert ivr.send("PUT", path, said).json() == closed.json()
    problem(ivr.send("PUT", path, said | {"outcome": "cancelled"}), 409, "KL206")
    problem(ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms), 409, "KL204")
    problem(ivr.send("PUT", f"/v1/cases/{uuid4()}/outcome", said), 404)


def test_a_case_closed_elsewhere_is_not_closed_otherwise(api: Api, ivr: Service) -> None:
    made = ivr.decide().json()
    api.world.owner.execute("UPDATE desk.cases SET closed_at = now(), agent_ended_at = now(), outcome = 'dropped'")
    told = problem(ivr.send("PUT", f"/v1/cases/{made['case_id']}/outcome", {"outcome": "resolved"}), 409)
    assert told["detail"] == "The case was closed before, as dropped; nothing was changed."
    assert api.one("SELECT outcome FROM desk.cases") == "dropped"


def above_authority(ivr: Service) -> dict[str, Any]:
    """An ask of more credit than the service may give alone."""
    made = ivr.decide().json()
    ceiling = next(r["ceiling"] for r in made["rungs"] if r["instrument"] == "bill_credit")
    return {"decision_id": made["decision_id"], "instrument": "bill_credit", "amount": min(6_000, ceiling),
            "currency": "GBP", "reason": "line down for nine days"}  # fmt: skip


def test_a_supervisor_says_yes_and_the_service_gives_it(api: Api, ivr: Service) -> None:
    asked, key = above_authority(ivr), uuid4()
    first = ivr.send("POST", "/v1/approvals", asked, key=key)
    assert (first.status_code, first.json()["state"]) == (201, "asked")
    assert ivr.send("POST", "/v1/approvals", asked, key=key).json() == first.json()
    problem(ivr.send("POST", "/v1/approvals", asked | {"amount": 5_000}, key=key), 409, "KL206")
    ledger.approve(api.world.database, api.world["nor"], key, reason="agreed")
    state = ivr.send("GET", f"/v1/approvals/{key}").json()
    assert (state["state"], state["answer_amount"]) == ("approved", asked["amount"])
    terms = {name: asked[name] for name in ("instrument", "amount", "currency")}
    given = ivr.send("PUT", f"/v1/decisions/{asked['decision_id']}/grant", terms | {"approval_id": str(key)})
    assert (given.status_code, given.json()["authorised_by"]) == (200, "nor")
    assert ivr.send("GET", f"/v1/approvals/{key}").json()["state"] == "used"


def test_more_than_policy_allows_cannot_be_asked_for(ivr: Service) -> None:
    told = problem(
        ivr.send("POST", "/v1/approvals", above_authority(ivr) | {"amount": 50_000}, key=uuid4()), 409, "KL309"
    )
    assert told["facts"]["asked"] == 50_000


def test_without_a_yes_nothing_above_authority_is_given(api: Api, ivr: Service) -> None:
    asked, key = above_authority(ivr), uuid4()
    ivr.send("POST", "/v1/approvals", asked, key=key)
    terms = {name: asked[name] for name in ("instrument", "amount", "currency")}
    path = f"/v1/decisions/{asked['decision_id']}/grant"
    problem(ivr.send("PUT", path, terms | {"approval_id": str(key)}), 404, "KL401")
    assert ivr.send("PUT", path, terms).status_code == 409
    assert api.one("SELECT count(*) FROM desk.ledger") == 0


# billing --------------------------------------------------------------------------------------------------------------


def test_what_billing_applied_comes_back(api: Api, ivr: Service) -> None:
    made, terms = ivr.grantable()
    ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms)
    billing = api.service("billing", role="finance", team=None)
    booking = {"key": "T-1", "applied_on": "2026-11-22", "account": "C1", "amount": terms["amount"], "currency": "GBP",
               "reference": made["decision_id"]}  # fmt: skip
    odd = booking | {"key": "T-2", "applied_on": "0385-03-18"}
    key = uuid4()
    came = billing.send("POST", "/v1/billing/bookings", {"bookings": [booking, booking, odd]}, key=key)
    assert came.status_code == 201
    assert came.json() == {"file_id": 1, "taken": 1, "set_aside": [
        {"line": 2, "reason": "Billing’s number was taken in before."},
        {"line": 3, "reason": "0385-03-18 is no day money was applied on."},
    ]}  # fmt: skip
    assert (
        billing.send("POST", "/v1/billing/bookings", {"bookings": [booking, booking, odd]}, key=key).json()
        == came.json()
    )
    late = billing.send("POST", "/v1/billing/bookings", {"bookings": [booking]}, key=uuid4()).json()
    assert (late["taken"], [one["line"] for one in late["set_aside"]]) == (0, [1])
    assert api.one("SELECT sum(amount)::bigint FROM desk.billing_applied") == terms["amount"]
    with api.world.database.transaction(api.world["finn"]) as connection:
        states = connection.execute("SELECT status, promised, applied FROM desk.billing_entries").fetchall()
    assert states == [("applied", terms["amount"], terms["amount"])]


def test_the_same_bookings_sent_by_many_at_once_are_taken_once(api: Api) -> None:
    billing = api.service("billing", role="finance", team=None)
    sent = {"bookings": [{"key": f"T-{i}", "applied_on": "2026-11-22", "account": "C1", "amount": 10, "currency": "GBP"}
                         for i in range(5)]}  # fmt: skip
    shared = uuid4()
    came = at_once(lambda i: billing.send("POST", "/v1/billing/bookings", sent, key=shared if i % 2 else uuid4()))
    assert {one.status_code for one in came} == {201}
    assert api.one("SELECT sum(amount)::bigint FROM desk.billing_applied") == 50


# who may --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["x", "kl_00000000_" + "x" * 43, "x" * 5_000, "kl_zz", "Zm9v"])
def test_a_wrong_key_opens_nothing(api: Api, key: str) -> None:
    nobody = Service(api.http, key, "")
    told = problem(nobody.decide(), 401, "KL891")
    assert nobody.decide().headers["www-authenticate"] == "Bearer"
    assert told["detail"] == "This key is not valid: it is unknown, expired or revoked."
    problem(api.http.get(f"/v1/decisions/{uuid4()}"), 401, "KL891")
    assert api.one("SELECT count(*) FROM desk.sessions WHERE key_id IS NOT NULL") == 0


def test_a_key_taken_back_is_out_at_once(api: Api, ivr: Service) -> None:
    made, terms = ivr.grantable()
    keys.revoke(api.world.database, ivr.key[3:11], by="tests")
    problem(ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms), 401, "KL891")
    assert api.one("SELECT count(*) FROM desk.ledger") == 0
    assert keys.listed(api.world.database)[0].revoked_at is not None
    with pytest.raises(NoSuchKey):
        keys.revoke(api.world.database, "00000000", by="tests")


def test_a_key_ends_by_itself_and_with_its_service(api: Api, ivr: Service) -> None:
    session, owner = api.service("other"), api.world.owner
    owner.execute("UPDATE desk.api_keys SET expires_at = now() + interval '1 hour' WHERE staff_id = 'api:ivr'")
    assert ivr.decide().status_code == 201
    ends = "SELECT k.expires_at = s.expires_at FROM desk.api_keys k JOIN desk.sessions s USING (key_id, staff_id)"
    assert api.one(ends) is True  # who is in by a key is in no longer than the key
    for table in ("api_keys", "sessions"):
        owner.execute(f"UPDATE desk.{table} SET expires_at = clock_timestamp() WHERE staff_id = 'api:ivr'")  # noqa: S608
    problem(ivr.decide(), 401, "KL891")
    assert session.decide().status_code == 201
    people.change(api.world.database, "api:other", is_active=False)
    problem(session.decide(), 401, "KL891")


def test_a_session_that_has_ended_is_opened_again_by_its_key(api: Api, ivr: Service) -> None:
    assert ivr.decide().status_code == 201
    api.world.owner.execute("UPDATE desk.sessions SET last_seen_at = now() - interval '31 minutes'")
    assert ivr.decide("C2").status_code == 201
    assert api.one("SELECT count(*) FROM desk.sessions WHERE key_id IS NOT NULL") == 2


def test_each_role_has_its_own_addresses(api: Api, ivr: Service) -> None:
    billing = api.service("billing", role="finance", team=None)
    assert "finance" in problem(billing.decide(), 403)["detail"]
    booking = {"key": "T", "applied_on": "2026-11-22", "account": "C1", "amount": 1, "currency": "GBP"}
    problem(ivr.send("POST", "/v1/billing/bookings", {"bookings": [booking]}, key=uuid4()), 403)
    assert api.one("SELECT count(*) FROM desk.billing_applied") == 0


def test_another_services_decisions_cases_and_requests_are_not_there(api: Api, ivr: Service) -> None:
    asked, key = above_authority(ivr), uuid4()
    ivr.send("POST", "/v1/approvals", asked, key=key)
    case_id = ivr.send("GET", f"/v1/decisions/{asked['decision_id']}").json()["case_id"]
    other = api.service("chat")
    problem(other.send("GET", f"/v1/decisions/{asked['decision_id']}"), 404)
    problem(other.send("GET", f"/v1/approvals/{key}"), 404)
    problem(other.send("PUT", f"/v1/cases/{case_id}/outcome", {"outcome": "resolved"}), 404)
    terms = {name: asked[name] for name in ("instrument", "amount", "currency")}
    problem(other.send("PUT", f"/v1/decisions/{asked['decision_id']}/grant", terms), 403, "KL202")
    problem(other.decide(key=UUID(asked["decision_id"])), 409)
    problem(api.service("boss", role="supervisor").send("GET", f"/v1/approvals/{key}"), 404)


def test_looking_at_too_many_is_stopped(api: Api, ivr: Service) -> None:
    api.world.owner.execute("INSERT INTO desk.lookup_limits VALUES ('saw', 3, 3)")
    assert [ivr.decide(customer).status_code for customer in CUSTOMERS[:3]] == [201] * 3
    stopped = ivr.decide("C4")
    problem(stopped, 429, "KL701")
    assert stopped.headers["retry-after"] == "60"


def test_a_key_that_asks_without_end_is_told_to_wait_and_the_others_are_not(
    api: Api, ivr: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = api.service("chat")
    mine, its = (f"/v1/decisions/{one.decide().json()['decision_id']}" for one in (ivr, chat))
    monkeypatch.setattr(keys, "MOST_A_MINUTE", 4)
    asked = [ivr.send("GET", mine) for _ in range(4)]
    assert [one.status_code for one in asked] == [200, 200, 200, 429]  # the decision was the first of four
    problem(asked[-1], 429)
    assert asked[-1].headers["retry-after"] == "60"
    assert chat.send("GET", its).status_code == 200


# keys -----------------------------------------------------------------------------------------------------------------


def test_of_a_key_only_its_digest_is_kept(api: Api, ivr: Service) -> None:
    ivr.decide()
    tables = [row[0] for row in api.world.owner.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname IN ('desk', 'feed')")]  # fmt: skip
    for part in (ivr.key, ivr.key.split("_", 2)[2]):
        assert [name for name in tables if api.one(
            f"SELECT EXISTS (SELECT FROM {name} t WHERE position(%s IN t::text) > 0)", part)] == []  # noqa: S608  # fmt: skip
    assert api.one("SELECT key_sha256 FROM desk.api_keys") == keys.digest_of(ivr.key)
    acts = api.world.owner.execute(
        "SELECT act, subject, staff_id FROM desk.audit WHERE subject_kind = 'key' ORDER BY audit_id"
    ).fetchall()
    assert acts == [("made_key", ivr.key[3:11], None), ("signed_in", ivr.key[3:11], "api:ivr")]


@pytest.mark.parametrize(
    ("service", "role", "team"),
    [("IVR Bot", "agent", "north"), ("ivr", "administrator", None), ("ivr", "agent", None), ("", "agent", "north")],
)
def test_a_service_that_cannot_be_is_refused(api: Api, service: str, role: str, team: str | None) -> None:
    with pytest.raises(BadService):
        keys.make(api.world.database, service, role=role, team=team, by="tests")


def test_a_service_has_one_role_and_team_and_is_never_a_person(api: Api, ivr: Service) -> None:
    with pytest.raises(ServiceDiffers, match="api:ivr is there already, as agent of team north"):
        keys.make(api.world.database, "ivr", role="supervisor", team="north", by="tests")
    with pytest.raises(Exception, match="api_keys_staff_id_check"):
        api.world.owner.execute(
            "INSERT INTO desk.api_keys (key_id, key_sha256, staff_id, role, made_by) "
            "VALUES ('0a0a0a0a', sha256('x'), 'ann', 'agent', 'x')"
        )


# hostile requests -----------------------------------------------------------------------------------------------------

BODIES = [
    b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe\x00", b"[" * 30_000, b'{"customer_id": "C1", "a": NaN}', b"{}",
    b'{"customer_id": "\\u0000"}', b'{"customer_id": "\\ud800"}', b'{"customer_id": "C1\\u202eX"}',
    b'{"customer_id": "C1", "customer_id": 7}', b'{"customer_id": "C1", "amount": 5}',
    b'{"customer_id": "C1", "ask": {"amount": -1, "currency": "GBP"}}',
    b'{"customer_id": "C1", "ask": {"amount": 1e400, "currency": "GBP"}}',
    b'{"customer_id": "C1", "ask": {"amount": 99999999999999999999999, "currency": "GBP"}}',
    b'{"customer_id": "C1", "ask": {"amount": 10.5, "currency": "GBP"}}',
    b'{"customer_id": "C1", "ask": {"amount": "5", "currency": "GBP"}}',
    b'{"customer_id": "C1", "ask": {"amount": true, "currency": "GBP"}}',
    b'{"customer_id": "C1", "contact_reason": "<script>alert(1)</script>"}',
    b'{"customer_id": "C1\' OR 1=1 --"}', b'{"customer_id": "' + b"x" * 5_000 + b'"}',
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_hostile_body_is_refused_without_being_said_back(api: Api, ivr: Service, body: bytes) -> None:
    headers = {
        "Authorization": f"Bearer {ivr.key}",
        "Idempotency-Key": str(uuid4()),
        "Content-Type": "application/json",
    }
    answer = api.http.post("/v1/decisions", content=body, headers=headers)
    problem(answer, answer.status_code)
    assert answer.status_code in {400, 404, 422}
    assert "script" not in answer.text
    assert api.one("SELECT count(*) FROM desk.cases") == 0


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", "/v1/decisions", {"Content-Type": "application/json"}, b" " * 70_000, 413),
        ("POST", "/v1/decisions", {"Content-Type": "text/plain"}, b'{"customer_id": "C1"}', 422),
        ("POST", "/v1/decisions", {"Content-Type": "application/json", "Idempotency-Key": "1"}, b"{}", 422),
        ("GET", "/v1/decisions/../../etc/passwd", {}, b"", 404),
        ("GET", "/v1/decisions/%00", {}, b"", 422),
        ("DELETE", "/v1/decisions", {}, b"", 405),
        ("GET", "/docs", {}, b"", 404),
        ("GET", "/v1/nothing", {}, b"", 404),
    ],
)
def test_a_hostile_request_is_refused(  # noqa: PLR0917
    api: Api, ivr: Service, method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = api.http.request(method, path, headers={"Authorization": f"Bearer {ivr.key}"} | headers, content=body)
    problem(answer, status)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged, as it is written."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    logs.configure(stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_log_says_nothing_of_anybody(api: Api, ivr: Service, log: io.StringIO) -> None:
    made, terms = ivr.grantable("C3")
    ivr.send("PUT", f"/v1/decisions/{made['decision_id']}/grant", terms)
    ivr.decide("C404-private")
    api.http.get("/v1/decisions/x?phone=%2B447700900123", headers={"Authorization": f"Bearer {ivr.key}"})
    text = log.getvalue()
    for secret in ("C3", "C404", "Zenobia", "447700900123", made["decision_id"], ivr.key, ivr.key[12:]):
        assert secret not in text
    lines = [json.loads(line) for line in text.splitlines() if '"keepline"' in line]
    assert [line["message"] for line in lines if "request" in line] == [
        "POST /v1/decisions 201", "PUT /v1/decisions/{decision_id}/grant 200", "POST /v1/decisions 404",
        "GET /v1/decisions/{decision_id} 422",
    ]  # fmt: skip


def test_a_request_is_in_the_audit_by_its_id(api: Api, ivr: Service) -> None:
    made = ivr.decide()
    assert api.one("SELECT request_id FROM desk.audit WHERE act = 'saw'") == made.headers["x-request-id"]


# telephony by link, health, the document, the door --------------------------------------------------------------------


def test_a_signed_link_ends_a_call(api: Api, ivr: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    problem(api.http.get("/telephony/call-ended", params=dict.fromkeys(("event", "contact"), "x") | {
        "ended": "1", "expires": "1", "signature": "0" * 64}), 404)  # fmt: skip
    monkeypatch.setenv("KEEPLINE_TELEPHONY_SECRET", SECRET)
    case_id = api.world.case("ann", "C1")
    said = {"event": "e-1", "contact": "K-1", "agent": "ann", "disposition": "resolved",
            "ended": str(int(datetime.now(UTC).timestamp()))}  # fmt: skip
    query = telephony.signed_query(said, SECRET)
    first, again = api.http.get(f"/telephony/call-ended?{query}"), api.http.post(f"/telephony/call-ended?{query}")
    assert first.json() == {"case_id": str(case_id), "is_replay": False}
    assert again.json() == {"case_id": str(case_id), "is_replay": True}
    problem(api.http.get(f"/telephony/call-ended?{query}&agent=abe"), 422)
    problem(api.http.get(f"/telephony/call-ended?{query.replace('resolved', 'cancelled')}"), 403)
    problem(api.http.get(f"/telephony/call-ended?{telephony.signed_query(said, SECRET, seconds=-1)}"), 403)
    other = telephony.signed_query(said | {"disposition": "cancelled"}, SECRET)
    problem(api.http.get(f"/telephony/call-ended?{other}"), 409, "KL881")


def test_health_needs_no_key_and_says_what_is_wrong(api: Api) -> None:
    healthy = api.http.get("/v1/health")
    assert (healthy.status_code, healthy.json()["status"]) == (200, "ok")
    api.world.owner.execute("UPDATE public.keepline_migrations SET sha256 = 'x' WHERE number = 32")
    ill = api.http.get("/v1/health")
    assert (ill.status_code, ill.json()["status"]) == (503, "unavailable")
    assert "0032" in ill.json()["migrations"]


def test_the_document_names_every_no_in_its_form(api: Api) -> None:
    document = api.http.get("/v1/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            told = operation["responses"]
            if path == "/v1/health":
                assert set(told) == {"200", "503"}
                continue
            assert {"403", "422", "503"} <= set(told), (path, method)
            for status, response in told.items():
                media = "application/problem+json" if int(status) >= 400 else "application/json"
                assert list(response["content"]) == [media], (path, method, status)
    assert document["components"]["securitySchemes"] == {"HTTPBearer": {
        "type": "http", "scheme": "bearer", "description": "A key of `python -m churn api-key make`."}}  # fmt: skip


def test_beyond_this_machine_it_takes_tls() -> None:
    with pytest.raises(app.OpenDoor, match="in the clear"):
        app.refuse_open_door("0.0.0.0", None)  # noqa: S104
    app.refuse_open_door("127.0.0.1", None)
    assert set(app.QUIET.values()) == {False}


def test_a_key_may_be_good_for_some_days_only(api: Api) -> None:
    until = datetime.now(UTC) + timedelta(days=2)
    key = keys.make(api.world.database, "short", role="agent", team="north", by="tests", expires_at=until)
    (one,) = keys.listed(api.world.database)
    assert (one.key_id, one.expires_at, one.last_used_at) == (key[3:11], until, None)
