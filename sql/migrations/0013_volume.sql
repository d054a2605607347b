-- Tomorrow's calls and who causes them: contacts counted by half-hour, forecasts, what change events brought, and the
-- calendar of changes other departments plan.
--
-- SQLSTATEs: KL86x planned changes

SET LOCAL ROLE keepline_owner;

-- volume ---------------------------------------------------------------------------------------------------------------

-- Inbound contacts by half-hour: what pages and forecasts count instead of contacts.
CREATE TABLE desk.volume_half_hours (
    queue          text NOT NULL,               -- 'no queue': none was recorded
    starts_at      timestamptz NOT NULL,        -- half-hours are counted from midnight in the company's zone
    contacts       integer NOT NULL CHECK (contacts > 0),
    calls          integer NOT NULL,            -- of these on the telephone: what Erlang C staffs
    handled        integer NOT NULL,            -- calls with an end
    handle_seconds bigint NOT NULL,             -- of those
    PRIMARY KEY (queue, starts_at),
    CHECK (handled BETWEEN 0 AND calls AND calls <= contacts)
);
CREATE INDEX volume_half_hours_time ON desk.volume_half_hours (starts_at);

-- Inbound contacts by business day and region: what effects of events are measured on. Only the job reads them.
CREATE TABLE desk.volume_days (
    day      date NOT NULL,                     -- in the company's zone
    queue    text NOT NULL,
    region   text NOT NULL,                     -- '': none, or nobody we know
    contacts integer NOT NULL CHECK (contacts > 0),
    PRIMARY KEY (day, queue, region)
);

-- Customers who left of their own will and concessions given, by day and region: what an event may cost besides calls.
CREATE TABLE desk.volume_outcomes (
    day         date NOT NULL,
    region      text NOT NULL,
    cancels     integer NOT NULL,
    concessions integer NOT NULL,
    PRIMARY KEY (day, region)
);

-- The newest forecast: usual contacts, planned changes apart, with the ends of the 90 % band.
CREATE TABLE desk.volume_forecasts (
    is_half_hour boolean NOT NULL,              -- else a whole business day
    queue        text NOT NULL,
    starts_at    timestamptz NOT NULL,
    usual        double precision NOT NULL CHECK (usual >= 0),
    low          double precision NOT NULL,
    high         double precision NOT NULL,
    share        double precision NOT NULL,     -- of the day's contacts that come then; 1 for a day
    PRIMARY KEY (is_half_hour, queue, starts_at),
    CHECK (low <= usual AND usual <= high)
);

-- What an event of a kind brings: contacts for each member of its audience, and how they spread over the days after.
CREATE TABLE desk.volume_kinds (
    kind        text NOT NULL,
    queue       text NOT NULL,
    mean        double precision NOT NULL,
    mean_sd     double precision NOT NULL,
    spread      double precision NOT NULL,      -- from one event to another
    mixture     double precision[] NOT NULL,    -- of the shapes of churn.core.volume_shapes
    events      integer NOT NULL,               -- learned from
    none_mean   double precision NOT NULL,      -- of those that claimed to have no impact, shrunk to the kind
    none_events integer NOT NULL,
    PRIMARY KEY (kind, queue)
);

-- Change events as the job last read them: the company's own, and planned ones that have begun.
CREATE TABLE desk.volume_events (
    event_id         text PRIMARY KEY,
    owner_department text NOT NULL,
    kind             text NOT NULL,
    title            text NOT NULL,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz,
    audience         integer NOT NULL,          -- as stated, else counted from the subscriptions
    is_counted       boolean NOT NULL,
    region           text,
    product          text,
    plan             text,
    what_to_say      text,
    claims_none      boolean NOT NULL
);
CREATE INDEX volume_events_time ON desk.volume_events (starts_at);

-- What each event brought, up to the last day counted, with the ends of the 90 % interval; `expected` is what had been
-- forecast of it from earlier events only.
CREATE TABLE desk.volume_effects (
    event_id      text NOT NULL,
    measure       text NOT NULL CHECK (measure IN ('contacts', 'cancels', 'concessions')),
    extra         double precision NOT NULL,
    low           double precision NOT NULL,
    high          double precision NOT NULL,
    share_seen    double precision NOT NULL,
    expected      double precision,             -- NULL: of a kind nobody had seen
    PRIMARY KEY (event_id, measure)
);

-- How far forecasts were off, looked at from several days gone by.
CREATE TABLE desk.volume_accuracy (
    queue     text NOT NULL,                    -- 'all': side by side
    first_day integer NOT NULL,                 -- days ahead, both ends included
    last_day  integer NOT NULL,
    origins   integer NOT NULL,
    mase      double precision,
    error     double precision,
    bias      double precision,
    covered   double precision,
    PRIMARY KEY (queue, first_day)
);

-- What each run of the job came to.
CREATE TABLE desk.volume_runs (
    run_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ran_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    first_day date NOT NULL,                    -- counted
    until_day date NOT NULL,                    -- the last whole day counted
    days      integer NOT NULL,                 -- counted anew
    refusal   text                              -- why there is no forecast: a sentence
);

-- planned changes ------------------------------------------------------------------------------------------------------

-- What other departments plan, entered here; the company's own crm.change_events stand beside it and are never written.
CREATE TABLE desk.planned_events (
    event_id         uuid PRIMARY KEY,
    owner_department text NOT NULL CHECK (length(btrim(owner_department)) BETWEEN 1 AND 80),
    kind             text NOT NULL CHECK (length(btrim(kind)) BETWEEN 1 AND 40),
    title            text NOT NULL CHECK (length(btrim(title)) BETWEEN 1 AND 120),
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz CHECK (ends_at > starts_at),
    audience_size    integer CHECK (audience_size >= 0), -- NULL: counted from the subscriptions
    region           text,                      -- NULL: every region
    product          text,
    plan             text,
    what_to_say      text CHECK (length(what_to_say) <= 600),
    claims_none      boolean NOT NULL DEFAULT false, -- the owner says: no impact
    is_withdrawn     boolean NOT NULL DEFAULT false,
    changed_by       text NOT NULL,
    changed_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX planned_events_time ON desk.planned_events (starts_at);

-- What was done to each, ever.
CREATE TABLE desk.planned_event_history (
    change_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    uuid NOT NULL,
    what        text NOT NULL CHECK (what IN ('planned', 'changed', 'withdrawn')),
    event       jsonb NOT NULL,                 -- as it stood afterwards
    staff_id    text NOT NULL,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL desk.make_append_only('desk.planned_event_history');

-- Enter a planned change, or change it, whole; the key is the caller's, so that sending it twice enters it once.
CREATE FUNCTION desk.plan_event(
    _token text, _event uuid, _owner text, _kind text, _title text, _starts_at timestamptz, _ends_at timestamptz,
    _audience integer, _region text, _product text, _plan text, _what_to_say text, _claims_none boolean)
    RETURNS desk.verdict LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _old   desk.planned_events;
    _new   desk.planned_events;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'leader');
    SELECT * INTO _old FROM desk.planned_events p WHERE p.event_id = _event FOR UPDATE;
    IF coalesce(btrim(_owner), '') = '' OR coalesce(btrim(_kind), '') = '' OR coalesce(btrim(_title), '') = '' THEN
        PERFORM desk.refuse('KL862', 'Say which department owns it, of which kind it is, and what it is called.');
    ELSIF _starts_at IS NULL OR _ends_at <= _starts_at THEN
        PERFORM desk.refuse('KL862', 'Say when it starts; if it ends, then later than that.');
    ELSIF _audience < 0 THEN
        PERFORM desk.refuse('KL862', 'An audience is a number of customers, 0 or more.');
    ELSIF length(_what_to_say) > 600 OR length(_title) > 120 OR length(_owner) > 80 OR length(_kind) > 40 THEN
        PERFORM desk.refuse('KL862', 'Too long: what to say takes 600 letters, a title 120, a department 80, a kind 40.');
    ELSIF _old.is_withdrawn THEN
        PERFORM desk.refuse('KL861', 'This change was withdrawn; plan it anew.');
    ELSIF _old.starts_at <= desk.business_clock()
        AND (_old.starts_at, _old.kind, _old.region, _old.product, _old.plan)
            IS DISTINCT FROM (_starts_at, btrim(_kind), nullif(_region, ''), nullif(_product, ''), nullif(_plan, '')) THEN
        PERFORM desk.refuse('KL863', 'It has begun: only its end, its size, its names and what to say can still be changed.');
    ELSIF _old.event_id IS NULL AND _starts_at <= desk.business_clock() THEN
        PERFORM desk.refuse('KL863', 'A change is planned before it begins.');
    END IF;
    INSERT INTO desk.planned_events AS p (event_id, owner_department, kind, title, starts_at, ends_at, audience_size, region,
                                          product, plan, what_to_say, claims_none, changed_by)
    VALUES (_event, btrim(_owner), btrim(_kind), btrim(_title), _starts_at, _ends_at, _audience, nullif(_region, ''),
            nullif(_product, ''), nullif(_plan, ''), nullif(btrim(_what_to_say), ''), coalesce(_claims_none, false), _me.staff_id)
    ON CONFLICT (event_id) DO UPDATE
    SET owner_department = excluded.owner_department, kind = excluded.kind, title = excluded.title,
        starts_at = excluded.starts_at, ends_at = excluded.ends_at, audience_size = excluded.audience_size,
        region = excluded.region, product = excluded.product, plan = excluded.plan, what_to_say = excluded.what_to_say,
        claims_none = excluded.claims_none, changed_by = excluded.changed_by, changed_at = clock_timestamp()
    RETURNING p.* INTO _new;
    IF to_jsonb(_old) - ARRAY['changed_by', 'changed_at'] = to_jsonb(_new) - ARRAY['changed_by', 'changed_at'] THEN
        RETURN ('replayed', NULL, NULL, NULL, NULL, _event::text, NULL, NULL)::desk.verdict;
    END IF;
    INSERT INTO desk.planned_event_history (event_id, what, event, staff_id)
    VALUES (_event, CASE WHEN _old.event_id IS NULL THEN 'planned' ELSE 'changed' END, to_jsonb(_new), _me.staff_id);
    PERFORM desk.note(_me, CASE WHEN _old.event_id IS NULL THEN 'planned' ELSE 'changed' END, 'event', _event::text,
                      jsonb_build_object('title', _new.title, 'owner', _new.owner_department, 'starts_at', _new.starts_at));
    RETURN desk.done(_event::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('plan_event', _token, jsonb_build_object('event', _event, 'title', _title, 'starts_at', _starts_at),
                        SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- Take a planned change out of the calendar. It stays in the history.
CREATE FUNCTION desk.withdraw_event(_token text, _event uuid) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _old   desk.planned_events;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'leader');
    SELECT * INTO _old FROM desk.planned_events p WHERE p.event_id = _event FOR UPDATE;
    IF _old.event_id IS NULL THEN
        PERFORM desk.refuse('KL861', 'There is no such planned change.');
    ELSIF _old.is_withdrawn THEN
        RETURN ('replayed', NULL, NULL, NULL, NULL, _event::text, NULL, NULL)::desk.verdict;
    ELSIF _old.starts_at <= desk.business_clock() THEN
        PERFORM desk.refuse('KL863', 'It has begun; what it brought is counted. Set its end instead.');
    END IF;
    UPDATE desk.planned_events p SET is_withdrawn = true, changed_by = _me.staff_id, changed_at = clock_timestamp()
    WHERE p.event_id = _event;
    INSERT INTO desk.planned_event_history (event_id, what, event, staff_id)
    VALUES (_event, 'withdrawn', to_jsonb(_old), _me.staff_id);
    PERFORM desk.note(_me, 'withdrawn', 'event', _event::text, jsonb_build_object('title', _old.title));
    RETURN desk.done(_event::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('withdraw_event', _token, jsonb_build_object('event', _event), SQLSTATE, SQLERRM, _facts, _who);
END $$;
