-- What became of everybody who came to cancel, and who is worth ringing.

-- outcomes -------------------------------------------------------------------------------------------------------------

-- One row per customer and day on which they came to cancel, by what was known when it was first seen.
CREATE TABLE desk.cancel_intents (
    intent_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id    text NOT NULL,
    called_on      date NOT NULL,               -- business day in the company's zone
    called_at      timestamptz NOT NULL,
    contact_id     text,                        -- of crm, where the company's own record was seen
    case_id        uuid REFERENCES desk.cases,  -- where it was on the desk
    staff_id       text,                        -- who had them on the line
    contact_reason text,
    windows        integer[] NOT NULL,          -- days; of the policy in force at the call, whatever comes later
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (customer_id, called_on),
    CHECK (cardinality(windows) > 0)
);
CREATE UNIQUE INDEX cancel_intents_case ON desk.cancel_intents (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX cancel_intents_day ON desk.cancel_intents (called_on);

-- The history of each: rows are only ever added. One that restates takes the place of all from its step on.
CREATE TABLE desk.save_stages (
    intent_id      bigint NOT NULL REFERENCES desk.cancel_intents,
    seq            integer NOT NULL CHECK (seq >= 0),
    step           integer NOT NULL CHECK (step >= 0),
    stage          text NOT NULL CHECK (stage IN ('deflected', 'watchlist', 'saved', 'lost_deflect', 'left_involuntary',
                                                  'left_move', 'cancelled')),
    window_days    integer,                     -- the window the stage belongs to
    began_on       date NOT NULL,               -- when it was so
    is_restatement boolean NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(), -- when it was known
    PRIMARY KEY (intent_id, seq)
);
CALL desk.make_append_only('desk.cancel_intents');
CALL desk.make_append_only('desk.save_stages');

-- One row per caller who came to cancel, as it stands: what reports count.
-- saved_days: the longest window they stayed through; NULL before the first is over.
CREATE VIEW desk.save_outcomes AS
SELECT i.intent_id, i.customer_id, i.called_on, i.called_at, i.contact_id, i.case_id, i.staff_id, i.contact_reason, i.windows,
       s.stage, s.window_days, s.began_on, s.saved_days, s.restatements, s.recorded_at
FROM desk.cancel_intents i
CROSS JOIN LATERAL (
    SELECT (array_agg(h.stage ORDER BY h.seq DESC))[1] AS stage, (array_agg(h.window_days ORDER BY h.seq DESC))[1] AS window_days,
           (array_agg(h.began_on ORDER BY h.seq DESC))[1] AS began_on,
           max(h.window_days) FILTER (WHERE h.stage = 'saved' AND NOT EXISTS (
               SELECT FROM desk.save_stages l WHERE l.intent_id = h.intent_id AND l.seq > h.seq AND l.step <= h.step)) AS saved_days,
           count(*) FILTER (WHERE h.is_restatement) AS restatements, max(h.recorded_at) AS recorded_at
    FROM desk.save_stages h WHERE h.intent_id = i.intent_id
    HAVING count(*) > 0) s;

-- The first day from _from to _until on which a customer had no subscription, and how the last one ended.
CREATE FUNCTION desk.first_left(_customer_id text, _from date, _until date)
    RETURNS TABLE (left_on date, left_how text) LANGUAGE sql STABLE AS $$
    SELECT s.ended_on, coalesce(s.end_reason, 'voluntary')
    FROM crm.subscriptions s
    WHERE s.customer_id = _customer_id AND s.ended_on BETWEEN _from AND _until
        AND NOT EXISTS (SELECT FROM crm.subscriptions o
                        WHERE o.customer_id = s.customer_id AND o.started_on <= s.ended_on
                            AND (o.ended_on IS NULL OR o.ended_on > s.ended_on))
    ORDER BY s.ended_on, s.subscription_id LIMIT 1
$$;
CREATE INDEX cases_customer ON desk.cases (customer_id);

-- callbacks ------------------------------------------------------------------------------------------------------------

-- Who is worth ringing, by the nightly job: all of it is replaced in one transaction. Money in minor units.
CREATE TABLE desk.callback_candidates (
    customer_id    text PRIMARY KEY,
    as_of          timestamptz NOT NULL,
    lever          text NOT NULL,
    instrument     text NOT NULL,
    amount         bigint NOT NULL CHECK (amount >= 0),       -- policy's default for this customer
    currency       char(3) NOT NULL,
    p_without      double precision NOT NULL CHECK (p_without BETWEEN 0 AND 1),
    p_with         double precision NOT NULL CHECK (p_with BETWEEN 0 AND 1),
    worth          bigint NOT NULL,             -- given they stay
    gain           bigint NOT NULL,             -- expected, of a call: offer and call paid
    gain_low       bigint NOT NULL,
    gain_high      bigint NOT NULL,
    is_shown       boolean NOT NULL GENERATED ALWAYS AS (gain_low > 0) STORED, -- the interval says so, not the middle alone
    policy_version bigint NOT NULL,
    effect_version bigint,                      -- NULL: the policy's default curve
    CHECK (gain > 0 AND gain_low <= gain AND gain <= gain_high)
);
CREATE INDEX callback_candidates_gain ON desk.callback_candidates (is_shown, gain DESC);

-- Who has whom on the line: one row per customer ever taken, so that taking is one conditional write.
CREATE TABLE desk.callback_holds (
    customer_id text PRIMARY KEY,
    staff_id    text,                           -- NULL: nobody
    taken_at    timestamptz,
    expires_at  timestamptz,                    -- by the real clock; from then on anybody may take it
    free_from   timestamptz NOT NULL DEFAULT '-infinity', -- snoozed, or rung not long ago
    misses      integer NOT NULL DEFAULT 0,     -- rung in a row without an answer
    CHECK (num_nulls(staff_id, taken_at, expires_at) IN (0, 3))
);
CREATE INDEX callback_holds_staff ON desk.callback_holds (staff_id) WHERE staff_id IS NOT NULL;

-- What was done with each, ever.
CREATE TABLE desk.callback_events (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id text NOT NULL,
    staff_id    text NOT NULL,
    what        text NOT NULL CHECK (what IN ('taken', 'reached', 'kept', 'left', 'no_answer', 'snoozed', 'released')),
    gain        bigint,                         -- expected when it was done; NULL: no longer a candidate
    until       timestamptz,                    -- of a snooze
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((what = 'snoozed') = (until IS NOT NULL))
);
CREATE INDEX callback_events_day ON desk.callback_events (happened_at);
CALL desk.make_append_only('desk.callback_events');
