-- Scoring by ranges of keys, by any number of workers: planned once, each range done once, all of it shown at once.
-- A score carries the fingerprint of what it was made from, so that a night scores anew only whose inputs changed.

ALTER TABLE desk.scores ADD COLUMN inputs bigint;   -- fingerprint of the features and of what they were scored by

ALTER TABLE desk.scoring_runs ADD COLUMN scored_anew bigint CHECK (scored_anew >= 0);  -- NULL: a run before this was kept

-- Unlogged: after a crash of the server the plan is gone together with what was done of it.
CREATE UNLOGGED TABLE desk.scoring_plans (
    plan_id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    as_of            timestamptz NOT NULL,
    risk_version     bigint NOT NULL,
    survival_version bigint,
    horizon_months   integer NOT NULL,
    annual_rate      double precision NOT NULL,
    margin_rate      double precision NOT NULL,
    margin_rate_se   double precision NOT NULL,
    is_full          boolean NOT NULL,          -- every customer, not only whose inputs changed
    range_size       integer NOT NULL CHECK (range_size > 0),
    planned_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    written_at       pg_lsn                     -- what a replica must have replayed before it may be read
);
CREATE UNLOGGED TABLE desk.scoring_ranges (
    plan_id  uuid NOT NULL REFERENCES desk.scoring_plans ON DELETE CASCADE,
    range_no integer NOT NULL,
    first    text,                              -- the first key of the range; NULL: from the beginning
    beyond   text,                              -- the first key after it; NULL: to the end
    done_at  timestamptz,
    live     integer,                           -- customers with a live subscription
    anew     integer,                           -- of them scored in this run
    gone     integer,                           -- scores that fall away
    PRIMARY KEY (plan_id, range_no)
);
-- What the ranges came to, until all are done: scores made anew, and the keys of those that fall away.
CREATE UNLOGGED TABLE desk.fresh_scores (
    customer_id      text PRIMARY KEY,
    as_of            timestamptz,               -- NULL, with all that follows: the score falls away
    p_churn          double precision,
    clv              numeric(14, 2),
    clv_low          numeric(14, 2),
    clv_high         numeric(14, 2),
    expected_months  double precision,
    risk_version     bigint,
    survival_version bigint,
    inputs           bigint
);
