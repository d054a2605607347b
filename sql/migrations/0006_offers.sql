-- What the desk adds to a case while the caller is on the line, and the index that tells what a budget gave today.

SET LOCAL ROLE keepline_owner;

CREATE INDEX ledger_budget_day ON desk.ledger (budget_id, booked_on) WHERE budget_id IS NOT NULL;

RESET ROLE;

-- What became of the call: how it ended, what is broken in one line, would they recommend us, was a referral asked for.
ALTER TABLE desk.cases
    ADD COLUMN contact_reason    text,
    ADD COLUMN fault             text CHECK (fault IN ('ours', 'theirs', 'shared', 'none')),
    ADD COLUMN cancel_asked_at   timestamptz,   -- the first "cancel": the way out is timed from here
    ADD COLUMN cancelled_at      timestamptz,
    ADD COLUMN outcome           text CHECK (outcome IN ('deflected', 'cancelled', 'resolved', 'call_back', 'dropped')),
    ADD COLUMN what_is_broken    text CHECK (length(what_is_broken) <= 280),
    ADD COLUMN would_recommend   smallint CHECK (would_recommend BETWEEN 0 AND 10),
    ADD COLUMN referral          text CHECK (referral IN ('asked', 'made', 'missed'));
