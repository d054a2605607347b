-- What customers say: contacts a day by reason, topics of the notes, bursts, the problems behind them and what becomes of
-- those; and which open contacts will be handed upwards.
--
-- SQLSTATEs: KL85x problems

SET LOCAL ROLE keepline_owner;

-- voice ----------------------------------------------------------------------------------------------------------------

-- Inbound contacts of each business day: what pages count instead of contacts. Nobody but the job reads it bare: a cell may
-- be one person. A customer has one region and one plan a day, so customers add up over both.
CREATE TABLE desk.reason_days (
    day       date NOT NULL,                    -- in the company's zone
    reason    text NOT NULL,                    -- 'unknown': none was coded
    region    text NOT NULL,                    -- 'unknown': none, or nobody we know
    plan      text NOT NULL,                    -- the dearest live that day; 'none': nothing live; 'unknown': nobody we know
    contacts  integer NOT NULL CHECK (contacts > 0),
    customers integer NOT NULL CHECK (customers BETWEEN 0 AND contacts),
    PRIMARY KEY (day, reason, region, plan)
);

-- Contacts by bucket of _days days and reason, of everybody or of one region or plan; a group under 10 customers: NULL.
CREATE FUNCTION desk.reason_series(_from date, _until date, _days integer, _region text, _plan text)
    RETURNS TABLE (bucket date, reason text, contacts bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT _from + (d.day - _from) / _days * _days, d.reason,
           CASE WHEN (_region IS NULL AND _plan IS NULL) OR sum(d.customers) >= 10 THEN sum(d.contacts)::bigint END
    FROM (SELECT o.day, o.reason, sum(o.contacts) AS contacts, sum(o.customers) AS customers -- by day first: three times as fast
          FROM desk.reason_days o
          WHERE o.day BETWEEN _from AND _until AND (_region IS NULL OR o.region = _region)
              AND (_plan IS NULL OR o.plan = _plan)
          GROUP BY o.day, o.reason) d
    GROUP BY 1, 2
$$;

-- What there is to choose from.
CREATE VIEW desk.voice_groups AS
    SELECT d.reason, d.region, d.plan, sum(d.contacts) AS contacts
    FROM desk.reason_days d WHERE d.day > (SELECT max(day) FROM desk.reason_days) - 90
    GROUP BY d.reason, d.region, d.plan HAVING sum(d.customers) >= 10;

-- Topics keep id and name from fit to fit; one that is found no more stays, with the day it was last found.
CREATE TABLE desk.topics (
    topic_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    words      jsonb NOT NULL,                  -- word → weight, the heaviest
    first_seen date NOT NULL,
    last_seen  date NOT NULL                    -- day of the newest fit that found it
);

-- Notes of a day's sample by topic; `sampled` is the size of that day's sample, of `contacts` in all.
CREATE TABLE desk.topic_days (
    day      date NOT NULL,
    topic_id bigint NOT NULL REFERENCES desk.topics,
    notes    integer NOT NULL CHECK (notes BETWEEN 0 AND sampled),
    sampled  integer NOT NULL,
    contacts integer NOT NULL,
    PRIMARY KEY (day, topic_id)
);

-- Every night's test: at which level, and whether anything was found; the level of the next night follows from these.
CREATE TABLE desk.burst_nights (
    day        date PRIMARY KEY,
    level      double precision NOT NULL,       -- false-discovery rate of this night
    tested     integer NOT NULL,                -- keys asked about
    smallest   double precision,                -- p-value; NULL: nothing was asked
    found      integer NOT NULL
);

-- Days on which a key was above its usual level: left out of the level of later days.
CREATE TABLE desk.burst_days (
    day date NOT NULL,
    key text NOT NULL,                          -- reason, reason|region|R, reason|plan|P, or topic|ID
    PRIMARY KEY (day, key)
);

CREATE TABLE desk.problem_moves (
    from_state text NOT NULL,
    to_state   text NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
INSERT INTO desk.problem_moves VALUES
    ('noticed', 'accepted'), ('noticed', 'dismissed'), ('accepted', 'being_fixed'), ('accepted', 'fixed'),
    ('accepted', 'dismissed'), ('being_fixed', 'fixed'), ('being_fixed', 'accepted'), ('fixed', 'being_fixed'),
    ('dismissed', 'noticed');

-- One problem behind a burst. The job writes what was counted, a leader what is done about it. Money in minor units.
CREATE TABLE desk.problems (
    problem_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key            text NOT NULL,
    reason         text,                        -- NULL: known by its words only
    region         text,                        -- NULL: everywhere
    plan           text,                        -- NULL: every plan
    topic_id       bigint REFERENCES desk.topics,
    title          text NOT NULL,
    began_on       date NOT NULL,
    found_on       date NOT NULL,               -- the day whose night found it
    last_burst_on  date NOT NULL,
    p_value        double precision NOT NULL,
    level          double precision NOT NULL,   -- at which it was found
    contacts       integer NOT NULL DEFAULT 0,  -- from began_on to last_burst_on
    expected       double precision NOT NULL DEFAULT 0,
    customers      integer NOT NULL DEFAULT 0,
    worth_at_risk  bigint,                      -- NULL: nobody is scored
    currency       char(3) NOT NULL,
    at_that_time   text[] NOT NULL DEFAULT '{}', -- titles of change events that may explain it
    is_expected    boolean NOT NULL DEFAULT false, -- changes of that kind brought the same before
    state          text NOT NULL DEFAULT 'noticed'
                   CHECK (state IN ('noticed', 'accepted', 'being_fixed', 'fixed', 'dismissed')),
    owner_department text,
    fixed_on       date,
    refreshed_at   timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'fixed') <= (fixed_on IS NOT NULL)),
    CHECK (state IN ('noticed', 'dismissed') OR owner_department IS NOT NULL),
    CHECK (began_on <= found_on AND found_on <= last_burst_on)
);
CREATE INDEX problems_time ON desk.problems (last_burst_on DESC);

-- Each day of a problem against what would have been usual.
CREATE TABLE desk.problem_days (
    problem_id bigint NOT NULL REFERENCES desk.problems ON DELETE CASCADE,
    day        date NOT NULL,
    contacts   integer NOT NULL,
    expected   double precision NOT NULL,
    spread     double precision NOT NULL,       -- variance over mean of a usual day
    PRIMARY KEY (problem_id, day)
);

-- Who is affected: groups of at least 10 customers; smaller ones together are value NULL.
CREATE TABLE desk.problem_groups (
    problem_id bigint NOT NULL REFERENCES desk.problems ON DELETE CASCADE,
    dimension  text NOT NULL CHECK (dimension IN ('region', 'plan')),
    value      text,
    customers  integer NOT NULL CHECK (customers >= 10),
    UNIQUE NULLS NOT DISTINCT (problem_id, dimension, value)
);

-- Customers' words as the agents wrote them down: everything that says who somebody is was taken out before.
CREATE TABLE desk.problem_quotes (
    problem_id bigint NOT NULL REFERENCES desk.problems ON DELETE CASCADE,
    place      smallint NOT NULL,
    said_on    date NOT NULL,
    channel    text NOT NULL,
    quote      text NOT NULL,
    PRIMARY KEY (problem_id, place)
);

-- Whose money it is: the accounts with most worth at risk, no names.
CREATE TABLE desk.problem_customers (
    problem_id    bigint NOT NULL REFERENCES desk.problems ON DELETE CASCADE,
    customer_id   text NOT NULL,
    region        text,
    plan          text,
    contacts      integer NOT NULL,
    last_on       date NOT NULL,
    p_churn       double precision,
    worth         bigint,                       -- minor units; NULL: not scored
    PRIMARY KEY (problem_id, customer_id)
);

-- Agents' one-line notes of what is broken, by topic; masked like quotes.
CREATE TABLE desk.broken_notes (
    case_id  uuid PRIMARY KEY,
    topic_id bigint REFERENCES desk.topics,     -- NULL: about none of them
    said_on  date NOT NULL,
    reason   text,
    note     text NOT NULL
);

-- What was decided about each problem, ever.
CREATE TABLE desk.problem_history (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    problem_id  bigint NOT NULL,
    from_state  text NOT NULL,
    to_state    text NOT NULL,
    owner_department text,
    fixed_on    date,
    remark      text,
    staff_id    text NOT NULL,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL desk.make_append_only('desk.problem_history');

-- Whether a kind of contact is worth having, to us and to them; the newest row of a reason counts.
CREATE TABLE desk.reason_classes (
    class_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason      text NOT NULL,
    to_us       text NOT NULL CHECK (to_us IN ('valuable', 'irritating')),
    to_them     text NOT NULL CHECK (to_them IN ('valuable', 'irritating')),
    staff_id    text NOT NULL,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL desk.make_append_only('desk.reason_classes');

-- What each run of the job came to.
CREATE TABLE desk.voice_runs (
    run_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ran_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    until_day date NOT NULL,                    -- the last whole day counted
    days      integer NOT NULL,                 -- counted anew
    nights    integer NOT NULL,                 -- tested
    problems  integer NOT NULL                  -- found
);

-- Bring a problem forward: the moves are rows of desk.problem_moves, whoever asks.
CREATE FUNCTION desk.move_problem(_token text, _problem bigint, _to text, _owner text, _fixed_on date, _remark text)
    RETURNS desk.verdict LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _found desk.problems;
    _today date := (desk.business_clock() AT TIME ZONE coalesce((SELECT c.time_zone FROM desk.company c), 'UTC'))::date;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'leader');
    SELECT * INTO _found FROM desk.problems p WHERE p.problem_id = _problem FOR UPDATE;
    _owner := coalesce(nullif(btrim(_owner), ''), _found.owner_department);
    IF _found.problem_id IS NULL THEN
        PERFORM desk.refuse('KL851', 'There is no such problem.');
    ELSIF _found.state = _to AND _found.owner_department IS NOT DISTINCT FROM _owner
        AND (_to <> 'fixed' OR _found.fixed_on = _fixed_on) THEN
        RETURN ('replayed', NULL, NULL, NULL, NULL, _problem::text, NULL, NULL)::desk.verdict;
    ELSIF NOT EXISTS (SELECT FROM desk.problem_moves m WHERE m.from_state = _found.state AND m.to_state = _to) THEN
        PERFORM desk.refuse('KL852', format('A problem that is %s cannot become %s.', replace(_found.state, '_', ' '),
                                            replace(_to, '_', ' ')),
                            jsonb_build_object('state', _found.state, 'tried', _to));
    ELSIF _to NOT IN ('noticed', 'dismissed') AND _owner IS NULL THEN
        PERFORM desk.refuse('KL853', 'Say which department owns it.');
    ELSIF _to = 'fixed' AND (_fixed_on IS NULL OR _fixed_on < _found.began_on OR _fixed_on > _today) THEN
        PERFORM desk.refuse('KL853', format('Say on which day it was fixed, from %s to %s.', _found.began_on, _today));
    END IF;
    UPDATE desk.problems p
    SET state = _to, owner_department = _owner, fixed_on = CASE WHEN _to = 'fixed' THEN _fixed_on END
    WHERE p.problem_id = _problem;
    INSERT INTO desk.problem_history (problem_id, from_state, to_state, owner_department, fixed_on, remark, staff_id)
    VALUES (_problem, _found.state, _to, _owner, CASE WHEN _to = 'fixed' THEN _fixed_on END, nullif(btrim(_remark), ''),
            _me.staff_id);
    PERFORM desk.note(_me, _to, 'problem', _problem::text,
                      jsonb_build_object('was', _found.state, 'owner', _owner, 'fixed_on', _fixed_on));
    RETURN desk.done(_problem::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('move_problem', _token, jsonb_build_object('problem', _problem, 'to', _to), SQLSTATE, SQLERRM,
                        _facts, _who);
END $$;

-- Say whether contacts about this are worth having.
CREATE FUNCTION desk.classify_reason(_token text, _reason text, _to_us text, _to_them text)
    RETURNS desk.verdict LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'leader');
    IF NOT EXISTS (SELECT FROM desk.reason_days d WHERE d.reason = _reason) THEN
        PERFORM desk.refuse('KL851', 'Nobody has got in touch about that.');
    ELSIF _to_us NOT IN ('valuable', 'irritating') OR _to_them NOT IN ('valuable', 'irritating') THEN
        PERFORM desk.refuse('KL853', 'A contact is valuable or irritating.');
    END IF;
    INSERT INTO desk.reason_classes (reason, to_us, to_them, staff_id) VALUES (_reason, _to_us, _to_them, _me.staff_id);
    PERFORM desk.note(_me, 'classified', 'reason', _reason, jsonb_build_object('to_us', _to_us, 'to_them', _to_them));
    RETURN desk.done(_reason);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('classify_reason', _token, jsonb_build_object('reason', _reason), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- Account by account only for whoever may read the book masked, or a supervisor.
ALTER TABLE desk.problem_customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY job ON desk.problem_customers TO keepline_batch USING (true);
CREATE POLICY book ON desk.problem_customers FOR SELECT TO keepline_leader, keepline_analyst
    USING ((SELECT desk.may_read_masked()));
CREATE POLICY supervisor ON desk.problem_customers FOR SELECT TO keepline_supervisor
    USING ((SELECT desk.my_id('supervisor')) IS NOT NULL);

-- escalations ----------------------------------------------------------------------------------------------------------

-- Open contacts by their chance of being handed upwards within 14 days; the job replaces all of it. One row per customer.
CREATE TABLE desk.escalation_scores (
    contact_id    text PRIMARY KEY,
    customer_id   text NOT NULL UNIQUE,
    as_of         timestamptz NOT NULL,
    started_at    timestamptz NOT NULL,
    reason        text,
    team          text,                         -- of who had them on the line; NULL: nobody of ours
    p_escalates   double precision NOT NULL CHECK (p_escalates BETWEEN 0 AND 1),
    usual         double precision NOT NULL,    -- mean chance of the open contacts of this run
    because       text[] NOT NULL,              -- sentences, the weightiest first
    worth         bigint,                       -- minor units; NULL: not scored
    currency      char(3) NOT NULL,
    model_version bigint NOT NULL
);
CREATE INDEX escalation_scores_chance ON desk.escalation_scores (p_escalates DESC);

ALTER TABLE desk.escalation_scores ENABLE ROW LEVEL SECURITY;
CREATE POLICY job ON desk.escalation_scores TO keepline_batch USING (true);
CREATE POLICY caller ON desk.escalation_scores FOR SELECT TO keepline_agent
    USING (customer_id = ANY ((SELECT desk.my_callers())::text[]));
CREATE POLICY supervisor ON desk.escalation_scores FOR SELECT TO keepline_supervisor
    USING (team IS NULL OR team = ANY ((SELECT desk.my_teams())::text[])
           OR customer_id = ANY ((SELECT desk.my_callers())::text[]));

RESET ROLE;
