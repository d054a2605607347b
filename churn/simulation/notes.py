"""Plain-text notes as agents type them: opening, problem, detail, what was done; with abbreviations and typos.

Each note is drawn part by part, all at once for many contacts. Words for one reason never appear under another but by
the agents' own habits, so that topics can be found; a planted burst has words of its own.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn.simulation.chance import Chance, Ints
from churn.simulation.happenings import CODE, REASONS
from churn.simulation.people import words

OPENINGS = {
    "call": (
        "Cust called", "Customer rang", "Cx called in", "Caller says", "Spoke to acct holder,", "Inbound call,",
        "Call from customer,", "Cust on the line,", "ID&V passed,", "Passed security,", "Customer phoned, says",
        "Cust rang back,",
    ),
    "chat": (
        "Chat:", "Webchat, customer writes", "Live chat -", "Chat from app:", "Customer on chat says", "chat,",
        "Message via app:", "Chat session:",
    ),
    "email": (
        "E-mail received:", "Customer writes:", "Email in -", "By e-mail:", "Mail from customer,", "Cust emailed,",
    ),
    "letter": ("Letter received,", "By post:", "Letter scanned,", "Written complaint route,"),
}  # fmt: skip
PROBLEMS: dict[str, tuple[str, ...]] = {
    "fault": (
        "broadband keeps dropping", "no internet since {day}", "router shows no light",
        "speed well below what was sold",
        "wifi drops in the evenings", "line very slow, buffering", "connection goes off every few hours",
        "no sync on the router", "phone line crackles and broadband drops", "internet down again",
        "TV box freezes", "no signal on mobile at home", "upload is unusable for work calls",
    ),
    "billing": (
        "bill higher than expected", "does not understand the bill", "charged for something not ordered",
        "asks why bill went up this month", "query on part-month charge", "double charge on the bill",
        "credit promised not on bill", "roaming charge disputed", "asks for breakdown of invoice",
        "setup fee was meant to be waived",
    ),
    "price": (
        "unhappy with price rise", "seen cheaper deal elsewhere", "asks for a better price",
        "says new customers pay less",
        "price went up after contract ended", "cannot afford current package", "comparing with another provider",
        "wants loyalty discount", "asks what deals we have",
    ),
    "complaint": (
        "complaint about how fault was handled", "not happy with previous agent", "promised call back never came",
        "third time asking about the same thing", "wants to raise formal complaint", "says nobody listens",
        "engineer did not turn up", "asks for a manager", "feels let down after years with us",
    ),
    "move_home": (
        "moving house on {day}", "wants to take service to new address", "asks if we serve new postcode",
        "moving in with family, asks about options", "new build, no line yet",
    ),
    "upgrade": (
        "asks about faster broadband", "interested in full fibre", "wants to add a mobile", "wants to upgrade phone",
        "asks about TV bundle", "wants bigger data allowance", "asks about offer in the mail",
    ),
    "payment": (
        "direct debit failed", "wants to change payment date", "asks to pay by card", "payment taken twice",
        "cannot pay until payday", "changed bank, new details needed", "wants payment plan", "late fee disputed",
    ),
    "installation": (
        "asks when engineer is coming", "install date moved without notice", "router not arrived", "activation delayed",
        "engineer could not find the cabinet", "wants earlier appointment", "number not ported yet",
    ),
    "account": (
        "locked out of the app", "password reset", "change of name on account", "update e-mail address",
        "wants partner added to account", "app shows wrong plan", "cannot see bills online", "asks for account number",
    ),
    "usage": (
        "asks how much data is left", "data used up early", "thinks usage figures are wrong",
        "asks about roaming in Spain",
        "wants usage alerts", "child used all the data",
    ),
    "cancel": (
        "wants to cancel", "asks for cancellation", "wants to leave at end of term", "asking how to leave",
        "has offer from another provider", "wants to stop the service", "asks about leaving fee",
        "wants out of contract",
    ),
    "renewal": ("called about renewal offer", "contract end reminder call", "renewal options explained"),
    "service_update": (
        "service update sent", "planned works notice sent", "welcome tips sent", "monthly newsletter sent",
    ),
    "collections": ("reminder for unpaid bill", "second reminder, bill unpaid", "payment arrangement letter sent"),
    "satisfaction_survey": ("survey invitation sent", "asked for feedback after last contact"),
}  # fmt: skip
DETAILS: dict[str, tuple[str, ...]] = {
    "fault": (
        "restarted router, no change", "tested line, noise seen", "swapped cable, better for now",
        "lights orange then off",
        "neighbour has the same", "working from home so urgent", "speed test 4 down 1 up", "already reset twice",
        "happens when it rains", "only in back bedroom",
    ),
    "billing": (
        "went through invoice line by line", "charge is for films", "part month plus month ahead",
        "old discount has run out",
        "compared with last bill", "charge looks right", "charge looks wrong to me",
    ),
    "price": (
        "on standard price since term ended", "paying more than web price", "out of contract for a while",
        "would stay for right price", "has quote in hand", "budget is tight this year",
    ),
    "complaint": (
        "apologised and took details", "timeline is long, see older notes", "has kept a list of dates",
        "wants it in writing", "very upset", "calm but firm",
    ),
    "cancel": (
        "asked for the reason", "went through needs", "mentions price", "mentions service", "mentions competitor",
        "usage checked", "explained notice period", "explained what leaving means",
    ),
    "other": (
        "checked account", "details confirmed", "explained process", "sent link by text", "walked through steps",
        "all in order on system", "used knowledge base",
    ),
}  # fmt: skip
DONE = (
    "sorted, happy with that", "resolved on call", "no further action", "all done, thanked", "fixed, tested ok",
    "confirmed by e-mail", "customer satisfied", "closed",
)  # fmt: skip
OPEN = (
    "call back arranged", "passed to second line", "engineer booked", "will ring again if not better", "ticket raised",
    "waiting for other team", "not resolved, customer unhappy", "left open, to follow up",
    "asked to try and report back",
)  # fmt: skip
STAYED = (
    "staying for now", "agreed to stay", "will think about it", "happy to stay", "retained, to monitor",
    "not cancelling today",
)  # fmt: skip
LEFT = (
    "cancellation processed", "notice given", "leaving, end date confirmed", "switch already under way",
    "did not want to stay",
)  # fmt: skip
BURST_WORDS: dict[str, tuple[str, ...]] = {
    "Router firmware": (
        "router red light since update last night", "red light on Hub after firmware update",
        "hub stuck on red after update",
        "router updated itself now red light",
    ),
    "Direct debit": (
        "direct debit taken twice", "two payments taken same day", "DD came out two times",
        "charged twice by direct debit",
    ),
    "App will": (
        "app says error 503 on sign in", "cannot log in to the app since today", "app sign in loops",
        "app log in code never comes",
    ),
    "Engineers": (
        "engineer no show", "waited all day nobody came", "engineer appointment missed again", "second missed visit",
    ),
    "Roaming": (
        "charged roaming in EU though included", "roaming fee in Portugal inside allowance",
        "roaming on bill, plan includes EU",
    ),
    "Web mail": ("webmail will not open", "web mail page times out", "cannot read e-mail on the site"),
}  # fmt: skip
DAYS = ("Mon", "Tues", "Weds", "Thursday", "Friday", "the weekend", "yesterday", "last week")
TYPOS = (
    ("customer", "custmer"), ("Customer", "Cutomer"), ("broadband", "broadbnad"), ("router", "rotuer"),
    ("engineer", "enginer"), ("because", "becuase"), ("service", "sevice"), ("again", "agian"), ("account", "acount"),
    ("charge", "chareg"), ("price", "pirce"), ("cancel", "cancle"), ("contract", "contarct"), ("payment", "paymnet"),
)  # fmt: skip


def _typed(texts: tuple[str, ...]) -> list[str]:
    """The texts three times as they should be and once as hurried hands type them; dates filled in."""
    spelt = [t.format(day=d) for t in texts for d in (DAYS if "{day}" in t else ("",))]
    hurried = []
    for text in spelt:
        k = len(text) // 2  # two letters swapped where no usual slip fits
        swapped = text[:k] + text[k + 1 : k + 2] + text[k : k + 1] + text[k + 2 :]
        hurried.append(next((text.replace(a, b, 1) for a, b in TYPOS if a in text), swapped).lower())
    # every text as often as every other, whatever its dates
    return spelt * 3 + hurried


_CHANNELS = tuple(OPENINGS)
_OPENING = [_typed(OPENINGS[c]) for c in _CHANNELS]
_PROBLEM = [_typed(PROBLEMS[r]) for r in REASONS]
_DETAIL = [_typed(DETAILS.get(r, DETAILS["other"])) for r in REASONS]


def _drawn(chance: Chance, what: str, key: np.ndarray, texts: list[list[str]], which: Ints) -> pa.Array:
    """One text for each contact from the list its code names."""
    flat = [t for group in texts for t in group]
    sizes = np.array([len(group) for group in texts])
    begins = np.cumsum(sizes) - sizes
    place = begins[which] + (chance.uniform(what, key) * sizes[which]).astype(np.int64)
    return words(flat, place)


def write_notes(
    chance: Chance, key: np.ndarray, *, reason: Ints, channel: Ints, ending: Ints, burst: Ints, bursts: list[str]
) -> pa.Array:
    """Notes for contacts, (n,); null for about one in nine.

    `ending` is 0 resolved, 1 open, 2 stayed, 3 left; `burst` the place of a planted burst in `bursts` or -1.
    """
    u = chance.uniform("note shape", key)
    opening = _drawn(chance, "opening", key, _OPENING, channel)
    problem = _drawn(chance, "problem", key, _PROBLEM, reason)
    if bursts:
        own = [_typed(BURST_WORDS[name]) for name in bursts]
        told = (burst >= 0) & (chance.uniform("burst words", key) < 0.85)
        problem = pc.if_else(pa.array(told), _drawn(chance, "burst note", key, own, burst.clip(0)), problem)
    detail = _drawn(chance, "detail", key, _DETAIL, reason)
    end = _drawn(chance, "ending", key, [list(DONE), list(OPEN), list(STAYED), list(LEFT)], ending)
    full = pc.binary_join_element_wise(opening, problem, " ")
    detail = pc.if_else(pa.array(u < 0.62), detail, pa.scalar(None, pa.string()))
    full = pc.binary_join_element_wise(full, detail, end, ". ", null_handling="skip")
    outbound = reason >= CODE["renewal"]
    text = pc.if_else(pa.array(outbound), problem, full)
    empty = (u > 0.89) & ~outbound
    return pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), text)


def burst_word(title: str) -> str | None:
    """The key of BURST_WORDS for an event's title, if it has words of its own."""
    return next((name for name in BURST_WORDS if title.startswith(name)), None)
