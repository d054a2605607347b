"""Every address of the API: who may ask, what is taken, what is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from churn.api import acts, schemas
from churn.api.acts import Desk
from churn.api.problems import Refused
from churn.calls import telephony
from churn.core.grants import Session

T = TypeVar("T")
router = APIRouter(prefix="/v1")
calls = APIRouter(prefix="/telephony")
bearer = HTTPBearer(auto_error=False, description="A key of `python -m churn api-key make`.")

COMMON = (400, 401, 403, 413, 422, 429, 503)  # what any request with a key may be answered with
REPLAYED = "Idempotency-Replayed"
SAID, SECONDS = r"^[\x20-\x7e]{1,128}$", r"^[0-9]{1,10}$"


def desk_of(request: Request) -> Desk:
    """What this process serves from."""
    desk: Desk = request.app.state.desk
    return desk


DeskHere = Annotated[Desk, Depends(desk_of)]


def signed_in(desk: DeskHere, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Session:
    """Who asks. Raises KeyInvalid."""
    return desk.keys.session(given.credentials if given else "")


def _desk_only(me: Annotated[Session, Depends(signed_in)]) -> Session:
    return _in_role(me, "agent", "supervisor")


def _finance_only(me: Annotated[Session, Depends(signed_in)]) -> Session:
    return _in_role(me, "finance")


def _in_role(me: Session, *roles: str) -> Session:
    if me.role not in roles:
        raise Refused(403, f"This takes a key of role {' or '.join(roles)}; yours is {me.role}.")
    return me


OnDesk = Annotated[Session, Depends(_desk_only)]
InFinance = Annotated[Session, Depends(_finance_only)]
Key = Annotated[
    UUID,
    Header(alias="Idempotency-Key", description="A fresh UUID for each request; the same again is answered again."),
]
Id = Annotated[UUID, Path()]


def refusals(*statuses: int, common: Sequence[int] = COMMON) -> dict[int | str, dict[str, Any]]:
    """The nos of an address, for the OpenAPI document."""
    return {status: {"description": "See the problem’s sentence."} for status in sorted({*common, *statuses})}


@router.post("/decisions", tags=["decisions"], status_code=201, responses=refusals(404, 409))
def decide(asked: schemas.DecisionAsked, key: Key, desk: DeskHere, me: OnDesk, response: Response) -> schemas.Decision:
    """What may be said yes to for a customer, with reasons and bounds. Takes the customer on the line."""
    found, is_replay = acts.decide(desk, me, key, asked)
    return _told(response, found, is_replay=is_replay)


@router.get("/decisions/{decision_id}", tags=["decisions"], responses=refusals(404))
def decision(decision_id: Id, desk: DeskHere, me: OnDesk) -> schemas.Decision:
    """A decision as it was told, with what became of it."""
    found = acts.decision(desk.database, me, decision_id)
    if found is None:
        raise acts.not_there("decision")
    return found


@router.put("/decisions/{decision_id}/grant", tags=["decisions"], responses=refusals(404, 409))
def give(decision_id: Id, asked: schemas.GrantAsked, desk: DeskHere, me: OnDesk, response: Response) -> schemas.Grant:
    """Given: a rung of the decision goes into the ledger, once. The decision's id is the key."""
    entry, is_replay = acts.give(desk.database, me, decision_id, asked)
    return _told(response, entry, is_replay=is_replay)


@router.put("/decisions/{decision_id}/answer", tags=["decisions"], responses=refusals(404, 409))
def answer(decision_id: Id, asked: schemas.AnswerAsked, desk: DeskHere, me: OnDesk) -> schemas.Answer:
    """Not given, and why, once."""
    return acts.answer(desk.database, me, decision_id, asked)


@router.post("/approvals", tags=["approvals"], status_code=201, responses=refusals(404, 409))
def ask_approval(asked: schemas.ApprovalAsked, key: Key, desk: DeskHere, me: OnDesk) -> schemas.Approval:
    """Ask a supervisor for more than the service may give alone. The key is the request's id."""
    return acts.ask_approval(desk.database, me, key, asked)


@router.get("/approvals/{approval_id}", tags=["approvals"], responses=refusals(404))
def approval(approval_id: Id, desk: DeskHere, me: OnDesk) -> schemas.Approval:
    """A request with its state now; ask every few seconds."""
    return acts.approval(desk.database, me, approval_id)


@router.put("/cases/{case_id}/outcome", tags=["cases"], responses=refusals(404, 409))
def close(case_id: Id, asked: schemas.OutcomeAsked, desk: DeskHere, me: OnDesk) -> schemas.Case:
    """How the case ended, once; its decisions end with it."""
    return acts.close(desk.database, me, case_id, asked)


@router.post("/billing/bookings", tags=["billing"], status_code=201, responses=refusals(409))
def take_bookings(sent: schemas.BookingsSent, key: Key, desk: DeskHere, me: InFinance) -> schemas.BookingsTaken:
    """What billing applied of what was granted: held against the ledger like an imported file."""
    return acts.take_bookings(desk.database, me, key, sent)


@router.get("/health", tags=["operations"], responses={503: {"model": schemas.Healthy}})
def health(desk: DeskHere) -> JSONResponse:
    """Whether this process can serve. Needs no key."""
    is_ready, found = desk.health.ready()
    told = schemas.Healthy(
        status="ok" if is_ready else "unavailable", **{k: found[k] for k in ("database", "migrations", "models")}
    )
    return JSONResponse(told.model_dump(), 200 if is_ready else 503)


LINKED = refusals(403, 404, 409, 413, 422, 503, common=())  # without a key: the signature is the proof


@calls.get("/call-ended", tags=["telephony"], operation_id="call_ended", responses=LINKED)
@calls.post("/call-ended", tags=["telephony"], operation_id="call_ended_by_post", responses=LINKED)
def call_ended(  # noqa: PLR0917 - its parameters are the link’s
    request: Request,
    desk: DeskHere,
    event: Annotated[str, Query(pattern=SAID, description="The event’s own id: the same one is taken once.")],
    contact: Annotated[str, Query(pattern=SAID, description="The call’s id in the telephone system.")],
    ended: Annotated[str, Query(pattern=SECONDS, description="When it ended, seconds since 1970.")],
    expires: Annotated[str, Query(pattern=SECONDS, description="Until when the link is good, seconds since 1970.")],
    signature: Annotated[str, Query(pattern="^[0-9a-f]{64}$", description="HMAC-SHA256 of all others, in hex.")],
    agent: Annotated[str | None, Query(pattern=SAID, description="Staff key or sign-in of who had the call.")] = None,
    disposition: Annotated[str | None, Query(pattern=SAID, description="The wrap-up code.")] = None,
) -> schemas.CallTaken:
    """The end of a call by a signed link: no key, the signature is the proof (docs/telephony.md)."""
    _ = (event, contact, ended, expires, signature, agent, disposition)  # read together, as they were signed
    secret = telephony.secret()
    if secret is None:
        raise Refused(404, "Signed links are off: there is no [telephony] secret.")
    taken = telephony.take(desk.database, telephony.read_link(request.query_params.multi_items(), secret))
    return schemas.CallTaken(case_id=taken.case_id, is_replay=taken.is_replay)


def _told(response: Response, found: T, *, is_replay: bool) -> T:
    if is_replay:
        response.headers[REPLAYED] = "true"
        response.status_code = 200
    return found
