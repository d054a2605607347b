-- What finance reads: every entry with its reason and the month it corrects, what billing applied of it, and what the
-- nightly job finds out about the money. Sums are taken from desk.ledger itself. Money in minor units unless said.

SET ROLE keepline_owner;

-- entries --------------------------------------------------------------------------------------------------------------

CREATE INDEX ledger_booked ON desk.ledger (booked_month, entry_id);

-- One row per ledger entry, for who may read the book masked. belongs_month: the month it is about; of what was taken back,
-- the month it was given in. own_limit: the giver's own limit for one grant.
CREATE VIEW desk.spend_entries AS
    SELECT l.entry_id, l.kind, l.reverses, l.booked_on, l.booked_month, coalesce(g.booked_month, l.booked_month) AS belongs_month,
           coalesce(l.team, 'no team') AS team, coalesce(g.staff_id, l.staff_id) AS staff_id, l.staff_id AS done_by, l.instrument,
           coalesce(d.contact_reason, 'not noted') AS reason, l.customer_id, l.amount, l.currency::text AS currency, l.months,
           l.schedule, l.budget_id, l.authority AS own_limit, l.approval_id IS NOT NULL AS is_approved, l.given_at, l.recorded_at,
           l.reason AS remark
    FROM desk.ledger l
    JOIN desk.decisions d USING (decision_id)
    LEFT JOIN desk.ledger g ON g.entry_id = l.reverses
    WHERE (SELECT desk.may_read_masked());

-- billing --------------------------------------------------------------------------------------------------------------

-- What billing says it applied, file by file.
CREATE TABLE desk.billing_files (
    file_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL,
    sha256         text NOT NULL UNIQUE,        -- a file is taken in once
    rows_read      integer NOT NULL,
    rows_accepted  integer NOT NULL,
    rows_set_aside integer NOT NULL,
    imported_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (rows_read = rows_accepted + rows_set_aside)
);
CREATE TABLE desk.billing_applied (
    applied_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id      bigint NOT NULL REFERENCES desk.billing_files,
    line         integer NOT NULL,
    applied_on   date NOT NULL,
    customer_id  text NOT NULL,
    entry_id     bigint,                        -- the grant billing names; NULL: none of ours
    reference    text NOT NULL,                 -- as billing wrote it; '' where it wrote none
    billing_key  text UNIQUE,                   -- billing's own number of the booking; NULL: it has none
    amount       bigint NOT NULL CHECK (amount <> 0), -- below zero: taken back from the customer
    currency     char(3) NOT NULL,
    UNIQUE (file_id, line)
);
CREATE INDEX billing_applied_entry ON desk.billing_applied (entry_id);
CREATE INDEX billing_applied_customer ON desk.billing_applied (customer_id);
-- Rows that could not be read, with the reason. No content: it may say who somebody is.
CREATE TABLE desk.billing_set_aside (
    file_id bigint NOT NULL REFERENCES desk.billing_files,
    line    integer NOT NULL,
    reason  text NOT NULL,
    PRIMARY KEY (file_id, line)
);
CALL desk.make_append_only('desk.billing_files');
CALL desk.make_append_only('desk.billing_applied');
CALL desk.make_append_only('desk.billing_set_aside');
INSERT INTO desk.kept_tables VALUES ('desk.billing_applied', '{}', 'Accounts: what billing applied.');

-- What of a grant must have been applied by a day: a bill goes out within 40 days, each month of a discount a month later.
CREATE FUNCTION desk.due_by(_amount bigint, _schedule bigint[], _booked_on date, _day date) RETURNS bigint LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN _schedule IS NULL THEN CASE WHEN _booked_on + 40 <= _day THEN _amount ELSE 0 END
           ELSE (SELECT coalesce(sum(u.part), 0)::bigint FROM unnest(_schedule) WITH ORDINALITY u (part, k)
                 WHERE (_booked_on + make_interval(months => (u.k - 1)::integer))::date + 40 <= _day) END;

-- One row per grant of money: what was promised of it in the end, what is due, what billing applied; and one row for each
-- booking that belongs to no grant. status: applied, on_its_way, taken_back, and the differences: missing, differs,
-- unpromised.
CREATE VIEW desk.billing_entries AS
    WITH clock AS (
        SELECT (desk.business_clock() AT TIME ZONE coalesce((SELECT c.time_zone FROM desk.company c), 'UTC'))::date AS today
    ),
    matched AS (  -- a booking counts for the grant it names when customer and currency are the grant's
        SELECT a.*, g.entry_id AS grant_id
        FROM desk.billing_applied a
        LEFT JOIN desk.ledger g ON g.entry_id = a.entry_id AND g.kind = 'grant' AND g.customer_id = a.customer_id
            AND g.currency = a.currency
    ),
    applied AS (
        SELECT m.grant_id, sum(m.amount)::bigint AS applied, max(m.applied_on) AS applied_on
        FROM matched m WHERE m.grant_id IS NOT NULL GROUP BY m.grant_id
    ),
    entries AS (
        SELECT l.entry_id, l.booked_month, l.booked_on, l.customer_id, coalesce(l.team, 'no team') AS team, l.staff_id, l.instrument,
               l.currency::text AS currency, l.amount AS granted, coalesce(-t.amount, 0) AS taken_back,
               l.amount + coalesce(t.amount, 0) AS promised,
               least(desk.due_by(l.amount, l.schedule, l.booked_on, c.today), l.amount + coalesce(t.amount, 0)) AS due,
               coalesce(a.applied, 0) AS applied, a.applied_on
        FROM desk.ledger l CROSS JOIN clock c
        LEFT JOIN desk.ledger t ON t.reverses = l.entry_id
        LEFT JOIN applied a ON a.grant_id = l.entry_id
        WHERE l.kind = 'grant' AND l.amount > 0
    ),
    rows AS (
        SELECT 'entry:' || e.entry_id AS key, e.*, '' AS reference,
               CASE WHEN e.promised = 0 AND e.applied = 0 THEN 'taken_back'
                    WHEN e.applied = e.promised THEN 'applied'
                    WHEN e.promised = 0 THEN 'unpromised'
                    WHEN e.applied > e.promised OR e.applied < 0 THEN 'differs'
                    WHEN e.applied >= e.due THEN 'on_its_way'
                    WHEN e.applied = 0 THEN 'missing'
                    ELSE 'differs' END AS status
        FROM entries e
        UNION ALL
        SELECT 'applied:' || m.applied_id, m.entry_id, date_trunc('month', m.applied_on::timestamp)::date, m.applied_on, m.customer_id,
               'no team', NULL, 'not ours', m.currency::text, 0, 0, 0, 0, m.amount, m.applied_on, m.reference, 'unpromised'
        FROM matched m WHERE m.grant_id IS NULL
    )
    SELECT r.* FROM rows r WHERE (SELECT desk.may_read_masked());

-- A difference somebody looked into. It holds for the figures it was settled at: when they move, it is open again.
CREATE TABLE desk.billing_settlements (
    settlement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key           text NOT NULL,                -- of desk.billing_entries
    status        text NOT NULL,
    promised      bigint NOT NULL,
    due           bigint NOT NULL,
    applied       bigint NOT NULL,
    currency      char(3) NOT NULL,
    reason        text NOT NULL CHECK (btrim(reason) <> ''),
    staff_id      text NOT NULL,
    settled_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX billing_settlements_key ON desk.billing_settlements (key);
CALL desk.make_append_only('desk.billing_settlements');

-- Settle a difference as it stands, with a reason. Money does not move by it.
CREATE FUNCTION desk.settle_difference(_token text, _key text, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me    desk.person;
    _found record;
    _old   bigint;
    _new   bigint;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'finance');
    PERFORM pg_advisory_xact_lock(hashtextextended(_key, 16));
    SELECT e.* INTO _found FROM desk.billing_entries e
    WHERE e.key = _key AND e.status IN ('missing', 'differs', 'unpromised');
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL511', 'There is no such difference; it may have been mended since.');
    END IF;
    _reason := btrim(desk.without_person(_reason, _found.customer_id));
    IF coalesce(_reason, '') = '' THEN
        PERFORM desk.refuse('KL512', 'Say in a few words why this difference is settled.');
    END IF;
    SELECT s.settlement_id INTO _old FROM desk.billing_settlements s
    WHERE s.key = _key AND s.status = _found.status AND s.promised = _found.promised AND s.due = _found.due
        AND s.applied = _found.applied;
    IF FOUND THEN
        RETURN ('replayed', NULL, NULL, NULL, NULL, _old, NULL, NULL)::desk.verdict;
    END IF;
    INSERT INTO desk.billing_settlements (key, status, promised, due, applied, currency, reason, staff_id)
    VALUES (_key, _found.status, _found.promised, _found.due, _found.applied, _found.currency, _reason, _me.staff_id)
    RETURNING settlement_id INTO _new;
    PERFORM desk.note(_me, 'settled', 'billing', _key,
                      jsonb_build_object('status', _found.status, 'promised', _found.promised, 'due', _found.due,
                                         'applied', _found.applied, 'currency', _found.currency, 'reason', _reason));
    RETURN desk.done(_new::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('settle_difference', _token, jsonb_build_object('key', _key, 'reason', _reason), SQLSTATE, SQLERRM,
                        _facts, _who);
END $$;

-- what the night finds out ---------------------------------------------------------------------------------------------

-- When it ran last, and the funnel of givers.
CREATE TABLE desk.spend_state (
    is_only       boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    as_of         timestamptz NOT NULL,
    refreshed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    currency      char(3) NOT NULL,
    since_on      date,                         -- of the settled calls below; NULL: none
    until_on      date,
    window_days   integer NOT NULL,
    run_off_missing text NOT NULL,              -- why the run-off is not weighted; '': it is
    mean_variance double precision,             -- the funnel's; NULL: too few calls
    overdispersion double precision,
    spread        double precision,
    middle        double precision
);

-- What money brought beyond what would have been so without it. Money in major units; figures NULL where label says so.
CREATE TABLE desk.spend_returns (
    scope     text NOT NULL,                    -- all or an instrument
    label     text NOT NULL CHECK (label IN ('measured on the trial arm', 'modelled, doubly robust', 'not enough data')),
    given     integer NOT NULL,                 -- settled calls with money
    without   integer NOT NULL,                 -- for whom some was meant, and none given
    spent     numeric(16, 2) NOT NULL,
    kept double precision, kept_low double precision, kept_high double precision,         -- customers
    margin double precision, margin_low double precision, margin_high double precision,
    deadweight double precision, deadweight_low double precision, deadweight_high double precision, -- share of the money
    missing   text NOT NULL,
    PRIMARY KEY (scope),
    CHECK ((label = 'not enough data') = (margin IS NULL) AND (missing = '') = (margin IS NOT NULL))
);

-- Recurring discounts still to be paid, by month of the bill.
CREATE TABLE desk.spend_run_off (
    month      date NOT NULL CHECK (extract(day FROM month) = 1),
    instrument text NOT NULL,
    currency   char(3) NOT NULL,
    customers  integer NOT NULL,
    promised   bigint NOT NULL,                 -- if all of them stay
    expected   double precision,                -- weighted by the chance of still being a customer; NULL: not known
    PRIMARY KEY (month, instrument, currency)
);

-- What each agent gave against what callers like theirs are given. Major units a call.
CREATE TABLE desk.spend_givers (
    staff_id   text PRIMARY KEY,
    team       text,
    calls      integer NOT NULL,
    given      double precision NOT NULL,       -- in all
    expected   double precision NOT NULL,
    usual_calls double precision NOT NULL,
    difference double precision NOT NULL,
    told       double precision NOT NULL,
    shrunk     double precision NOT NULL,
    low        double precision NOT NULL,
    high       double precision NOT NULL,
    zone       text NOT NULL CHECK (zone IN ('below', 'low', 'inside', 'high', 'above'))
);

-- Near-identical cases and how far apart their amounts are, in all and by group. Major units.
CREATE TABLE desk.spend_likeness (
    cut        text NOT NULL,                   -- all, team, region, or a group the company holds
    value      text NOT NULL,
    cases      integer NOT NULL,
    spread     double precision NOT NULL,       -- median difference between a case and its near-identical ones
    above      double precision NOT NULL,       -- mean amount above near-identical cases of everybody else
    low        double precision NOT NULL,
    high       double precision NOT NULL,
    PRIMARY KEY (cut, value)
);

RESET ROLE;

-- for the company's own reporting tools ----------------------------------------------------------------------------------

CREATE SCHEMA report AUTHORIZATION keepline_owner;
SET ROLE keepline_owner;

-- Minor units as an exact number of the currency: 3550 GBP is 35.50, 3500 JPY is 3500, 1250 KWD is 1.250.
CREATE FUNCTION report.in_units(_amount bigint, _currency text) RETURNS numeric LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN _currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX',
                                   'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN _amount::numeric
                WHEN _currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN _amount * 0.001
                ELSE _amount * 0.01 END;

-- One row per ledger entry. Sum amount by currency, never across.
CREATE VIEW report.concessions AS
    SELECT l.entry_id, l.kind, l.booked_month AS month, l.booked_on, l.given_at, coalesce(g.booked_month, l.booked_month) AS belongs_month,
           l.reverses AS corrects, l.team, coalesce(g.staff_id, l.staff_id) AS agent, l.instrument, d.contact_reason AS reason,
           l.customer_id AS customer, report.in_units(l.amount, l.currency) AS amount, l.currency::text AS currency, l.months,
           l.approval_id IS NOT NULL AS is_approved, l.policy_version, o.stage AS outcome,
           EXISTS (SELECT FROM desk.month_closes c WHERE c.month = l.booked_month) AS is_closed
    FROM desk.ledger l
    JOIN desk.decisions d USING (decision_id)
    LEFT JOIN desk.ledger g ON g.entry_id = l.reverses
    LEFT JOIN LATERAL (
        SELECT h.stage FROM desk.cancel_intents i JOIN desk.save_stages h USING (intent_id)
        WHERE i.case_id = d.case_id ORDER BY h.seq DESC LIMIT 1) o ON true;

-- The statements finance signed off, a row each for team, instrument and currency.
CREATE VIEW report.month_closes AS
    SELECT c.month, c.closed_by, c.closed_at, s.team, s.instrument, s.currency, s.entries,
           report.in_units(s.granted, s.currency) AS granted, report.in_units(s.reversed, s.currency) AS reversed,
           report.in_units(s.clawed_back, s.currency) AS clawed_back, report.in_units(s.net, s.currency) AS net
    FROM desk.month_closes c
    CROSS JOIN LATERAL jsonb_to_recordset(c.statement) AS s (
        team text, instrument text, currency text, entries bigint, granted bigint, reversed bigint, clawed_back bigint, net bigint);

RESET ROLE;
