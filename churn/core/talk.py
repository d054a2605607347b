"""What to say on the way: questions that find the problem before money, and an apology that ends in a question."""

from __future__ import annotations

from churn.core import words
from churn.core.scene import Scene

NEEDS = {
    "fault": ("What were you doing when it stopped?", "Since when, and how often?", "Who at home depends on it most?"),
    "price": ("What made you look at the price now?", "What do you use most, and what hardly ever?",
              "What have you been offered elsewhere?"),
    "bill": ("Which line on the bill surprised you?", "What did you expect to pay?"),
    "cancel": ("What would have to be different for you to stay?", "When did you first think of leaving?",
               "What would you miss?"),
    "complaint": ("What happened, in your own words?", "What would put it right?"),
    "payment": ("Is it this month, or has it become hard to pay?", "Which day of the month would suit you?"),
    "move": ("Where are you moving, and when?", "Will you need it from the first day there?"),
    "upgrade": ("What would you like to do that you cannot do now?",),
}  # fmt: skip
ANY_NEED = ("What brings you to us today?", "What would put it right?")


def needs_questions(contact_reason: str | None) -> tuple[str, ...]:
    """Questions that find the problem, for a contact reason of whatever spelling; the general ones otherwise."""
    reason = (contact_reason or "").lower()
    return next((asked for word, asked in NEEDS.items() if word in reason), ANY_NEED)


def apology(scene: Scene, contact_reason: str | None) -> tuple[tuple[str, str], ...]:
    """Four steps when the fault is ours: recognise, acknowledge, apologise, ask. Each is (step, sentence)."""
    names_it = contact_reason and not any(word in contact_reason.lower() for word in ("cancel", "complaint"))
    about = f"the {words.spoken(contact_reason)}" if contact_reason and names_it else "this"
    open_since = scene.inbound(90, unresolved=True)
    what = (
        f"You have told us about it {len(open_since)} times since {scene.day(open_since[-1].started_at)}."
        if len(open_since) > 1
        else f"I can see what happened with {about}."
    )
    return (
        ("Recognise", what),
        ("Acknowledge", "That has cost you time, and it should not have happened."),
        ("Apologise", "It is our fault, and I am sorry."),
        ("Ask", "What would put it right for you?"),
    )
