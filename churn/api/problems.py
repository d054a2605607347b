"""Every no of the API in one form (RFC 9457): what is wrong in a sentence, what to do, and the request's id.

Nothing of the request is said back: it may hold personal data, and logs keep what they are given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from churn.api.keys import TooFast
from churn.calls import telephony
from churn.offers import NoPolicy
from churn.operations import faults, logs
from churn.refusals import Busy, ReadOnly, Refusal, Unconfirmed
from churn.store import NoCompany, NoSuchCustomer
from churn.web.secrets_file import NoSecret

MEDIA = "application/problem+json"
AGAIN_SECONDS, PATIENCE_SECONDS = "1", "60"

# SQLSTATE, or its class in three letters → status.
STATUS = {
    "KL105": 403, "KL202": 403, "KL201": 404, "KL401": 404, "KL701": 429, "KL882": 404,
    "KL891": 401, "KL1": 401, "KL": 409,
}  # fmt: skip
WHAT_TO_DO = {
    400: "Send JSON as the OpenAPI document describes it.",
    401: "Send a key that is in use: Authorization: Bearer kl_…; `python -m churn api-key make` makes one.",
    403: "Use a key of the role that may do this.",
    404: "Check the id; what belongs to another service or person is not found either.",
    405: "See the Allow header.",
    409: "Read the sentence: what was asked is not so any more. Ask for a fresh decision where it is about one.",
    413: "Send less at once.",
    415: "Send Content-Type: application/json.",
    422: "Mend what is named and send it again, under the same key if it has not been used.",
    429: "Wait as long as Retry-After says.",
    500: "Tell whoever runs Keepline the request id. Sending the same again under the same key is safe.",
    503: "Send the same again under the same key after Retry-After: it is done once.",
}
TITLES = {
    400: "Not readable", 401: "Not signed in", 403: "Not allowed", 404: "Not there", 405: "No such method",
    409: "Refused", 413: "Too large", 415: "Not JSON", 422: "Not as described", 429: "Too many", 500: "Our fault",
    503: "Busy",
}  # fmt: skip


class Problem(BaseModel):
    """Why not."""

    type: str = Field(description="urn:keepline: and the code, or about:blank.")
    title: str
    status: int
    detail: str = Field(description="One sentence a person can act on.")
    what_to_do: str
    request_id: str = Field(description="Also in X-Request-Id, the log and the audit.")
    code: str | None = Field(None, description="The desk's own code of a refusal, such as KL301.")
    who_can_lift: str | None = None
    facts: dict[str, Any] | None = Field(None, description="Figures behind it: limit, asked, left. Minor units.")
    errors: list[dict[str, str]] | None = Field(None, description="What is not as described: where, and why.")


class Refused(Exception):
    """The API itself says no: a status with its sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def answer(status: int, sentence: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """One problem, as it is sent."""
    code = more.get("code")
    told = Problem(
        type=f"urn:keepline:{code}" if code else "about:blank",
        title=TITLES.get(status, "Refused"),
        status=status,
        detail=sentence,
        what_to_do=WHAT_TO_DO.get(status, WHAT_TO_DO[409]),
        request_id=logs.request_id.get(),
        **more,
    )
    held = {
        401: {"www-authenticate": "Bearer"},
        429: {"retry-after": PATIENCE_SECONDS},
        503: {"retry-after": AGAIN_SECONDS},
    }
    return JSONResponse(
        told.model_dump(exclude_none=True),
        status,
        headers={**held.get(status, {}), **(headers or {}), "cache-control": "no-store"},
        media_type=MEDIA,
    )


def of_refusal(refusal: Refusal) -> JSONResponse:
    """The desk's own no."""
    if isinstance(refusal, Busy | ReadOnly | Unconfirmed):
        return answer(503, str(refusal))
    code = refusal.code
    facts = json.loads(json.dumps(dict(refusal.facts), default=str)) or None
    return answer(status_of(code), str(refusal), code=code, who_can_lift=refusal.who_can_lift, facts=facts)


def status_of(code: str) -> int:
    """The status a refusal's SQLSTATE is answered with."""
    return next(STATUS[key] for key in (code, code[:3], "KL") if key in STATUS)


def install(app: FastAPI) -> None:
    """Answer everything that goes wrong in this form."""

    def handle(kind: type[Exception], told: Callable[[Any], JSONResponse]) -> None:
        async def handler(_request: Request, error: Exception) -> JSONResponse:
            return told(error)

        app.add_exception_handler(kind, handler)

    handle(Refused, lambda no: answer(no.status, no.sentence))
    handle(Refusal, of_refusal)
    handle(NoSuchCustomer, lambda _: answer(404, "There is no customer with this account."))
    handle(TooFast, lambda no: answer(429, str(no)))
    handle(NoPolicy, lambda no: answer(409, str(no)))
    handle(NoCompany, lambda no: answer(503, str(no)))
    handle(NoSecret, lambda _: answer(503, "The telephone system’s secret is not set up as it must be."))
    handle(telephony.BadLink, lambda no: answer(422, str(no)))
    handle(telephony.LinkRefused, lambda no: answer(403, str(no)))
    handle(RequestValidationError, _not_as_described)
    handle(HTTPException, _of_http)
    for kind in faults.OF_DATABASE:
        handle(kind, _of_database)
    handle(Exception, lambda _: answer(500, "Something went wrong here."))


def _not_as_described(error: RequestValidationError) -> JSONResponse:
    found = [
        {"where": ".".join(str(part)[:60] for part in one["loc"]), "why": str(one["msg"])[:200]}
        for one in error.errors()[:20]
    ]
    if any(one["type"] == "json_invalid" for one in error.errors()):
        return answer(400, "The body is not JSON.")
    return answer(422, f"{len(found)} things are not as described.", errors=found)


def _of_http(error: HTTPException) -> JSONResponse:
    sentences = {
        404: "There is nothing under this address.",
        405: "This address does not take that method.",
        413: "The body is larger than 64 KiB.",
        400: "The body cannot be read.",
    }
    return answer(error.status_code, sentences.get(error.status_code, "Refused."), headers=error.headers)


def _of_database(error: Exception) -> JSONResponse:
    sentence = faults.sentence_of(error)
    if sentence is None:
        logs.LOG.error("A request failed", exc_info=error)
        return answer(500, "Something went wrong here.")
    return answer(503, sentence)
