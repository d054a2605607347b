"""Named refusals of the ledger: one class per SQLSTATE of class KL, its docstring the sentence when there is no better.

The database says, in English, what is wrong with the figures of the case; in another language a refusal says the same
where it knows how, else the sentence of its class. `facts` holds the figures, and `who_can_lift` names whom to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from churn.core.language import ENGLISH, current, t
from churn.core.refused import reworded


@dataclass(eq=False)
class Refusal(Exception):
    """The desk refuses this."""

    sentence: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    who_can_lift: str | None = None
    code: ClassVar[str] = ""

    def __str__(self) -> str:
        """The database's sentence, else the class's own, in the language spoken here."""
        own = type(self).__doc__ or ""
        if current().code == ENGLISH.code or not self.code:  # without a code it is no refusal of the database
            return self.sentence or t(own)
        return reworded(self.sentence) or t(own)


class NotSignedIn(Refusal):
    """You are not signed in; sign in and try again."""

    code = "KL101"


class SessionEnded(Refusal):
    """Your session has ended; sign in again. What you typed is kept."""

    code = "KL102"


class RoleChanged(Refusal):
    """Your role has changed since you signed in; sign in again."""

    code = "KL103"


class PersonUnknown(Refusal):
    """This is not a person who may do that; ask an administrator."""

    code = "KL104"


class RoleMayNot(Refusal):
    """Your role may not do this."""

    code = "KL105"


class DecisionUnknown(Refusal):
    """This offer was never recorded; open the case again for a fresh one."""

    code = "KL201"


class NotYourDecision(Refusal):
    """This offer belongs to another person's call."""

    code = "KL202"


class DecisionExpired(Refusal):
    """This offer has expired; a fresh one takes a second. What you typed is kept."""

    code = "KL203"


class CallClosed(Refusal):
    """This call is closed; open the case again."""

    code = "KL204"


class NotOffered(Refusal):
    """These terms are not on this ladder."""

    code = "KL205"


class KeyReused(Refusal):
    """This request key was used with other terms; nothing more was given."""

    code = "KL206"


class PolicyChanged(Refusal):
    """The policy has changed since this was offered; a fresh offer takes a second."""

    code = "KL207"


class AlreadyAnswered(Refusal):
    """This offer was answered with no; a fresh one takes a second."""

    code = "KL208"


class OutsidePolicy(Refusal):
    """The policy knows no such offer."""

    code = "KL209"


class AboveAuthority(Refusal):
    """This is more than you may give alone; ask a supervisor."""

    code = "KL301"


class NoAuthority(Refusal):
    """You have no authority for this; ask a supervisor."""

    code = "KL302"


class AuthorityUsedUp(Refusal):
    """With this the limit for the day, week or month would be passed; ask a supervisor."""

    code = "KL303"


class RollingCapReached(Refusal):
    """This customer has had as much as one may get in this time."""

    code = "KL304"


class CoolingDown(Refusal):
    """They had the same lately; it may be given again later."""

    code = "KL305"


class GivenTooOften(Refusal):
    """They had this as often as policy allows."""

    code = "KL306"


class NoBudget(Refusal):
    """There is no budget for this; finance sets one."""

    code = "KL307"


class BudgetExhausted(Refusal):
    """The team's budget does not hold this much any more; finance may add to it."""

    code = "KL308"


class AboveCeiling(Refusal):
    """Policy does not allow as much here, whoever asks."""

    code = "KL309"


class RequestUnknown(Refusal):
    """There is no such request, or no yes to it."""

    code = "KL401"


class RequestNotOpen(Refusal):
    """The request is in a state that this does not start from."""

    code = "KL402"


class OwnRequest(Refusal):
    """You asked this yourself; another supervisor must answer."""

    code = "KL403"


class OtherTeam(Refusal):
    """This belongs to another team."""

    code = "KL404"


class ApprovalExpired(Refusal):
    """The yes has expired; ask again."""

    code = "KL405"


class OtherTerms(Refusal):
    """The yes was to other terms."""

    code = "KL406"


class NoNeedToAsk(Refusal):
    """You may give this alone; no need to ask."""

    code = "KL407"


class AlreadyAsked(Refusal):
    """For this offer you asked already."""

    code = "KL408"


class EntryUnknown(Refusal):
    """There is no such entry."""

    code = "KL501"


class AlreadyTakenBack(Refusal):
    """This was taken back already."""

    code = "KL502"


class NotReversible(Refusal):
    """Only a grant can be taken back, and only as it was given."""

    code = "KL503"


class OwnGrant(Refusal):
    """You gave this yourself; another supervisor must reverse it."""

    code = "KL504"


class MonthClosed(Refusal):
    """The month is closed; what belongs to it goes into the open one."""

    code = "KL505"


class MonthNotOver(Refusal):
    """The month is not over yet."""

    code = "KL506"


class OwnProposal(Refusal):
    """You proposed this yourself; a second person must confirm."""

    code = "KL507"


class BudgetUnchanged(Refusal):
    """The budget cannot be changed like that."""

    code = "KL508"


class NoSuchDifference(Refusal):
    """There is no such difference with billing; it may have been mended since."""

    code = "KL511"


class SettlementNeedsReason(Refusal):
    """Say in a few words why this difference is settled."""

    code = "KL512"


class PolicyPublished(Refusal):
    """A published policy stands; draft a new one."""

    code = "KL601"


class OwnDraft(Refusal):
    """You drafted this yourself; a second person must publish it."""

    code = "KL602"


class PolicyBackdated(Refusal):
    """A policy begins now or later, never in the past."""

    code = "KL603"


class PolicyUnknown(Refusal):
    """There is no such policy version."""

    code = "KL604"


class PolicyNotChecked(Refusal):
    """This version did not pass its checks as it is now; publish it from the policy page, which checks it."""

    code = "KL605"


class TooManyLookups(Refusal):
    """You have looked up more than one person may; wait a little."""

    code = "KL701"


class NotOnYourLine(Refusal):
    """They are not on your line; open their case first."""

    code = "KL702"


class ReasonMissing(Refusal):
    """Say in a few words what you need it for."""

    code = "KL703"


class NobodyHeld(Refusal):
    """There is no customer of this account."""

    code = "KL801"


class ErasureNeedsReason(Refusal):
    """Say in a few words who asked for it and when."""

    code = "KL802"


class NoSuchPeriod(Refusal):
    """A period is 1 to 36,500 days and has a reason."""

    code = "KL803"


class NoSuchMapping(Refusal):
    """There is no such mapping."""

    code = "KL811"


class OtherMapping(Refusal):
    """This is not the mapping you have read; look at it again."""

    code = "KL812"


class MappingInForce(Refusal):
    """This mapping is in force already."""

    code = "KL813"


class MappingUnexplained(Refusal):
    """Say in a few words why."""

    code = "KL814"


class CompanyUnnamed(Refusal):
    """Say first whose company this is."""

    code = "KL815"


class NoSuchProblem(Refusal):
    """There is no such problem."""

    code = "KL851"


class ProblemStands(Refusal):
    """The problem cannot become that from where it is."""

    code = "KL852"


class ProblemIncomplete(Refusal):
    """Something is missing: the department that owns it, or the day it was fixed."""

    code = "KL853"


class NoSuchChange(Refusal):
    """There is no such planned change."""

    code = "KL861"


class ChangeIncomplete(Refusal):
    """Something is missing or too long: department, kind, title, start."""

    code = "KL862"


class ChangeHasBegun(Refusal):
    """It has begun, or would begin in the past."""

    code = "KL863"


class NoSuchModelToUse(Refusal):
    """There is no such model to put into use."""

    code = "KL871"


class ModelInUse(Refusal):
    """This version is in use already."""

    code = "KL872"


class OwnModel(Refusal):
    """You made this model; somebody else must put it into use."""

    code = "KL873"


class PromotionUnexplained(Refusal):
    """Say in a few words why this model is put into use."""

    code = "KL874"


class EventReused(Refusal):
    """This event's id was used for another event."""

    code = "KL881"


class NoSuchCall(Refusal):
    """No open case is this call."""

    code = "KL882"


class SeveralCases(Refusal):
    """Several open cases could be this call."""

    code = "KL883"


class WrapUpUnknown(Refusal):
    """This wrap-up code means nothing here yet."""

    code = "KL884"


class CallInTheFuture(Refusal):
    """The call would end in the future."""

    code = "KL885"


class CallLate(Refusal):
    """This comes too late, or belongs to an earlier call; the case stays as it is."""

    code = "KL886"


class OtherOutcome(Refusal):
    """The case was closed otherwise; nothing was changed."""

    code = "KL887"


class KeyInvalid(Refusal):
    """This key is not valid: it is unknown, expired or revoked."""

    code = "KL891"


class ServiceDiffers(Refusal):
    """A service of this name is there already, with another role or team."""

    code = "KL892"


class AppendOnly(Refusal):
    """Rows of the ledger are never changed or removed; add a row that corrects."""

    code = "KL901"


class PolicyHasProblems(Refusal):
    """The draft has problems; mend them before it is published."""


class CasesNotGreen(Refusal):
    """Cases of the draft do not come out as written; mend rules or cases before it is published."""


class Busy(Refusal):
    """The desk is busy; nothing was done. Try again in a moment."""


class ReadOnly(Refusal):
    """The database takes no changes just now; nothing was done. Try again in a moment."""


class Unconfirmed(Refusal):
    """Not confirmed yet, checking. It was done once or not at all; asking by its key tells which."""


BY_CODE: Mapping[str, type[Refusal]] = {kind.code: kind for kind in Refusal.__subclasses__() if kind.code}
"""SQLSTATE → refusal. The only place where one becomes the other."""


def refusal(code: str, sentence: str, facts: Mapping[str, Any] | None, who_can_lift: str | None) -> Refusal:
    """The named refusal of a SQLSTATE; a code nobody named is still a Refusal."""
    return BY_CODE.get(code, Refusal)(sentence, facts or {}, who_can_lift or None)
