"""The API under a schema fuzzer: over a real database nothing but documented answers, and never a fault of ours."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.api.conftest import CUSTOMERS, Api, Service

EXAMPLES = 20  # for each address and way of asking it
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def known(case: schemathesis.Case, ids: dict[str, list[str]], turn: int) -> None:
    """Every second time the ids are of something that is there, so that the acts behind them are reached."""
    if turn % 2:
        for name, there in ids.items():
            if name in (case.path_parameters or {}):
                case.path_parameters[name] = there[turn // 2 % len(there)]
            if isinstance(case.body, dict) and isinstance(case.body.get(name), str):
                case.body[name] = there[turn // 2 % len(there)]


def fuzz(
    operation: Any, mode: GenerationMode, key: str, ids: dict[str, list[str]], seen: Counter[tuple[str, int]]
) -> None:
    """Ask one address in every way the document allows, or in ways it does not; every answer is checked against it."""
    turns = itertools.count()

    @seed(7)
    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        if mode is GenerationMode.POSITIVE:
            known(case, ids, next(turns))
            if "Idempotency-Key" in (case.headers or {}):
                headers["Idempotency-Key"] = str(uuid4())
        answer = case.call_and_validate(headers=headers)
        seen[(f"{case.method} {case.path}", answer.status_code)] += 1

    if mode is GenerationMode.POSITIVE:
        ask()
    else:
        with suppress(Unsatisfiable):  # where nothing is asked nothing can be asked wrongly
            ask()


@pytest.mark.slow
def test_nothing_but_documented_answers(api: Api, ivr: Service) -> None:
    made = [ivr.decide(customer).json() for customer in CUSTOMERS]
    ids = {
        "customer_id": list(CUSTOMERS),
        "decision_id": [one["decision_id"] for one in made],
        "case_id": [one["case_id"] for one in made],
    }
    billing = api.service("billing", role="finance", team=None)
    schema = schemathesis.openapi.from_url(f"{api.http.base_url}/v1/openapi.json")
    seen: Counter[tuple[str, int]] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        key = (billing if "billing" in operation.path else ivr).key
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
            fuzz(operation, mode, key, ids, seen)
    asked = {place for place, _ in seen}
    assert len(asked) == 11
    assert {status for _, status in seen} <= {200, 201, 400, 401, 403, 404, 409, 422, 429}
    for good in ("POST /v1/decisions", "PUT /v1/decisions/{decision_id}/answer", "PUT /v1/cases/{case_id}/outcome",
                 "POST /v1/billing/bookings", "GET /v1/decisions/{decision_id}", "GET /v1/health"):  # fmt: skip
        assert {200, 201} & {status for place, status in seen if place == good}, f"{good} never went through"
