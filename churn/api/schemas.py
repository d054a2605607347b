"""What the API takes and gives. Money is whole minor units with its currency: 3550 and GBP are £35.50."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from churn.core.records import Outcome

LARGEST = 2**53 - 1  # what every JSON reader keeps exactly
MOST_BOOKINGS = 200


def _whole(value: object) -> object:
    """A whole number as JSON Schema has it: 16 and 16.0, neither "16" nor true."""
    if isinstance(value, bool | str):
        raise ValueError("not a whole number")
    return value


def _not_nothing(value: int) -> int:
    if value == 0:
        raise ValueError("an amount of nothing is no booking")
    return value


WHOLE = BeforeValidator(_whole)
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_. -]+$")]
Account = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x20\x7f]+$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Amount = Annotated[int, Field(ge=0, le=LARGEST, description="Minor units."), WHOLE]
Months = Annotated[int, Field(ge=1, le=120), WHOLE]
Fault = Literal["ours", "theirs", "shared", "none"]


class Taken(BaseModel):
    """What is taken says nothing we do not know."""

    model_config = ConfigDict(extra="forbid")


class AskedMoney(Taken):
    """What the customer said would put it right, in money; over some months, if they said so."""

    amount: Amount
    currency: Currency
    months: Months | None = None


class AskedInKind(Taken):
    """What they said would put it right, by an instrument or a lever of the policy."""

    in_kind: Word


class DecisionAsked(Taken):
    """For whom, and what is known of why they are in touch."""

    customer_id: Account
    contact_reason: Word | None = None
    fault: Fault | None = Field(None, description="Whose fault the problem is.")
    ask: AskedMoney | AskedInKind | None = None
    counter_offers_made: Annotated[int, Field(ge=0, le=20), WHOLE] = 0


class Limit(BaseModel):
    """One limit on giving an instrument, with its reason."""

    kind: str
    amount: int | None = None
    reason: str
    reference: str | None = None
    lifted_by: str | None = None
    lifts_on: date | None = None
    left: int | None = None


class Bound(BaseModel):
    """All limits of one instrument in this case."""

    instrument: str
    limits: list[Limit]


class Rung(BaseModel):
    """One offer. `can_be_given`: it is put in the ledger; the others are said or done."""

    rung: int
    lever: str
    instrument: str
    title: str
    reason: str
    roles: list[str]
    amount: int
    months: int | None
    schedule: list[int] | None
    ceiling: int | None = Field(description="Policy's own, whoever asks.")
    needs_approval: bool
    can_be_given: bool
    cost: int | None
    p_stay: float | None
    gain: int | None


class SayYes(BaseModel):
    """What can be said yes to now, and who could lift it to what."""

    sentence: str
    amount: int
    months: int | None
    instrument: str | None
    limit: Limit | None
    lifts_to: int | None


class Decision(BaseModel):
    """What may be said yes to, as it was stored before it was told. Its id is the key of what is given from it."""

    decision_id: UUID
    case_id: UUID
    customer_id: str
    currency: str
    policy_version: int
    decided_at: datetime
    expires_at: datetime
    contact_reason: str | None
    say_yes: SayYes
    shown: int | None = Field(description="The rung to open with.")
    rungs: list[Rung]
    bounds: list[Bound]
    receipt_sha256: str = Field(description="Of the receipt as it is kept; `python -m churn replay` makes it anew.")
    entry_id: int | None = Field(description="What was given from it.")
    answer: str | None = Field(description="Why nothing was given.")


class GrantAsked(Taken):
    """A rung of the decision, or what a supervisor said yes to."""

    instrument: Word
    amount: Amount
    currency: Currency
    months: Months | None = None
    approval_id: UUID | None = None


class Grant(BaseModel):
    """The ledger's row."""

    entry_id: int
    decision_id: UUID
    customer_id: str
    instrument: str
    amount: int
    currency: str
    months: int | None
    schedule: list[int] | None
    policy_version: int
    authorised_by: str
    approval_id: UUID | None
    given_at: datetime
    booked_on: date


class AnswerAsked(Taken):
    """Nothing was given, and why."""

    answer: Literal["not_now", "refused_by_caller", "cancelled"]
    reason: Line


class Answer(BaseModel):
    """What became of an offer that was not given."""

    decision_id: UUID
    answer: str


class ApprovalAsked(Taken):
    """An ask above the service's own authority."""

    decision_id: UUID
    instrument: Word
    amount: Annotated[int, Field(ge=1, le=LARGEST), WHOLE]
    currency: Currency
    months: Months | None = None
    reason: Line
    seconds: Annotated[int, Field(ge=10, le=1800, description="How long to wait for an answer."), WHOLE] = 300


class Approval(BaseModel):
    """A request with its state as it is now."""

    approval_id: UUID
    decision_id: UUID
    state: Literal["asked", "approved", "countered", "declined", "expired", "withdrawn", "used"]
    instrument: str
    amount: int
    currency: str
    months: int | None
    answer_amount: int | None = Field(description="What may be given now: as asked, or the supervisor's own.")
    answer_months: int | None
    answer_reason: str | None
    requested_at: datetime
    expires_at: datetime
    decided_at: datetime | None


class OutcomeAsked(Taken):
    """How a case ended."""

    outcome: Outcome
    contact_reason: Word | None = None
    fault: Fault | None = None
    would_recommend: Annotated[int, Field(ge=0, le=10), WHOLE] | None = None


class Case(BaseModel):
    """A case and how it ended."""

    case_id: UUID
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    contact_reason: str | None
    fault: str | None


class Booking(Taken):
    """One thing billing applied. Below zero: taken back from the customer."""

    key: Line = Field(description="Billing's own number; the same one is never taken twice.")
    applied_on: date
    account: Account
    amount: Annotated[
        int,
        Field(ge=-LARGEST, le=LARGEST, json_schema_extra={"not": {"const": 0}}),
        WHOLE,
        AfterValidator(_not_nothing),
    ]
    currency: Currency
    entry_id: Annotated[int, Field(ge=1, le=LARGEST), WHOLE] | None = None
    reference: UUID | None = Field(None, description="The decision's id.")


class BookingsSent(Taken):
    """What billing applied, some at a time."""

    bookings: Annotated[list[Booking], Field(min_length=1, max_length=MOST_BOOKINGS)]


class SetAside(BaseModel):
    """A booking that was not taken, by its place in the list (from 1), and why."""

    line: int
    reason: str


class BookingsTaken(BaseModel):
    """What became of them."""

    file_id: int
    taken: int
    set_aside: list[SetAside]


class CallTaken(BaseModel):
    """The case a call's end was about."""

    case_id: UUID
    is_replay: bool


class Healthy(BaseModel):
    """Whether this process can serve, and each thing looked at in a word."""

    status: str
    database: str
    migrations: str
    models: Any = None
