"""What to say on the way: questions that find the problem before money, and an apology that ends in a question."""

from __future__ import annotations

from churn.core import words
from churn.core.calls.scene import Scene
from churn.core.language import mark, t, tc, tn

NEEDS = {
    "fault": (
        mark("What were you doing when it stopped?"),
        mark("Since when, and how often?"),
        mark("Who at home depends on it most?"),
    ),
    "price": (
        mark("What made you look at the price now?"),
        mark("What do you use most, and what hardly ever?"),
        mark("What have you been offered elsewhere?"),
    ),
    "bill": (mark("Which line on the bill surprised you?"), mark("What did you expect to pay?")),
    "cancel": (
        mark("What would have to be different for you to stay?"),
        mark("When did you first think of leaving?"),
        mark("What would you miss?"),
    ),
    "complaint": (mark("What happened, in your own words?"), mark("What would put it right?")),
    "payment": (
        mark("Is it this month, or has it become hard to pay?"),
        mark("Which day of the month would suit you?"),
    ),
    "move": (mark("Where are you moving, and when?"), mark("Will you need it from the first day there?")),
    "upgrade": (mark("What would you like to do that you cannot do now?"),),
}
ANY_NEED = (mark("What brings you to us today?"), mark("What would put it right?"))


def needs_questions(contact_reason: str | None) -> tuple[str, ...]:
    """Questions that find the problem, for a contact reason of whatever spelling; the general ones otherwise."""
    reason = (contact_reason or "").lower()
    return tuple(map(t, next((asked for word, asked in NEEDS.items() if word in reason), ANY_NEED)))


def apology(scene: Scene, contact_reason: str | None) -> tuple[tuple[str, str], ...]:
    """Four steps when the fault is ours: recognise, acknowledge, apologise, ask. Each is (step, sentence)."""
    names_it = contact_reason and not any(word in contact_reason.lower() for word in ("cancel", "complaint"))
    open_since = scene.inbound(90, unresolved=True)
    if len(open_since) > 1:
        what = tn(
            len(open_since),
            "You have told us about it {n} time since {day}.",
            "You have told us about it {n} times since {day}.",
            day=scene.day(open_since[-1].started_at),
        )
    elif contact_reason and names_it:
        what = t("I can see what happened with the {reason}.", reason=words.spoken(contact_reason))
    else:
        what = t("I can see what happened with this.")
    return (
        (t("Recognise"), what),
        (t("Acknowledge"), t("That has cost you time, and it should not have happened.")),
        (t("Apologise"), t("It is our fault, and I am sorry.")),
        (tc("step of an apology", "Ask"), t("What would put it right for you?")),
    )
