-- The readable whole: the database as the migrations build it, by schema and subject.
--   feed   what files brought in (or the simulated company wrote): plain tables
--   crm    the data contract: views that only rename and cast; Keepline reads nothing else of the company
--   desk   Keepline's own tables, and the functions that decide and record
--   truth  what only the simulator knows; no role that trains, scores or serves may read it
--
-- Runs on an empty database after roles.sql; grants.sql says afterwards who may touch what. Databases in use are built
-- and brought forward by sql/migrations; a test builds one both ways and compares every object. A change is a new
-- migration and the same change here.
--
-- Two owners: feed, crm, truth and the desk's plain tables are the installing login's; whatever decides (policy, people,
-- ledger) is keepline_owner's, whose functions run for callers that may not touch the tables themselves.

CREATE SCHEMA feed;
CREATE SCHEMA crm;
CREATE SCHEMA desk;
CREATE SCHEMA truth;

-- =====================================================================================================================
-- feed
-- =====================================================================================================================

CREATE TABLE feed.customers (
    customer_id     text PRIMARY KEY,
    name            text NOT NULL,
    phone           text,                       -- E.164
    email           text,
    joined_on       date NOT NULL,
    segment         text,
    region          text,
    language        text,
    currency        char(3) NOT NULL,
    is_vulnerable   boolean NOT NULL DEFAULT false,
    is_do_not_offer boolean NOT NULL DEFAULT false,
    attributes      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX customers_phone ON feed.customers (phone);

CREATE TABLE feed.subscriptions (
    subscription_id text PRIMARY KEY,
    customer_id     text NOT NULL,
    product         text NOT NULL,
    plan            text NOT NULL,
    started_on      date NOT NULL,
    term_ends_on    date,
    ended_on        date,
    end_reason      text CHECK (end_reason IN ('voluntary', 'involuntary', 'move')),
    monthly_price   numeric(14, 2) NOT NULL CHECK (monthly_price >= 0),
    monthly_margin  numeric(14, 2),
    CHECK (ended_on IS NULL OR ended_on >= started_on)
);
CREATE INDEX subscriptions_customer ON feed.subscriptions (customer_id);

CREATE TABLE feed.invoices (
    invoice_id  text PRIMARY KEY,
    customer_id text NOT NULL,
    issued_on   date NOT NULL,
    due_on      date NOT NULL,
    paid_on     date,
    amount      numeric(14, 2) NOT NULL
);
CREATE INDEX invoices_customer ON feed.invoices (customer_id, issued_on);

CREATE TABLE feed.contacts (
    contact_id   text PRIMARY KEY,
    customer_id  text,                          -- NULL: nobody we know
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz CHECK (ended_at IS NULL OR ended_at >= started_at),
    channel      text NOT NULL,
    direction    text NOT NULL CHECK (direction IN ('in', 'out')),
    queue        text,
    reason       text,
    agent_id     text,
    is_resolved  boolean,
    is_escalated boolean NOT NULL DEFAULT false,
    csat         smallint CHECK (csat BETWEEN 1 AND 5),
    notes        text
);
CREATE INDEX contacts_customer ON feed.contacts (customer_id, started_at);
CREATE INDEX contacts_started ON feed.contacts USING brin (started_at);

CREATE TABLE feed.usage (
    customer_id text NOT NULL,
    month       date NOT NULL CHECK (extract(day FROM month) = 1),
    measure     text NOT NULL,
    quantity    double precision NOT NULL,
    PRIMARY KEY (customer_id, month, measure)
);

CREATE TABLE feed.change_events (
    event_id         text PRIMARY KEY,
    owner_department text NOT NULL,
    kind             text NOT NULL,             -- outage, price_rise, campaign, release, bill_run, …
    title            text NOT NULL,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz,
    audience_size    integer,
    what_to_say      text,
    region           text,                      -- NULL: every region
    product          text,                      -- NULL: every product
    plan             text                       -- NULL: every plan
);

CREATE TABLE feed.concessions (
    concession_id   text PRIMARY KEY,
    customer_id     text NOT NULL,
    contact_id      text,
    agent_id        text,
    given_at        timestamptz NOT NULL,
    instrument      text NOT NULL,
    amount          numeric(14, 2) NOT NULL CHECK (amount >= 0),   -- what it was worth to the customer in all
    months          smallint,
    intended_amount numeric(14, 2),             -- what the agent meant to give, where a trial changed it
    propensity      double precision            -- chance with which the trial chose the amount; NULL: nobody randomised
);
CREATE INDEX concessions_customer ON feed.concessions (customer_id, given_at);

-- One row per file taken in: rows_read = rows_accepted + rows_set_aside.
CREATE TABLE feed.files (
    file_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path           text NOT NULL,
    sha256         text NOT NULL,               -- of the file's bytes
    mapping        text NOT NULL,               -- name of the mapping
    mapping_sha256 text NOT NULL,
    encoding       text NOT NULL,
    rows_read      bigint NOT NULL,
    rows_accepted  bigint NOT NULL,
    rows_set_aside bigint NOT NULL,
    rows_unmatched bigint NOT NULL DEFAULT 0,   -- accepted contacts that belong to no known customer
    imported_at    timestamptz NOT NULL DEFAULT now(),
    CHECK (rows_read = rows_accepted + rows_set_aside),
    UNIQUE (path, sha256, mapping_sha256)
);

-- One row per source row that could not be taken.
CREATE TABLE feed.set_aside (
    file_id     bigint NOT NULL REFERENCES feed.files ON DELETE CASCADE,
    line        bigint NOT NULL,                -- line in the file, the header being line 1
    column_name text,                           -- their column; NULL: the row as a whole
    value       text,
    reason      text NOT NULL,                  -- a sentence: what is wrong and what would mend it
    row         jsonb NOT NULL,                 -- the source row as read
    PRIMARY KEY (file_id, line)
);

-- Statistics after a load. Only an owner may ANALYZE, and the jobs' role owns nothing.
CREATE FUNCTION feed.analyze() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    ANALYZE feed.customers, feed.subscriptions, feed.invoices, feed.contacts, feed.usage, feed.change_events,
            feed.concessions, desk.staff;
END
$$;
REVOKE ALL ON FUNCTION feed.analyze() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION feed.analyze() TO keepline_batch;

-- =====================================================================================================================
-- crm: the data contract
-- =====================================================================================================================

CREATE VIEW crm.customers AS
    SELECT customer_id, name, phone, email, joined_on, segment, region, language, currency,
           is_vulnerable, is_do_not_offer, attributes
    FROM feed.customers;
CREATE VIEW crm.subscriptions AS
    SELECT subscription_id, customer_id, product, plan, started_on, term_ends_on, ended_on, end_reason,
           monthly_price, monthly_margin
    FROM feed.subscriptions;
CREATE VIEW crm.invoices AS
    SELECT invoice_id, customer_id, issued_on, due_on, paid_on, amount FROM feed.invoices;
CREATE VIEW crm.contacts AS
    SELECT contact_id, customer_id, started_at, ended_at, channel, direction, queue, reason, agent_id,
           is_resolved, is_escalated, csat, notes
    FROM feed.contacts;
CREATE VIEW crm.usage AS
    SELECT customer_id, month, measure, quantity FROM feed.usage;
CREATE VIEW crm.change_events AS
    SELECT event_id, owner_department, kind, title, starts_at, ends_at, audience_size, what_to_say,
           region, product, plan
    FROM feed.change_events;
CREATE VIEW crm.concessions AS
    SELECT concession_id, customer_id, contact_id, agent_id, given_at, instrument, amount, months,
           intended_amount, propensity
    FROM feed.concessions;

-- =====================================================================================================================
-- truth
-- =====================================================================================================================

-- What only the simulator knows. No role may read it: the jobs' role can put truth in and empty it, nothing more. Tests
-- and committed evaluations read it as the owner, to compare what the desk believes with what is so.

CREATE TABLE truth.customers (
    customer_id     text PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('persuadable', 'sure_thing', 'lost_cause', 'sleeping_dog')),
    frailty         double precision NOT NULL,  -- logits added to every month's wish to leave
    talkativeness   double precision NOT NULL,  -- factor on every contact rate
    line_quality    double precision NOT NULL,  -- standard normal; low means more faults
    leave_reason    text                        -- why they left, if they did: what no survey asked
);

-- One row per retention call: a caller who came to cancel.
CREATE TABLE truth.calls (
    contact_id      text PRIMARY KEY,
    customer_id     text NOT NULL,
    called_at       timestamptz NOT NULL,
    agent_id        text NOT NULL,
    team            text NOT NULL,
    kind            text NOT NULL,
    seriousness     double precision NOT NULL,  -- heard by the agent, recorded by nobody
    cap             numeric(14, 2) NOT NULL,    -- the most this agent could give alone
    intended_amount numeric(14, 2) NOT NULL,
    amount          numeric(14, 2) NOT NULL,    -- offered; 0: nothing
    propensity      double precision,           -- NULL: not in the trial
    p_stay_without  double precision NOT NULL,  -- chance of being a customer 90 days on with nothing offered
    p_stay_with     double precision NOT NULL,  -- and with the amount offered
    p_stay_20       double precision NOT NULL,  -- and with 20, 40 and 80 pounds
    p_stay_40       double precision NOT NULL,
    p_stay_80       double precision NOT NULL,
    worth           numeric(14, 2) NOT NULL,    -- expected margin of the next two years, given that they stay
    stayed          boolean NOT NULL,           -- 90 days on, by this mechanism
    leaves_on       date                        -- the day they go, also when that is after the data's end
);

-- Every planted cause of contacts: announced changes (also in feed.change_events) and bursts nobody announced.
CREATE TABLE truth.events (
    event_id        text PRIMARY KEY,
    is_announced    boolean NOT NULL,
    kind            text NOT NULL,
    reason          text NOT NULL,              -- contact reason of the extra contacts
    title           text NOT NULL,
    starts_at       timestamptz NOT NULL,
    effect_from     date NOT NULL,              -- days on which extra contacts could come, both ends included
    effect_until    date NOT NULL,
    lag_days        double precision NOT NULL,  -- mean days from the start to the contact
    audience_size   integer NOT NULL,
    expected_extra  double precision NOT NULL,  -- contacts the mechanism expects, repeats apart
    extra_contacts  integer NOT NULL,           -- contacts that came because of it
    extra_repeats   integer NOT NULL            -- of these, second and later ones about the same
);

CREATE TABLE truth.agents (
    agent_id        text PRIMARY KEY,
    talent          double precision NOT NULL,  -- logits of staying this agent adds to every retention call
    leniency        double precision NOT NULL,  -- logs added to the amount meant
    hearing         double precision NOT NULL,  -- 0..1, how well seriousness is heard
    role            text NOT NULL               -- ordinary, better (truly), lucky (easier calls, no better)
);

-- Money a team may give in a month.
CREATE TABLE truth.budgets (
    team            text NOT NULL,
    month           date NOT NULL,
    amount          numeric(14, 2) NOT NULL,
    PRIMARY KEY (team, month)
);

-- Each day of the history; quiet: no planted cause reaches into it.
CREATE TABLE truth.days (
    day             date PRIMARY KEY,
    is_quiet        boolean NOT NULL
);

-- Contacts an event brought, directly or as a repeat about the same.
CREATE TABLE truth.contact_causes (
    contact_id      text PRIMARY KEY,
    event_id        text NOT NULL,
    is_repeat       boolean NOT NULL
);

GRANT USAGE ON SCHEMA truth TO keepline_batch;
GRANT INSERT, TRUNCATE ON ALL TABLES IN SCHEMA truth TO keepline_batch;

-- =====================================================================================================================
-- desk, the plain tables: the company, its people, search, models, cases
-- =====================================================================================================================

-- The company this database is about: one row.
CREATE TABLE desk.company (
    is_only        boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    name           text NOT NULL,
    time_zone      text NOT NULL,               -- IANA name; business days are days here
    phone_region   char(2) NOT NULL,            -- for numbers typed in national format
    currency       char(3) NOT NULL,
    horizon_days   integer NOT NULL DEFAULT 90 CHECK (horizon_days BETWEEN 1 AND 730),
    snapshot_on    date,                        -- flat files: the day they show; NULL: the data has history
    data_until     timestamptz,                 -- "now" of a company that is not live (simulated or imported); NULL: the clock
    monthly_churn  double precision CHECK (monthly_churn BETWEEN 0 AND 1),  -- true rate, where the data are over-sampled
    source         text NOT NULL CHECK (source IN ('simulated', 'files', 'views')),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE desk.staff (
    staff_id  text PRIMARY KEY,
    name      text NOT NULL,
    role      text NOT NULL CHECK (role IN ('agent', 'supervisor', 'leader', 'finance', 'analyst', 'administrator')),
    team      text,
    is_active boolean NOT NULL DEFAULT true,
    sign_in   text CHECK (sign_in <> '')        -- e-mail or subject their provider knows them by
);
CREATE UNIQUE INDEX staff_sign_in ON desk.staff (lower(sign_in));

-- search --------------------------------------------------------------------------------------------------------------

-- Names are found as people type them: O'Brien by "obrien", "brien" and "o brien", Weiß by "weiss", Þór by "thor".
CREATE FUNCTION desk.fold(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN regexp_replace(
        replace(replace(replace(replace(
            translate(
                -- Out: marks within a word; accents; points of Hebrew and Arabic, and the stroke that lengthens Arabic.
                lower(regexp_replace(normalize(regexp_replace(name, '[''’‘ʼ`´]', '', 'g'), NFKD),
                                     '[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0640]', '', 'g')),
                'øłđðħŧı', 'olddhti'),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
        '[^[:alnum:]]+', ' ', 'g');

-- The words a name is found by. A mark within a word joins it and parts it: D'Angelo is dangelo, and d angelo.
CREATE FUNCTION desk.name_words(name text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN to_tsvector('simple', desk.fold(name) || ' ' || desk.fold(regexp_replace(name, '[''’‘ʼ`´]', ' ', 'g')));

-- Search keys of every customer, kept by `sync`: crm is the company's and cannot be indexed from here.
CREATE TABLE desk.directory (
    customer_id   text PRIMARY KEY,
    words         tsvector NOT NULL,            -- the name's words, folded (desk.fold)
    phone_reverse text,                         -- digits of the number, last first: finds "ends in 4567"
    synced_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX directory_words ON desk.directory USING gin (words);
CREATE INDEX directory_phone ON desk.directory (phone_reverse text_pattern_ops);
CREATE INDEX directory_account ON desk.directory (upper(customer_id) text_pattern_ops);

-- models --------------------------------------------------------------------------------------------------------------

-- Every model ever fitted. Artifacts are read back only when their bytes still have this digest.
CREATE TABLE desk.model_versions (
    model_version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('risk', 'survival', 'why', 'effect', 'escalation')),
    status        text NOT NULL DEFAULT 'candidate' CHECK (status IN ('candidate', 'current', 'retired', 'refused')),
    data_as_of    timestamptz NOT NULL,
    horizon_days  integer,
    metrics       jsonb NOT NULL,
    libraries     jsonb NOT NULL,               -- name → version the artifact was made with
    refusal       text,                         -- why there is no model: a sentence
    artifact      bytea,
    sha256        text,                         -- hex digest of artifact
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    text NOT NULL,
    promoted_at   timestamptz,
    promoted_by   text,
    CHECK ((status = 'refused') = (refusal IS NOT NULL)),
    CHECK ((artifact IS NULL) = (status = 'refused')),
    CHECK ((artifact IS NULL) = (sha256 IS NULL))
);
CREATE UNIQUE INDEX model_versions_one_current ON desk.model_versions (kind) WHERE status = 'current';

CREATE TABLE desk.scores (
    customer_id    text PRIMARY KEY,
    as_of          timestamptz NOT NULL,
    p_churn        double precision NOT NULL CHECK (p_churn BETWEEN 0 AND 1),
    clv            numeric(14, 2),
    clv_low        numeric(14, 2),
    clv_high       numeric(14, 2),
    expected_months double precision,
    risk_version   bigint NOT NULL REFERENCES desk.model_versions,
    survival_version bigint REFERENCES desk.model_versions,
    inputs         bigint                       -- fingerprint of the features and of what they were scored by
);
CREATE INDEX scores_risk ON desk.scores (p_churn DESC);

-- cases ---------------------------------------------------------------------------------------------------------------

-- A caller on somebody's screen, from the first second to the outcome.
CREATE TABLE desk.cases (
    case_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    staff_id    text NOT NULL,
    customer_id text NOT NULL,
    opened_at   timestamptz NOT NULL DEFAULT now(),
    opened_by   text NOT NULL,                  -- ani, caller, account, contact or search
    closed_at   timestamptz,
    -- What became of the call: how it ended, what is broken in one line, would they recommend us, was a referral asked for.
    contact_reason  text,
    fault           text CHECK (fault IN ('ours', 'theirs', 'shared', 'none')),
    cancel_asked_at timestamptz,                -- the first "cancel": the way out is timed from here
    cancelled_at    timestamptz,
    outcome         text CHECK (outcome IN ('deflected', 'cancelled', 'resolved', 'call_back', 'dropped')),
    what_is_broken  text CHECK (length(what_is_broken) <= 280),
    would_recommend smallint CHECK (would_recommend BETWEEN 0 AND 10),
    referral        text CHECK (referral IN ('asked', 'made', 'missed')),
    -- What the telephone system says of it: its own id of the call, when it ended, the wrap-up code.
    contact_id      text CHECK (length(contact_id) BETWEEN 1 AND 128),
    call_ended_at   timestamptz,
    wrap_up         text CHECK (length(wrap_up) <= 100),
    agent_ended_at  timestamptz                 -- when the agent said how it ended: the telephone system may have closed it before
);
CREATE INDEX cases_staff ON desk.cases (staff_id, opened_at DESC);
CREATE INDEX cases_contact ON desk.cases (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX cases_open ON desk.cases (opened_at) WHERE closed_at IS NULL;

-- =====================================================================================================================
-- desk, what decides: owned by keepline_owner
-- =====================================================================================================================

GRANT USAGE, CREATE ON SCHEMA desk TO keepline_owner;
GRANT SELECT ON desk.company, desk.staff, desk.cases TO keepline_owner;
GRANT REFERENCES ON desk.cases TO keepline_owner;

SET ROLE keepline_owner;

-- Before the first function exists: nobody may run one unless told so in grants.sql.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- house rules ---------------------------------------------------------------------------------------------------------

-- The company's own time: the clock, or for simulated and imported companies the instant their data ends. Limits, months
-- and policy dates go by it. Sessions, offers and approvals expire by the real clock.
CREATE FUNCTION desk.business_clock() RETURNS timestamptz LANGUAGE sql STABLE
    RETURN coalesce((SELECT data_until FROM desk.company), clock_timestamp());

-- Say no: an SQLSTATE of class KL, the sentence a person reads, the figures behind it, and who can lift it.
CREATE FUNCTION desk.refuse(_code text, _sentence text, _facts jsonb DEFAULT '{}', _who text DEFAULT '') RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = _code, MESSAGE = _sentence, DETAIL = _facts::text, HINT = _who;
END $$;

-- Minor units as people read them, in the writing of churn.core.money.show: 3550 GBP is £35.50, 3500 JPY is ¥3,500.
CREATE FUNCTION desk.in_words(_amount bigint, _currency text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN (
        SELECT CASE WHEN _amount < 0 THEN '−' ELSE '' END
               || CASE _currency WHEN 'GBP' THEN '£' WHEN 'EUR' THEN '€' WHEN 'USD' THEN '$' WHEN 'JPY' THEN '¥'
                                 ELSE _currency || ' ' END
               || to_char(abs(_amount) / unit, 'FM999,999,999,999,999,999,990')
               || CASE WHEN abs(_amount) % unit = 0 THEN ''
                       ELSE '.' || lpad((abs(_amount) % unit)::text, digits, '0') END
        FROM (SELECT digits, (10 ^ digits)::bigint AS unit
              FROM (SELECT CASE WHEN _currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX',
                                                   'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
                                WHEN _currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
                                ELSE 2 END AS digits) d) u);

CREATE FUNCTION desk.append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM desk.refuse('KL901', format('Rows of %s.%s are never changed or removed; add a row that corrects.',
                                        TG_TABLE_SCHEMA, TG_TABLE_NAME));
    RETURN NULL;
END $$;

-- Append-only for everybody, the tables' owner and replication included.
CREATE PROCEDURE desk.make_append_only(_table regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON %s '
                   'FOR EACH ROW EXECUTE FUNCTION desk.append_only()', _table);
    EXECUTE format('CREATE TRIGGER append_only_table BEFORE TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION desk.append_only()', _table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only_row', _table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only_table', _table);
END $$;

-- people and sessions -------------------------------------------------------------------------------------------------

-- A signed-in person. The token itself is nowhere in the database.
CREATE TABLE desk.sessions (
    session_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_sha256 bytea NOT NULL UNIQUE CHECK (length(token_sha256) = 32),
    staff_id     text NOT NULL,
    role         text NOT NULL,                 -- at sign-in; a changed role ends the session
    opened_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    signed_in_at timestamptz,                   -- by their provider; NULL: local mode
    key_id       text,                          -- a service's (desk.api_keys); NULL: a person's
    CHECK (expires_at <= opened_at + interval '12 hours')
);
CREATE INDEX sessions_staff ON desk.sessions (staff_id);

CREATE TYPE desk.person AS (session_id bigint, staff_id text, role text, team text);

-- Who holds this token, with role and team as they are now.
CREATE FUNCTION desk.who(_token text) RETURNS desk.person LANGUAGE plpgsql AS $$
DECLARE
    _found record;
    _at    timestamptz := clock_timestamp();
BEGIN
    SELECT s.session_id, s.staff_id, p.role, p.team, s.last_seen_at,
           s.revoked_at IS NULL AND s.expires_at > _at AND s.last_seen_at > _at - interval '30 minutes' AS is_live,
           p.is_active AND p.role = s.role AS is_same
    INTO _found
    FROM desk.sessions s JOIN desk.staff p ON p.staff_id = s.staff_id
    WHERE s.token_sha256 = sha256(convert_to(_token, 'UTF8'));
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL101', 'You are not signed in; sign in and try again.');
    ELSIF NOT _found.is_live THEN
        PERFORM desk.refuse('KL102', 'Your session has ended; sign in again. What you typed is kept.');
    ELSIF NOT _found.is_same THEN
        PERFORM desk.refuse('KL103', 'Your role has changed since you signed in; sign in again.');
    ELSIF _found.last_seen_at < _at - interval '1 minute' THEN  -- not on every call: that would be a write per read
        UPDATE desk.sessions s SET last_seen_at = _at WHERE s.session_id = _found.session_id;
    END IF;
    RETURN (_found.session_id, _found.staff_id, _found.role, _found.team)::desk.person;
END $$;

-- Sign somebody in, once the app knows who it is. The token is shown this one time.
CREATE FUNCTION desk.open_session(_staff_id text, _hours numeric DEFAULT 12,
                                  OUT token text, OUT session_id bigint, OUT staff_id text, OUT role text,
                                  OUT team text, OUT expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT p.staff_id, p.role, p.team INTO staff_id, role, team
    FROM desk.staff p WHERE p.staff_id = _staff_id AND p.is_active;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL104', format('%s is not a person who may sign in; ask an administrator.', _staff_id));
    END IF;
    token := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');  -- 244 random bits
    INSERT INTO desk.sessions AS s (token_sha256, staff_id, role, expires_at)
    VALUES (sha256(convert_to(token, 'UTF8')), open_session.staff_id, open_session.role,
            now() + least(make_interval(secs => (_hours * 3600)::double precision), interval '12 hours'))
    RETURNING s.session_id, s.expires_at INTO session_id, expires_at;
END $$;

-- Sign out. Signing out twice is no harm.
CREATE FUNCTION desk.close_session(_token text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE desk.sessions SET revoked_at = clock_timestamp()
    WHERE token_sha256 = sha256(convert_to(_token, 'UTF8')) AND revoked_at IS NULL;
$$;

-- The person behind a token, for row-level security and guards; refuses like every act.
CREATE FUNCTION desk.current_person(_token text) RETURNS desk.person
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT desk.who(_token) $$;

CREATE FUNCTION desk.require_role(_me desk.person, VARIADIC _roles text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT _me.role = ANY (_roles) THEN
        PERFORM desk.refuse('KL105', format('As %s you may not do this; it takes: %s.',
                                            _me.role, array_to_string(_roles, ' or ')));
    END IF;
END $$;

-- Who looks after whose team for a while.
CREATE TABLE desk.stand_ins (
    team       text NOT NULL,
    staff_id   text NOT NULL,
    starts_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ends_at    timestamptz NOT NULL CHECK (ends_at > starts_at),
    named_by   text NOT NULL,
    PRIMARY KEY (team, staff_id, starts_at),
    CHECK (named_by <> staff_id)
);

CREATE FUNCTION desk.looks_after(_me desk.person, _team text) RETURNS boolean LANGUAGE sql STABLE
    RETURN _me.team IS NOT DISTINCT FROM _team
           OR EXISTS (SELECT FROM desk.stand_ins i WHERE i.team = _team AND i.staff_id = _me.staff_id
                      AND clock_timestamp() >= i.starts_at AND clock_timestamp() < i.ends_at);

-- policy --------------------------------------------------------------------------------------------------------------

-- Policy as rows: who may give what, from when, and why. Nothing here is computed; the core matches a case against it.
--
-- A version is drafted by one person, published by another, and never changes afterwards: what a receipt cites is what
-- was in force. Which version is in force is a question of dates only.

CREATE TABLE desk.policy_versions (
    policy_version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title          text NOT NULL,
    currency       char(3) NOT NULL,            -- every amount of the version
    drafted_by     text NOT NULL,
    drafted_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_by   text,
    published_at   timestamptz,                 -- by the company's own time, like effective_from
    effective_from timestamptz,                 -- in force until the next one begins; of two at once, the later draft
    CHECK (published_by <> drafted_by),         -- four eyes
    CHECK (effective_from >= published_at),     -- nothing is allowed or forbidden after the fact
    CHECK (num_nulls(published_by, published_at, effective_from) IN (0, 3))
);
CREATE INDEX policy_versions_in_force ON desk.policy_versions (effective_from, policy_version);

CREATE FUNCTION desk.policy_in_force(_at timestamptz) RETURNS bigint LANGUAGE sql STABLE
    RETURN (SELECT policy_version FROM desk.policy_versions
            WHERE effective_from <= _at ORDER BY effective_from DESC, policy_version DESC LIMIT 1);

-- What may be given, and what it costs.
CREATE TABLE desk.policy_instruments (
    policy_version  bigint NOT NULL REFERENCES desk.policy_versions,
    instrument      text NOT NULL,
    title           text NOT NULL,              -- what the agent reads
    lever           text NOT NULL CHECK (lever IN ('fix', 'right_size', 'pause', 'credit', 'discount')),
    -- none: costs its handling only; once: all at once; monthly: month by month while they stay;
    -- free_months: months of the bill, while they stay; price_gap: the difference of two plans, while they stay
    cost_model      text NOT NULL CHECK (cost_model IN ('none', 'once', 'monthly', 'free_months', 'price_gap')),
    cost_share      numeric NOT NULL DEFAULT 1, -- what one unit of face value costs the company
    handling_cost   bigint NOT NULL DEFAULT 0,  -- of giving it at all, stay or go
    max_amount      bigint NOT NULL,            -- the most any case may get: the outer wall, kept by the ledger
    step_amount     bigint NOT NULL DEFAULT 1,  -- rungs are multiples of it
    max_months      smallint,                   -- NULL: not by the month
    is_entitlement  boolean NOT NULL DEFAULT false, -- owed, not goodwill: outside budgets and the rolling cap
    draws_budget    boolean NOT NULL DEFAULT true,
    PRIMARY KEY (policy_version, instrument),
    -- Money that draws no budget is owed money, or there is no money.
    CHECK (CASE WHEN is_entitlement THEN NOT draws_budget ELSE draws_budget OR max_amount = 0 END)
);

-- One rule, one effect. A condition left NULL is any. Intervals hold their start and not their end.
CREATE TABLE desk.policy_rules (
    policy_version    bigint NOT NULL REFERENCES desk.policy_versions,
    code              text NOT NULL,            -- what people call it: 'fault-ours'
    topic             text NOT NULL,            -- rules of one topic answer one question; the narrowest that fits answers
    instrument        text,
    starts_on         date,
    ends_on           date,
    tenure_from       integer,                  -- months
    tenure_to         integer,
    worth_from        bigint,
    worth_to          bigint,
    risk_from         numeric,                  -- chance of leaving within the horizon
    risk_to           numeric,
    given_from        integer,                  -- concessions in the last given_days
    given_to          integer,
    given_days        integer,
    plan              text,
    segment           text,
    contact_reason    text,
    fault             text,
    channel           text,
    region            text,
    arm               text,
    open_complaint    boolean,
    is_vulnerable     boolean,
    is_do_not_offer   boolean,
    in_collections    boolean,
    has_fraud_hold    boolean,
    is_bereaved       boolean,
    effect            text NOT NULL,
    value             numeric,                  -- money in minor units; NULL for a ceiling: this topic sets no limit
    unit              text NOT NULL,
    window_days       integer,
    role              text,
    reason            text NOT NULL,            -- the sentence the agent reads
    reference         text,                     -- the paper it comes from
    PRIMARY KEY (policy_version, code)
);

-- Delegation of authority: what a role may give alone, at once and within a window.
CREATE TABLE desk.policy_authority (
    authority_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_version bigint NOT NULL REFERENCES desk.policy_versions,
    role           text NOT NULL,
    instrument     text NOT NULL,
    contact_reason text,                        -- NULL: any; a named one goes first
    per_grant      bigint NOT NULL,
    per_window     bigint NOT NULL,
    time_window    text NOT NULL,               -- day, week or month of the budget's zone
    UNIQUE NULLS NOT DISTINCT (policy_version, role, instrument, contact_reason)
);

-- Rows of a published version stand. The version row is locked so that nothing slips in beside its publication.
CREATE FUNCTION desk.only_in_drafts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    _touched bigint[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.policy_version]
                                    WHEN 'DELETE' THEN ARRAY[OLD.policy_version]
                                    ELSE ARRAY[OLD.policy_version, NEW.policy_version] END;
BEGIN
    PERFORM FROM desk.policy_versions v WHERE v.policy_version = ANY (_touched) ORDER BY v.policy_version FOR SHARE;
    IF EXISTS (SELECT FROM desk.policy_versions v
               WHERE v.policy_version = ANY (_touched) AND v.published_at IS NOT NULL) THEN
        PERFORM desk.refuse('KL601', format('Policy version %s is published and stands; draft a new one.', _touched[1]));
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

-- A version is published once; after that its own row stands too.
CREATE FUNCTION desk.publish_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NOT NULL THEN
        PERFORM desk.refuse('KL601', format('Policy version %s is published and stands; draft a new one.',
                                            OLD.policy_version));
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

DO $$
DECLARE
    _name text;
BEGIN
    FOREACH _name IN ARRAY ARRAY['policy_instruments', 'policy_rules', 'policy_authority'] LOOP
        EXECUTE format('CREATE TRIGGER only_in_drafts BEFORE INSERT OR UPDATE OR DELETE ON desk.%I '
                       'FOR EACH ROW EXECUTE FUNCTION desk.only_in_drafts()', _name);
        EXECUTE format('ALTER TABLE desk.%I ENABLE ALWAYS TRIGGER only_in_drafts', _name);
    END LOOP;
    FOREACH _name IN ARRAY ARRAY['policy_versions', 'policy_instruments', 'policy_rules', 'policy_authority'] LOOP
        EXECUTE format('CREATE TRIGGER append_only_table BEFORE TRUNCATE ON desk.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION desk.append_only()', _name);
        EXECUTE format('ALTER TABLE desk.%I ENABLE ALWAYS TRIGGER append_only_table', _name);
    END LOOP;
END $$;
CREATE TRIGGER publish_once BEFORE UPDATE OR DELETE ON desk.policy_versions
    FOR EACH ROW EXECUTE FUNCTION desk.publish_once();
ALTER TABLE desk.policy_versions ENABLE ALWAYS TRIGGER publish_once;

-- =====================================================================================================================
-- desk, the ledger
-- =====================================================================================================================

-- The ledger: one grant, decided and recorded by the database.
--
-- desk.give_concession is the only way to give. It is one call, so no client can freeze while holding a lock. Locks are
-- taken in one order everywhere: approval's decision (the claimed key), customer, agent's counter, budget's counter last,
-- because it is the hottest. Refusals are rows too. What a function refuses, a constraint or an always-on trigger makes
-- impossible for the tables' owner as well.
--
-- SQLSTATEs: KL1xx who you are · KL2xx the decision · KL3xx limits · KL4xx approvals · KL5xx taking back, months, budgets
--            KL6xx policy · KL9xx the ledger's own nature

-- refusals ------------------------------------------------------------------------------------------------------------

-- Every no of an act, kept. is_security: somebody tried what no screen offers.
CREATE TABLE desk.refusals (
    refusal_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act         text NOT NULL,
    code        text NOT NULL,
    sentence    text NOT NULL,
    facts       jsonb NOT NULL,
    staff_id    text,
    session_id  bigint,
    asked       jsonb NOT NULL,                 -- the act's own arguments, the token excepted
    is_security boolean NOT NULL,
    refused_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX refusals_staff ON desk.refusals (staff_id, refused_at);
CREATE INDEX refusals_time ON desk.refusals USING brin (refused_at);
CALL desk.make_append_only('desk.refusals');

-- decisions ------------------------------------------------------------------------------------------------------------

-- What a recommendation was made from and what was shown, stored before anybody can click on it.
CREATE TABLE desk.decisions (
    decision_id       uuid PRIMARY KEY,         -- and request key of whatever is given from it
    case_id           uuid NOT NULL REFERENCES desk.cases,
    customer_id       text NOT NULL,
    staff_id          text NOT NULL,
    session_id        bigint NOT NULL,
    team              text,
    policy_version    bigint NOT NULL REFERENCES desk.policy_versions,
    currency          char(3) NOT NULL,
    contact_reason    text,
    asked_amount      bigint CHECK (asked_amount >= 0),      -- what the caller said would put it right; NULL: skipped
    asked_in_kind     text,
    intended_amount   bigint CHECK (intended_amount >= 0),   -- what the agent meant to give before any trial
    authorised_amount bigint CHECK (authorised_amount >= 0), -- the most the agent could have given alone
    rolling_cap       bigint NOT NULL CHECK (rolling_cap >= 0),
    rolling_days      integer NOT NULL CHECK (rolling_days > 0),
    given_elsewhere   bigint NOT NULL CHECK (given_elsewhere >= 0), -- in the same days, outside this ledger
    shown_rung        smallint,
    arm               text,
    propensity        double precision CHECK (propensity > 0 AND propensity <= 1),
    price_of_budget   double precision,         -- lambda
    seed              bigint,
    receipt           jsonb NOT NULL,           -- inputs, versions, bounds, ladder: all a replay needs
    sha256            text NOT NULL,            -- of everything above as it came in
    decided_at        timestamptz NOT NULL,     -- the company's own time
    expires_at        timestamptz NOT NULL,
    recorded_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (decision_id, customer_id, currency)
);
CREATE INDEX decisions_case ON desk.decisions (case_id);
CREATE INDEX decisions_customer ON desk.decisions (customer_id, recorded_at);
CALL desk.make_append_only('desk.decisions');

-- The rungs that were on the screen, with the limits of each.
CREATE TABLE desk.decision_rungs (
    decision_id     uuid NOT NULL REFERENCES desk.decisions,
    rung            smallint NOT NULL,
    lever           text NOT NULL,
    instrument      text NOT NULL,
    amount          bigint NOT NULL CHECK (amount >= 0),      -- in all, whatever the months
    months          smallint CHECK (months BETWEEN 1 AND 120),
    ceiling         bigint NOT NULL,            -- what policy allows in this case, whoever asks
    cooldown_days   integer CHECK (cooldown_days > 0),
    redemptions     integer CHECK (redemptions >= 0),
    redemption_days integer CHECK (redemption_days > 0),
    cost            numeric,
    p_stay          double precision CHECK (p_stay BETWEEN 0 AND 1),
    gain            numeric,
    propensity      double precision CHECK (propensity BETWEEN 0 AND 1),
    needs_approval  boolean NOT NULL DEFAULT false, -- policy wants a supervisor whatever the amount
    PRIMARY KEY (decision_id, rung),
    CHECK (amount <= ceiling),
    CHECK ((redemptions IS NULL) = (redemption_days IS NULL))
);
CALL desk.make_append_only('desk.decision_rungs');

-- What became of an offer that was not given.
CREATE TABLE desk.decision_answers (
    decision_id uuid PRIMARY KEY REFERENCES desk.decisions,
    answer      text NOT NULL CHECK (answer IN ('not_now', 'refused_by_caller', 'cancelled')),
    reason      text NOT NULL,
    staff_id    text NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL desk.make_append_only('desk.decision_answers');

-- One row per customer ever offered anything: what a grant locks while it sums up what they got.
CREATE TABLE desk.ledger_customers (customer_id text PRIMARY KEY);

-- A monthly discount month by month: equal parts, the last takes the remainder.
CREATE FUNCTION desk.schedule(_amount bigint, _months integer) RETURNS bigint[] LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN _months IS NOT NULL THEN
        array_fill(_amount / _months, ARRAY[_months - 1]) || (_amount - _amount / _months * (_months - 1)) END;

-- budgets --------------------------------------------------------------------------------------------------------------

CREATE TABLE desk.budgets (
    budget_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team       text NOT NULL,
    instrument text NOT NULL,
    month      date NOT NULL CHECK (extract(day FROM month) = 1),
    currency   char(3) NOT NULL,
    time_zone  text NOT NULL,                   -- the month begins and ends by it
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at > starts_at),
    UNIQUE (team, instrument, month, currency)
);
CREATE INDEX budgets_lookup ON desk.budgets (team, instrument, currency, starts_at);
CALL desk.make_append_only('desk.budgets');

-- The hot half: nothing refers to it, so a grant's lock on it waits for nobody's foreign key. A budget without this row
-- is no budget. spent is a cache of the ledger; `reconcile` compares.
CREATE TABLE desk.budget_counters (
    budget_id    bigint PRIMARY KEY REFERENCES desk.budgets,
    amount_limit bigint NOT NULL CHECK (amount_limit >= 0),
    spent        bigint NOT NULL DEFAULT 0,     -- below zero when an earlier month's grant is taken back
    is_closed    boolean NOT NULL DEFAULT false,
    CHECK (spent <= amount_limit)
) WITH (fillfactor = 50);

-- Money enters or leaves a budget by two people: one proposes, another confirms.
CREATE TABLE desk.budget_proposals (
    proposal_id uuid PRIMARY KEY,
    team        text NOT NULL,
    instrument  text NOT NULL,
    month       date NOT NULL CHECK (extract(day FROM month) = 1),
    currency    char(3) NOT NULL,
    amount      bigint NOT NULL CHECK (amount <> 0),
    reason      text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (proposal_id, amount, proposed_by)
);
CALL desk.make_append_only('desk.budget_proposals');
CREATE TABLE desk.budget_changes (
    proposal_id  uuid PRIMARY KEY,
    budget_id    bigint NOT NULL REFERENCES desk.budgets,
    amount       bigint NOT NULL,
    proposed_by  text NOT NULL,
    confirmed_by text NOT NULL,
    confirmed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (confirmed_by <> proposed_by),
    FOREIGN KEY (proposal_id, amount, proposed_by) REFERENCES desk.budget_proposals (proposal_id, amount, proposed_by)
);
CALL desk.make_append_only('desk.budget_changes');

-- What a person's own authority has been used for in one window.
CREATE TABLE desk.agent_counters (
    staff_id    text NOT NULL,
    instrument  text NOT NULL,
    currency    char(3) NOT NULL,
    time_window text NOT NULL,
    starts_on   date NOT NULL,
    spent       bigint NOT NULL CHECK (spent >= 0),
    PRIMARY KEY (staff_id, instrument, currency, time_window, starts_on)
) WITH (fillfactor = 50);

-- Locked by what draws no budget, so that closing a month waits for it too.
CREATE TABLE desk.month_gates (month date PRIMARY KEY);

CREATE TABLE desk.month_closes (
    month     date PRIMARY KEY CHECK (extract(day FROM month) = 1),
    closed_by text NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    statement jsonb NOT NULL                    -- the sums that were signed off
);
CALL desk.make_append_only('desk.month_closes');

-- approvals ------------------------------------------------------------------------------------------------------------

-- Which state may follow which; the core has the same table and a test compares them.
CREATE TABLE desk.approval_moves (from_state text, to_state text, PRIMARY KEY (from_state, to_state));
INSERT INTO desk.approval_moves VALUES
    ('asked', 'approved'), ('asked', 'countered'), ('asked', 'declined'), ('asked', 'expired'), ('asked', 'withdrawn'),
    ('approved', 'used'), ('approved', 'expired'), ('approved', 'withdrawn'),
    ('countered', 'used'), ('countered', 'expired'), ('countered', 'withdrawn');
CALL desk.make_append_only('desk.approval_moves');

CREATE TABLE desk.approval_requests (
    approval_id   uuid PRIMARY KEY,
    decision_id   uuid NOT NULL,
    customer_id   text NOT NULL,
    currency      char(3) NOT NULL,
    instrument    text NOT NULL,
    amount        bigint NOT NULL CHECK (amount > 0),
    months        smallint,
    budget_id     bigint REFERENCES desk.budgets,
    team          text NOT NULL,
    own_limit     bigint NOT NULL,              -- the asker's own, when asked
    reason        text NOT NULL,
    requested_by  text NOT NULL,
    requested_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz NOT NULL,
    state         text NOT NULL DEFAULT 'asked',
    decided_by    text,
    decided_at    timestamptz,
    answer_amount bigint,                       -- approved: as asked; countered: the supervisor's
    answer_months smallint,
    answer_reason text,
    CHECK (decided_by <> requested_by),
    CHECK (state IN ('asked', 'approved', 'countered', 'declined', 'expired', 'withdrawn', 'used')),
    CHECK (state NOT IN ('approved', 'countered', 'declined', 'used') OR decided_by IS NOT NULL),
    FOREIGN KEY (decision_id, customer_id, currency) REFERENCES desk.decisions (decision_id, customer_id, currency)
);
CREATE UNIQUE INDEX approval_requests_one_open ON desk.approval_requests (decision_id)
    WHERE state IN ('asked', 'approved', 'countered');
CREATE INDEX approval_requests_queue ON desk.approval_requests (team, expires_at) WHERE state = 'asked';

-- Each state a request was in, and since when.
CREATE TABLE desk.approval_history (
    approval_id uuid NOT NULL REFERENCES desk.approval_requests,
    state       text NOT NULL,
    entered_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX approval_history_request ON desk.approval_history (approval_id);
CALL desk.make_append_only('desk.approval_history');

-- A request moves along the table of moves, and what was asked stays what was asked.
CREATE FUNCTION desk.approval_moves_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (SELECT FROM desk.approval_moves m WHERE m.from_state = OLD.state AND m.to_state = NEW.state) THEN
            PERFORM desk.refuse('KL402', format('The request is %s; it cannot become %s.', OLD.state, NEW.state));
        ELSIF (OLD.decision_id, OLD.customer_id, OLD.currency, OLD.instrument, OLD.amount, OLD.months, OLD.budget_id,
               OLD.requested_by, OLD.requested_at, OLD.own_limit)
            IS DISTINCT FROM (NEW.decision_id, NEW.customer_id, NEW.currency, NEW.instrument, NEW.amount, NEW.months,
               NEW.budget_id, NEW.requested_by, NEW.requested_at, NEW.own_limit)
            OR OLD.state <> 'asked' AND (OLD.decided_by, OLD.answer_amount, OLD.answer_months)
            IS DISTINCT FROM (NEW.decided_by, NEW.answer_amount, NEW.answer_months) THEN
            PERFORM desk.refuse('KL901', 'What was asked and answered is never changed.');
        END IF;
    ELSIF NEW.state <> 'asked' THEN
        PERFORM desk.refuse('KL402', format('A request begins as asked, not as %s.', NEW.state));
    END IF;
    INSERT INTO desk.approval_history (approval_id, state) VALUES (NEW.approval_id, NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER approval_moves_on AFTER INSERT OR UPDATE ON desk.approval_requests
    FOR EACH ROW EXECUTE FUNCTION desk.approval_moves_on();
CREATE TRIGGER append_only_row BEFORE DELETE ON desk.approval_requests
    FOR EACH ROW EXECUTE FUNCTION desk.append_only();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON desk.approval_requests
    FOR EACH STATEMENT EXECUTE FUNCTION desk.append_only();
ALTER TABLE desk.approval_requests ENABLE ALWAYS TRIGGER approval_moves_on;
ALTER TABLE desk.approval_requests ENABLE ALWAYS TRIGGER append_only_row;
ALTER TABLE desk.approval_requests ENABLE ALWAYS TRIGGER append_only_table;

-- A supervisor's yes, with exactly what it is a yes to. The ledger refers to the whole of it.
CREATE TABLE desk.approvals (
    approval_id  uuid PRIMARY KEY REFERENCES desk.approval_requests,
    decision_id  uuid NOT NULL UNIQUE,          -- one yes to a decision
    customer_id  text NOT NULL,
    currency     char(3) NOT NULL,
    instrument   text NOT NULL,
    amount       bigint NOT NULL CHECK (amount > 0),
    months       smallint,
    budget_id    bigint REFERENCES desk.budgets,
    budget_key   bigint NOT NULL GENERATED ALWAYS AS (coalesce(budget_id, 0)) STORED, -- a key column may not be NULL
    requested_by text NOT NULL,
    decided_by   text NOT NULL,
    authority_id bigint NOT NULL REFERENCES desk.policy_authority,
    authority    bigint NOT NULL,               -- of who decided
    decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (decided_by <> requested_by),
    CHECK (amount <= authority),
    UNIQUE (approval_id, decision_id, customer_id, currency, instrument, amount, budget_key, requested_by, decided_by),
    FOREIGN KEY (decision_id, customer_id, currency) REFERENCES desk.decisions (decision_id, customer_id, currency)
);
CALL desk.make_append_only('desk.approvals');

-- the ledger -----------------------------------------------------------------------------------------------------------

-- One row per grant, and one per grant taken back. Customers by key only: erasing a person never touches a sum.
CREATE TABLE desk.ledger (
    entry_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('grant', 'reversal', 'clawback')),
    decision_id    uuid NOT NULL,
    reverses       bigint REFERENCES desk.ledger,
    customer_id    text NOT NULL,
    staff_id       text NOT NULL,               -- who gave, or took back
    team           text,
    instrument     text NOT NULL,
    amount         bigint NOT NULL,             -- below zero for what is taken back
    currency       char(3) NOT NULL,
    months         smallint,
    schedule       bigint[],
    budget_id      bigint,
    budget_key     bigint NOT NULL GENERATED ALWAYS AS (coalesce(budget_id, 0)) STORED,
    policy_version bigint NOT NULL,
    authority_id   bigint NOT NULL,             -- the giver's line in the delegation of authority
    authority      bigint NOT NULL,             -- and its limit for one grant
    authorised_by  text NOT NULL,               -- whose authority it is: the giver's, or the approver's
    time_window    text NOT NULL,               -- and whose window counts it
    approval_id    uuid,
    given_at       timestamptz NOT NULL,        -- when it happened, in the company's own time
    cap_at         timestamptz NOT NULL,        -- when it counts against the customer's cap: a reversal, with its grant
    booked_on      date NOT NULL,               -- business day in the budget's zone
    booked_month   date NOT NULL CHECK (booked_month = date_trunc('month', booked_on::timestamp)::date),
    reason         text,
    written_in     xid8 NOT NULL DEFAULT pg_current_xact_id(), -- the transaction it was written in
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((kind = 'grant') = (reverses IS NULL)),
    CHECK (CASE kind WHEN 'grant' THEN amount >= 0 ELSE amount <= 0 END),
    CHECK (kind <> 'grant' OR amount <= authority OR approval_id IS NOT NULL),
    CHECK (kind <> 'grant' OR (authorised_by = staff_id) = (approval_id IS NULL)),
    FOREIGN KEY (decision_id, customer_id, currency) REFERENCES desk.decisions (decision_id, customer_id, currency),
    FOREIGN KEY (approval_id, decision_id, customer_id, currency, instrument, amount, budget_key, staff_id, authorised_by)
        REFERENCES desk.approvals
        (approval_id, decision_id, customer_id, currency, instrument, amount, budget_key, requested_by, decided_by)
);
CREATE UNIQUE INDEX ledger_one_grant_a_key ON desk.ledger (decision_id) WHERE kind = 'grant';
CREATE UNIQUE INDEX ledger_taken_back_once ON desk.ledger (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX ledger_customer ON desk.ledger (customer_id);
CREATE INDEX ledger_month ON desk.ledger USING brin (booked_month);
CREATE INDEX ledger_time ON desk.ledger USING brin (recorded_at);
CREATE INDEX ledger_budget_day ON desk.ledger (budget_id, booked_on) WHERE budget_id IS NOT NULL;  -- given today
CALL desk.make_append_only('desk.ledger');

-- What a CHECK cannot see, for everybody who inserts. It reads without locking what never changes once it is there
-- (published policy, budgets, ledger rows); a foreign key would write a lock into those few rows on every grant.
CREATE FUNCTION desk.ledger_is_lawful() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    _grant desk.ledger;
BEGIN
    IF EXISTS (SELECT FROM desk.month_closes c WHERE c.month = NEW.booked_month) THEN
        PERFORM desk.refuse('KL505', format('%s is closed; what belongs to it goes into the open month.',
                                            to_char(NEW.booked_month, 'FMMonth YYYY')));
    END IF;
    IF NEW.budget_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM desk.budgets b WHERE b.budget_id = NEW.budget_id AND b.month = NEW.booked_month
            AND b.instrument = NEW.instrument AND b.currency = NEW.currency) THEN
        PERFORM desk.refuse('KL307', 'There is no such budget for this instrument, month and currency.');
    END IF;
    IF NEW.kind = 'grant' THEN
        IF NOT EXISTS (
            SELECT FROM desk.policy_authority a
            WHERE a.authority_id = NEW.authority_id AND a.per_grant = NEW.authority
                AND a.instrument = NEW.instrument AND a.policy_version = NEW.policy_version) THEN
            PERFORM desk.refuse('KL302', 'The authority of this entry is not the policy''s.');
        END IF;
        RETURN NEW;
    END IF;
    SELECT * INTO _grant FROM desk.ledger l WHERE l.entry_id = NEW.reverses;
    IF _grant.kind IS DISTINCT FROM 'grant' THEN
        PERFORM desk.refuse('KL503', 'Only a grant can be taken back.');
    ELSIF NEW.kind = 'reversal' AND _grant.staff_id = NEW.staff_id THEN
        PERFORM desk.refuse('KL504', 'Who gave it may not reverse it; ask another supervisor.');
    ELSIF NEW.kind = 'reversal' AND NEW.amount <> -_grant.amount OR NEW.amount < -_grant.amount
        OR (NEW.decision_id, NEW.customer_id, NEW.instrument, NEW.currency, NEW.cap_at)
            IS DISTINCT FROM (_grant.decision_id, _grant.customer_id, _grant.instrument, _grant.currency, _grant.cap_at) THEN
        PERFORM desk.refuse('KL503', 'What is taken back must be what was given.');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_is_lawful BEFORE INSERT ON desk.ledger FOR EACH ROW EXECUTE FUNCTION desk.ledger_is_lawful();
ALTER TABLE desk.ledger ENABLE ALWAYS TRIGGER ledger_is_lawful;

-- =====================================================================================================================
-- desk, the acts: who, may they, do it, and a verdict; or the refusal, kept
-- =====================================================================================================================

-- shared by the acts ---------------------------------------------------------------------------------------------------

-- What every act answers. outcome: done, replayed (done before, the same answer again) or refused (code, sentence).
CREATE TYPE desk.verdict AS (
    outcome text, code text, sentence text, facts jsonb, who_can_lift text,
    key text,                                   -- entry, request, version …: what the act made
    entry desk.ledger, request desk.approval_requests
);

-- Keep a refusal and answer with it. The act's own writes are already rolled back.
CREATE FUNCTION desk.refused(_act text, _token text, _asked jsonb, _code text, _sentence text, _facts text, _who text)
    RETURNS desk.verdict LANGUAGE plpgsql AS $$
DECLARE
    _session desk.sessions;
    _given   jsonb := coalesce(nullif(_facts, ''), '{}')::jsonb;
BEGIN
    SELECT * INTO _session FROM desk.sessions s WHERE s.token_sha256 = sha256(convert_to(_token, 'UTF8'));
    INSERT INTO desk.refusals (act, code, sentence, facts, staff_id, session_id, asked, is_security)
    VALUES (_act, _code, _sentence, _given, _session.staff_id, _session.session_id, _asked,
            _code IN ('KL101', 'KL105', 'KL202', 'KL206', 'KL403', 'KL404', 'KL504', 'KL602', 'KL901'));
    RETURN ('refused', _code, _sentence, _given, nullif(_who, ''), NULL, NULL, NULL)::desk.verdict;
END $$;

CREATE FUNCTION desk.done(_key text, _entry desk.ledger DEFAULT NULL, _request desk.approval_requests DEFAULT NULL)
    RETURNS desk.verdict LANGUAGE sql IMMUTABLE
    RETURN ('done', NULL, NULL, NULL, NULL, _key, _entry, _request)::desk.verdict;

-- The decision, if it is mine.
CREATE FUNCTION desk.my_decision(_me desk.person, _decision uuid) RETURNS desk.decisions LANGUAGE plpgsql STABLE AS $$
DECLARE
    _found desk.decisions;
BEGIN
    SELECT * INTO _found FROM desk.decisions d WHERE d.decision_id = _decision;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL201', 'This offer was never recorded; open the case again for a fresh one.');
    ELSIF _found.staff_id <> _me.staff_id THEN
        PERFORM desk.refuse('KL202', 'This offer belongs to another person''s call.');
    END IF;
    RETURN _found;
END $$;

-- Refuse unless the offer still stands: not expired, call not over, policy unchanged, nothing answered.
CREATE FUNCTION desk.require_open(_offer desk.decisions, _at timestamptz) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF _offer.expires_at <= clock_timestamp() THEN
        PERFORM desk.refuse('KL203', 'This offer has expired; a fresh one takes a second. What you typed is kept.');
    ELSIF NOT EXISTS (SELECT FROM desk.cases c WHERE c.case_id = _offer.case_id AND c.closed_at IS NULL) THEN
        PERFORM desk.refuse('KL204', 'This call is closed; open the case again.');
    ELSIF _offer.policy_version IS DISTINCT FROM desk.policy_in_force(_at) THEN
        PERFORM desk.refuse('KL207', 'The policy has changed since this was offered; a fresh offer takes a second.');
    ELSIF EXISTS (SELECT FROM desk.decision_answers a WHERE a.decision_id = _offer.decision_id) THEN
        PERFORM desk.refuse('KL208', 'This offer was answered with no; a fresh one takes a second.');
    END IF;
END $$;

-- The line of the delegation that holds for this role: one for the reason goes before one for any.
CREATE FUNCTION desk.authority_of(_version bigint, _role text, _instrument text, _reason text)
    RETURNS desk.policy_authority LANGUAGE plpgsql STABLE AS $$
DECLARE
    _found desk.policy_authority;
BEGIN
    SELECT * INTO _found FROM desk.policy_authority a
    WHERE a.policy_version = _version AND a.role = _role AND a.instrument = _instrument
        AND (a.contact_reason IS NULL OR a.contact_reason = _reason)
    ORDER BY a.contact_reason NULLS LAST LIMIT 1;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL302', format('As %s you have no authority for %s.', _role, _instrument),
                            jsonb_build_object('limit', 0), 'a supervisor');
    END IF;
    RETURN _found;
END $$;

-- The budget this would come from now; no row when the instrument draws none. A missing budget refuses: it is never "any".
CREATE FUNCTION desk.budget_of(_item desk.policy_instruments, _team text, _currency text, _at timestamptz)
    RETURNS desk.budgets LANGUAGE plpgsql STABLE AS $$
DECLARE
    _found desk.budgets;
BEGIN
    IF NOT _item.draws_budget THEN
        RETURN NULL;
    END IF;
    SELECT * INTO _found FROM desk.budgets b
    WHERE b.team = _team AND b.instrument = _item.instrument AND b.currency = _currency
        AND b.starts_at <= _at AND b.ends_at > _at
    ORDER BY b.starts_at DESC LIMIT 1;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL307', format('Team %s has no budget for %s this month.', coalesce(_team, '(none)'),
                                            _item.instrument), '{"left": 0}', 'finance');
    END IF;
    RETURN _found;
END $$;

-- Take from a budget (or give back to it) what is left in it, in one conditional update. Always the last lock.
CREATE FUNCTION desk.draw(_budget bigint, _amount bigint, _currency text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _counter desk.budget_counters;
BEGIN
    UPDATE desk.budget_counters c SET spent = c.spent + _amount
    WHERE c.budget_id = _budget AND NOT c.is_closed AND c.amount_limit - c.spent >= _amount;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO _counter FROM desk.budget_counters c WHERE c.budget_id = _budget;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL307', 'This budget has no counter, so nothing can be drawn from it.', '{"left": 0}', 'finance');
    ELSIF _counter.is_closed THEN
        PERFORM desk.refuse('KL505', 'The month is closed; this belongs into the open one.', '{"left": 0}', 'finance');
    END IF;
    PERFORM desk.refuse(
        'KL308', format('Your team''s budget has %s left this month.',
                        desk.in_words(_counter.amount_limit - _counter.spent, _currency)),
        jsonb_build_object('left', _counter.amount_limit - _counter.spent, 'asked', _amount), 'finance');
END $$;

-- Hold the month open for what draws no budget.
CREATE FUNCTION desk.hold_month(_month date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO desk.month_gates VALUES (_month) ON CONFLICT DO NOTHING;
    PERFORM FROM desk.month_gates g WHERE g.month = _month FOR SHARE;
END $$;

-- record ---------------------------------------------------------------------------------------------------------------

-- The same recommendation again is stored once; another under its key is an error.
CREATE FUNCTION desk.recorded_before(_me desk.person, _decision uuid, _digest text) RETURNS desk.verdict LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM desk.decisions d
                   WHERE d.decision_id = _decision AND d.sha256 = _digest AND d.staff_id = _me.staff_id) THEN
        PERFORM desk.refuse('KL206', 'This request key was used for something else.');
    END IF;
    RETURN ('replayed', NULL, NULL, NULL, NULL, _decision, NULL, NULL)::desk.verdict;
END $$;

-- Store a recommendation before it is shown. The id is the caller's, so that sending it twice stores it once.
CREATE FUNCTION desk.record_decision(_token text, _decision jsonb) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me     desk.person;
    _offer  desk.decisions := jsonb_populate_record(NULL::desk.decisions, _decision);
    _digest text := encode(sha256(convert_to(_decision::text, 'UTF8')), 'hex');
    _bad    text;
    _facts  text;
    _who    text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    IF EXISTS (SELECT FROM desk.decisions d WHERE d.decision_id = _offer.decision_id) THEN
        RETURN desk.recorded_before(_me, _offer.decision_id, _digest);
    END IF;
    _offer.session_id := _me.session_id;
    _offer.staff_id := _me.staff_id;
    _offer.team := _me.team;
    _offer.sha256 := _digest;
    _offer.decided_at := desk.business_clock();
    _offer.recorded_at := clock_timestamp();
    _offer.expires_at := _offer.recorded_at
        + make_interval(secs => least(coalesce((_decision ->> 'expires_in_seconds')::double precision, 1800), 3600));
    IF NOT EXISTS (SELECT FROM desk.cases c WHERE c.case_id = _offer.case_id AND c.staff_id = _me.staff_id
                   AND c.customer_id = _offer.customer_id) THEN
        PERFORM desk.refuse('KL202', 'This is not a case of yours; open the caller again.');
    END IF;
    PERFORM desk.require_open(_offer, _offer.decided_at);
    -- The walls no case may pass, whatever the core made of it.
    SELECT format('%s of %s', r.instrument, desk.in_words(r.ceiling, _offer.currency)) INTO _bad
    FROM jsonb_populate_recordset(NULL::desk.decision_rungs, _decision -> 'rungs') r
    LEFT JOIN desk.policy_instruments i
        ON i.policy_version = _offer.policy_version AND i.instrument = r.instrument
    WHERE r.ceiling > i.max_amount OR r.months > coalesce(i.max_months, 0) OR i.instrument IS NULL
    LIMIT 1;
    IF FOUND THEN
        PERFORM desk.refuse('KL209', format('The policy knows no %s.', _bad));
    ELSIF _offer.currency <> (SELECT v.currency FROM desk.policy_versions v WHERE v.policy_version = _offer.policy_version) THEN
        PERFORM desk.refuse('KL209', format('The policy is not in %s.', _offer.currency));
    ELSIF _offer.rolling_cap > (SELECT coalesce(max(r.value), 0) FROM desk.policy_rules r
                                WHERE r.policy_version = _offer.policy_version AND r.effect = 'rolling_cap') THEN
        PERFORM desk.refuse('KL209', format('The policy knows no rolling cap of %s.',
                                            desk.in_words(_offer.rolling_cap, _offer.currency)));
    ELSIF _offer.rolling_days < (SELECT min(r.window_days) FROM desk.policy_rules r
                                 WHERE r.policy_version = _offer.policy_version AND r.effect = 'rolling_cap') THEN
        PERFORM desk.refuse('KL209', format('The policy knows no rolling cap over %s days.', _offer.rolling_days));
    END IF;
    INSERT INTO desk.decisions SELECT _offer.* ON CONFLICT (decision_id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN desk.recorded_before(_me, _offer.decision_id, _digest);
    END IF;
    INSERT INTO desk.decision_rungs
    SELECT _offer.decision_id, r.rung, r.lever, r.instrument, r.amount, r.months, r.ceiling, r.cooldown_days,
           r.redemptions, r.redemption_days, r.cost, r.p_stay, r.gain, r.propensity, coalesce(r.needs_approval, false)
    FROM jsonb_populate_recordset(NULL::desk.decision_rungs, _decision -> 'rungs') r;
    INSERT INTO desk.ledger_customers VALUES (_offer.customer_id) ON CONFLICT DO NOTHING;
    RETURN desk.done(_offer.decision_id::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('record_decision', _token, _decision - 'receipt', SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- The caller said no, or not now.
CREATE FUNCTION desk.answer_decision(_token text, _decision uuid, _answer text, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _offer desk.decisions;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    _offer := desk.my_decision(_me, _decision);
    PERFORM FROM desk.ledger_customers c WHERE c.customer_id = _offer.customer_id FOR UPDATE;
    IF EXISTS (SELECT FROM desk.ledger l WHERE l.decision_id = _decision) THEN
        PERFORM desk.refuse('KL205', 'This offer was given already.');
    END IF;
    INSERT INTO desk.decision_answers (decision_id, answer, reason, staff_id)
    VALUES (_decision, _answer, _reason, _me.staff_id) ON CONFLICT (decision_id) DO NOTHING;
    RETURN desk.done(_decision::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('answer_decision', _token, jsonb_build_object('decision', _decision, 'answer', _answer),
                        SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- give -----------------------------------------------------------------------------------------------------------------

-- The same key again: the same receipt when the terms are the same, an error when they are not.
CREATE FUNCTION desk.replayed(_entry desk.ledger, _instrument text, _amount bigint, _currency text, _months integer)
    RETURNS desk.verdict LANGUAGE plpgsql AS $$
BEGIN
    IF (_entry.instrument, _entry.amount, _entry.currency::text, _entry.months::integer)
        IS DISTINCT FROM (_instrument, _amount, _currency, _months) THEN
        PERFORM desk.refuse('KL206', format('From this offer %s of %s was given already; nothing more was given.',
                                            _entry.instrument, desk.in_words(_entry.amount, _entry.currency)),
                            jsonb_build_object('entry_id', _entry.entry_id));
    END IF;
    RETURN ('replayed', NULL, NULL, NULL, NULL, _entry.entry_id, _entry, NULL)::desk.verdict;
END $$;

-- What this customer got lately, this grant included, against what policy allows. The customer's row is locked.
CREATE FUNCTION desk.require_customer_limits(_entry desk.ledger, _offer desk.decisions, _item desk.policy_instruments)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _rung desk.decision_rungs;
    _got  record;
BEGIN
    SELECT * INTO _rung FROM desk.decision_rungs r
    WHERE r.decision_id = _offer.decision_id AND r.instrument = _entry.instrument ORDER BY r.rung LIMIT 1;
    SELECT coalesce(sum(l.amount) FILTER (
               WHERE l.currency = _entry.currency AND l.budget_id IS NOT NULL
                   AND l.cap_at > _entry.given_at - _offer.rolling_days * interval '24 hours'), 0)
               + _offer.given_elsewhere AS rolling,
           coalesce(sum(CASE l.kind WHEN 'grant' THEN 1 WHEN 'reversal' THEN -1 ELSE 0 END) FILTER (
               WHERE l.instrument = _entry.instrument AND l.entry_id <> _entry.entry_id
                   AND l.cap_at > _entry.given_at - _rung.cooldown_days * interval '24 hours'), 0) AS lately,
           coalesce(sum(CASE l.kind WHEN 'grant' THEN 1 WHEN 'reversal' THEN -1 ELSE 0 END) FILTER (
               WHERE l.instrument = _entry.instrument
                   AND l.cap_at > _entry.given_at - _rung.redemption_days * interval '24 hours'), 0) AS times,
           max(l.given_at) FILTER (WHERE l.instrument = _entry.instrument AND l.entry_id <> _entry.entry_id
                                   AND l.kind = 'grant') AS last_at
    INTO _got
    FROM desk.ledger l WHERE l.customer_id = _entry.customer_id;
    IF _got.lately > 0 THEN
        PERFORM desk.refuse('KL305', format('They had %s on %s; it may be given again after %s days.', _entry.instrument,
                                            to_char(_got.last_at, 'FMDD FMMonth YYYY'), _rung.cooldown_days),
                            jsonb_build_object('cooldown_days', _rung.cooldown_days, 'last_at', _got.last_at));
    ELSIF _got.times > _rung.redemptions THEN
        PERFORM desk.refuse('KL306', format('%s may be given %s times in %s days, and was.', _entry.instrument,
                                            _rung.redemptions, _rung.redemption_days),
                            jsonb_build_object('redemptions', _rung.redemptions, 'days', _rung.redemption_days));
    ELSIF _item.draws_budget AND _got.rolling > _offer.rolling_cap THEN
        PERFORM desk.refuse(
            'KL304', format('In %s days this customer may get %s; %s of it is left.', _offer.rolling_days,
                            desk.in_words(_offer.rolling_cap, _offer.currency),
                            desk.in_words(greatest(_offer.rolling_cap - (_got.rolling - _entry.amount)::bigint, 0),
                                          _offer.currency)),
            jsonb_build_object('limit', _offer.rolling_cap, 'days', _offer.rolling_days, 'asked', _entry.amount,
                               'left', greatest(_offer.rolling_cap - (_got.rolling - _entry.amount), 0)), 'finance');
    END IF;
END $$;

-- Count a grant against the window of whoever's authority it is.
CREATE FUNCTION desk.use_authority(_entry desk.ledger, _authority desk.policy_authority) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF _entry.amount <= _authority.per_window THEN
        INSERT INTO desk.agent_counters AS c (staff_id, instrument, currency, time_window, starts_on, spent)
        VALUES (_entry.authorised_by, _entry.instrument, _entry.currency, _authority.time_window,
                date_trunc(_authority.time_window, _entry.booked_on::timestamp)::date, _entry.amount)
        ON CONFLICT (staff_id, instrument, currency, time_window, starts_on)
        DO UPDATE SET spent = c.spent + excluded.spent WHERE c.spent + excluded.spent <= _authority.per_window;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    PERFORM desk.refuse(
        'KL303', format('With this %s would pass %s for %s this %s.', _entry.authorised_by,
                        desk.in_words(_authority.per_window, _entry.currency), _entry.instrument, _authority.time_window),
        jsonb_build_object('limit', _authority.per_window, 'window', _authority.time_window, 'asked', _entry.amount),
        'another supervisor');
END $$;

-- Give what was offered, or what was approved. One call decides and records; the decision's id is the request key.
CREATE FUNCTION desk.give_concession(
    _token text, _decision uuid, _instrument text, _amount bigint, _currency text,
    _months integer DEFAULT NULL, _approval uuid DEFAULT NULL) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me     desk.person;
    _offer  desk.decisions;
    _item   desk.policy_instruments;
    _own    desk.policy_authority;              -- the giver's
    _whose  desk.policy_authority;              -- the one that is used
    _budget desk.budgets;
    _yes    desk.approvals;
    _entry  desk.ledger;
    _at     timestamptz;
    _day    date;
    _facts  text;
    _who    text;
BEGIN
    _me := desk.who(_token);
    _offer := desk.my_decision(_me, _decision);
    SELECT * INTO _entry FROM desk.ledger l WHERE l.decision_id = _decision AND l.kind = 'grant';
    IF FOUND THEN
        RETURN desk.replayed(_entry, _instrument, _amount, _currency, _months);
    END IF;
    _at := desk.business_clock();
    PERFORM desk.require_open(_offer, _at);

    -- What may be given: a rung as it was shown, or a yes as it was said.
    SELECT * INTO _item FROM desk.policy_instruments i
    WHERE i.policy_version = _offer.policy_version AND i.instrument = _instrument;
    IF _approval IS NOT NULL THEN
        SELECT * INTO _yes FROM desk.approvals a WHERE a.approval_id = _approval AND a.decision_id = _decision;
        IF NOT FOUND THEN
            PERFORM desk.refuse('KL401', 'No supervisor said yes to this.');
        ELSIF (_yes.instrument, _yes.amount, _yes.currency::text, _yes.months::integer)
            IS DISTINCT FROM (_instrument, _amount, _currency, _months) THEN
            PERFORM desk.refuse('KL406', format('The yes was to %s of %s.', _yes.instrument,
                                                desk.in_words(_yes.amount, _yes.currency)));
        END IF;
    ELSIF _currency <> _offer.currency OR NOT EXISTS (
        SELECT FROM desk.decision_rungs r WHERE r.decision_id = _decision AND r.instrument = _instrument
            AND r.amount = _amount AND r.months::integer IS NOT DISTINCT FROM _months) THEN
        PERFORM desk.refuse('KL205', format('%s of %s is not on this ladder.', _instrument,
                                            desk.in_words(_amount, _currency)));
    END IF;
    IF _approval IS NULL AND _me.role = 'agent' AND EXISTS (
        SELECT FROM desk.decision_rungs r WHERE r.decision_id = _decision AND r.instrument = _instrument
            AND r.amount = _amount AND r.needs_approval) THEN
        PERFORM desk.refuse('KL301', format('%s takes a supervisor here, whatever the amount.', _instrument),
                            jsonb_build_object('limit', 0, 'asked', _amount), 'a supervisor');
    END IF;
    _own := desk.authority_of(_offer.policy_version, _me.role, _instrument, _offer.contact_reason);
    IF _approval IS NULL AND _amount > _own.per_grant THEN
        PERFORM desk.refuse('KL301', format('You may give %s of %s alone.', desk.in_words(_own.per_grant, _currency), _instrument),
                            jsonb_build_object('limit', _own.per_grant, 'asked', _amount), 'a supervisor');
    END IF;
    _budget := desk.budget_of(_item, _me.team, _currency, _at);
    IF _approval IS NOT NULL AND _yes.budget_id IS DISTINCT FROM _budget.budget_id THEN
        PERFORM desk.refuse('KL405', 'The month has turned since the yes; ask again.');
    END IF;
    _whose := _own;
    IF _approval IS NOT NULL THEN
        SELECT * INTO _whose FROM desk.policy_authority a WHERE a.authority_id = _yes.authority_id;
    END IF;
    _day := (_at AT TIME ZONE coalesce(_budget.time_zone, (SELECT c.time_zone FROM desk.company c), 'UTC'))::date;
    IF _budget.budget_id IS NULL THEN
        PERFORM desk.hold_month(date_trunc('month', _day::timestamp)::date);
    END IF;

    -- Claim the key. Of two clicks one waits here, then reads the other's row.
    INSERT INTO desk.ledger (
        kind, decision_id, customer_id, staff_id, team, instrument, amount, currency, months, schedule, budget_id,
        policy_version, authority_id, authority, authorised_by, time_window, approval_id,
        given_at, cap_at, booked_on, booked_month)
    VALUES (
        'grant', _decision, _offer.customer_id, _me.staff_id, _me.team, _instrument, _amount, _currency, _months,
        desk.schedule(_amount, _months), _budget.budget_id, _offer.policy_version, _own.authority_id, _own.per_grant,
        coalesce(_yes.decided_by, _me.staff_id), _whose.time_window, _approval,
        _at, _at, _day, date_trunc('month', _day::timestamp)::date)
    ON CONFLICT (decision_id) WHERE kind = 'grant' DO NOTHING
    RETURNING * INTO _entry;
    IF NOT FOUND THEN
        SELECT * INTO _entry FROM desk.ledger l WHERE l.decision_id = _decision AND l.kind = 'grant';
        RETURN desk.replayed(_entry, _instrument, _amount, _currency, _months);
    END IF;

    PERFORM FROM desk.ledger_customers c WHERE c.customer_id = _offer.customer_id FOR UPDATE;
    PERFORM desk.require_customer_limits(_entry, _offer, _item);
    IF _approval IS NOT NULL THEN
        UPDATE desk.approval_requests r SET state = 'used'
        WHERE r.approval_id = _approval AND r.state IN ('approved', 'countered') AND r.expires_at > clock_timestamp();
        IF NOT FOUND THEN
            PERFORM desk.refuse('KL405', 'The yes has expired or was withdrawn; ask again.');
        END IF;
    END IF;
    PERFORM desk.use_authority(_entry, _whose);
    IF _budget.budget_id IS NOT NULL THEN
        PERFORM desk.draw(_budget.budget_id, _amount, _currency);
    END IF;
    RETURN desk.done(_entry.entry_id::text, _entry);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('give_concession', _token, jsonb_build_object(
        'decision', _decision, 'instrument', _instrument, 'amount', _amount, 'currency', _currency,
        'months', _months, 'approval', _approval), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- Ask by key: what was given from my decision, if anything.
CREATE FUNCTION desk.grant_of(_token text, _decision uuid) RETURNS SETOF desk.ledger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM desk.my_decision(desk.who(_token), _decision);
    RETURN QUERY SELECT * FROM desk.ledger l WHERE l.decision_id = _decision AND l.kind = 'grant';
END $$;

-- approvals: ask, decide, withdraw -------------------------------------------------------------------------------------

-- The state as it is now: what nobody used in time is expired, and the call's end ends it.
CREATE FUNCTION desk.state_now(_request desk.approval_requests) RETURNS text LANGUAGE sql STABLE
    RETURN CASE WHEN _request.state IN ('asked', 'approved', 'countered') AND (
        _request.expires_at <= clock_timestamp()
        OR EXISTS (SELECT FROM desk.decisions d JOIN desk.cases c USING (case_id)
                   WHERE d.decision_id = _request.decision_id AND c.closed_at IS NOT NULL))
        THEN 'expired' ELSE _request.state END;

CREATE FUNCTION desk.ask_approval(
    _token text, _approval uuid, _decision uuid, _instrument text, _amount bigint, _months integer, _reason text,
    _seconds integer DEFAULT 300) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me      desk.person;
    _offer   desk.decisions;
    _item    desk.policy_instruments;
    _own     desk.policy_authority;
    _ceiling bigint;
    _most    bigint;
    _used    bigint;
    _request desk.approval_requests;
    _at      timestamptz := desk.business_clock();
    _facts   text;
    _who     text;
BEGIN
    _me := desk.who(_token);
    _offer := desk.my_decision(_me, _decision);
    SELECT * INTO _request FROM desk.approval_requests r WHERE r.approval_id = _approval;
    IF FOUND THEN
        IF (_request.decision_id, _request.instrument, _request.amount, _request.months::integer)
            IS DISTINCT FROM (_decision, _instrument, _amount, _months) THEN
            PERFORM desk.refuse('KL206', 'This request key was used for something else.');
        END IF;
        RETURN ('replayed', NULL, NULL, NULL, NULL, _approval, NULL, _request)::desk.verdict;
    END IF;
    PERFORM desk.require_open(_offer, _at);
    PERFORM FROM desk.ledger_customers c WHERE c.customer_id = _offer.customer_id FOR UPDATE;
    IF EXISTS (SELECT FROM desk.ledger l WHERE l.decision_id = _decision) THEN
        PERFORM desk.refuse('KL205', 'This offer was given already.');
    END IF;
    UPDATE desk.approval_requests r SET state = 'expired'
    WHERE r.decision_id = _decision AND r.state IN ('asked', 'approved', 'countered') AND desk.state_now(r) = 'expired';
    SELECT * INTO _request FROM desk.approval_requests r
    WHERE r.decision_id = _decision AND (r.state IN ('asked', 'approved', 'countered')
                                         OR EXISTS (SELECT FROM desk.approvals a WHERE a.approval_id = r.approval_id));
    IF FOUND THEN
        PERFORM desk.refuse('KL408', format('For this offer you asked already; that request is %s.', _request.state));
    END IF;
    SELECT max(r.ceiling) INTO _ceiling FROM desk.decision_rungs r
    WHERE r.decision_id = _decision AND r.instrument = _instrument;
    SELECT * INTO _item FROM desk.policy_instruments i
    WHERE i.policy_version = _offer.policy_version AND i.instrument = _instrument;
    IF _ceiling IS NULL OR _months > coalesce(_item.max_months, 0) THEN
        PERFORM desk.refuse('KL205', format('%s on these terms is not on this ladder.', _instrument));
    ELSIF _amount > _ceiling THEN
        PERFORM desk.refuse('KL309', format('Policy allows %s of %s here, whoever asks.',
                                            desk.in_words(_ceiling, _offer.currency), _instrument),
                            jsonb_build_object('limit', _ceiling, 'asked', _amount), 'finance');
    END IF;
    _own := desk.authority_of(_offer.policy_version, _me.role, _instrument, _offer.contact_reason);
    SELECT max(a.per_grant) INTO _most FROM desk.policy_authority a
    WHERE a.policy_version = _offer.policy_version AND a.instrument = _instrument AND a.role = 'supervisor';
    IF _amount > coalesce(_most, 0) THEN
        PERFORM desk.refuse('KL309', format('No supervisor may give more than %s of %s.',
                                            desk.in_words(coalesce(_most, 0), _offer.currency), _instrument),
                            jsonb_build_object('limit', coalesce(_most, 0), 'asked', _amount), 'finance');
    END IF;
    SELECT coalesce(max(c.spent), 0) INTO _used FROM desk.agent_counters c
    WHERE c.staff_id = _me.staff_id AND c.instrument = _instrument AND c.currency = _offer.currency
        AND c.time_window = _own.time_window
        AND c.starts_on = date_trunc(_own.time_window, _at AT TIME ZONE
                                     coalesce((SELECT time_zone FROM desk.company), 'UTC'))::date;
    IF _amount <= _own.per_grant AND _used + _amount <= _own.per_window AND NOT EXISTS (
        SELECT FROM desk.decision_rungs r WHERE r.decision_id = _offer.decision_id AND r.instrument = _instrument
            AND r.amount = _amount AND r.needs_approval) THEN
        PERFORM desk.refuse('KL407', format('You may give %s of %s alone; no need to ask.',
                                            desk.in_words(_own.per_grant, _offer.currency), _instrument));
    END IF;
    INSERT INTO desk.approval_requests (
        approval_id, decision_id, customer_id, currency, instrument, amount, months, budget_id, team, own_limit, reason,
        requested_by, expires_at)
    VALUES (
        _approval, _decision, _offer.customer_id, _offer.currency, _instrument, _amount, _months,
        (desk.budget_of(_item, _me.team, _offer.currency, _at)).budget_id, coalesce(_me.team, ''), _own.per_grant, _reason,
        _me.staff_id, least(_offer.expires_at, clock_timestamp() + make_interval(secs => least(_seconds, 1800))))
    RETURNING * INTO _request;
    PERFORM pg_notify('keepline_approvals', _request.team);
    RETURN desk.done(_approval::text, NULL, _request);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('ask_approval', _token, jsonb_build_object(
        'approval', _approval, 'decision', _decision, 'instrument', _instrument, 'amount', _amount, 'months', _months),
        SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- A supervisor's answer: approved, countered (another amount) or declined, once, in time, never to their own request.
CREATE FUNCTION desk.decide_approval(
    _token text, _approval uuid, _answer text, _amount bigint, _months integer, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me      desk.person;
    _request desk.approval_requests;
    _offer   desk.decisions;
    _theirs  desk.policy_authority;
    _ceiling bigint;
    _now     text;
    _facts   text;
    _who     text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'supervisor');
    SELECT * INTO _request FROM desk.approval_requests r WHERE r.approval_id = _approval FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL401', 'There is no such request.');
    ELSIF _request.requested_by = _me.staff_id THEN
        PERFORM desk.refuse('KL403', 'You asked this yourself; another supervisor must answer.', '{}', 'another supervisor');
    ELSIF NOT desk.looks_after(_me, _request.team) THEN
        PERFORM desk.refuse('KL404', format('This request is for team %s; you look after %s.', _request.team,
                                            coalesce(_me.team, 'none')), '{}', 'their supervisor or a stand-in');
    END IF;
    _now := desk.state_now(_request);
    IF _now <> 'asked' THEN
        IF _request.decided_by = _me.staff_id AND _request.state = _answer
            AND (_answer = 'declined' OR _answer = 'approved'
                 OR (_request.answer_amount, _request.answer_months::integer) IS NOT DISTINCT FROM (_amount, _months)) THEN
            RETURN ('replayed', NULL, NULL, NULL, NULL, _approval, NULL, _request)::desk.verdict;
        END IF;
        PERFORM desk.refuse('KL402', format('The request is %s; it cannot be %s any more.', _now, _answer),
                            jsonb_build_object('state', _now, 'tried', _answer));
    ELSIF _answer NOT IN ('approved', 'countered', 'declined') THEN
        PERFORM desk.refuse('KL402', format('A request is approved, countered or declined, not %s.', _answer));
    END IF;
    SELECT * INTO _offer FROM desk.decisions d WHERE d.decision_id = _request.decision_id;
    PERFORM desk.require_open(_offer, desk.business_clock());
    IF _answer = 'approved' THEN
        _amount := _request.amount;
        _months := _request.months;
    ELSIF _answer = 'declined' THEN
        _amount := NULL;
        _months := NULL;
    ELSE
        SELECT max(r.ceiling) INTO _ceiling FROM desk.decision_rungs r
        WHERE r.decision_id = _request.decision_id AND r.instrument = _request.instrument;
        IF _amount IS NULL OR _amount <= 0 OR (_amount, _months) IS NOT DISTINCT FROM (_request.amount, _request.months::integer)
            OR (_months IS NULL) <> (_request.months IS NULL) THEN
            PERFORM desk.refuse('KL406', 'A counter-offer names another amount than was asked, above nothing.');
        ELSIF _amount > _ceiling THEN
            PERFORM desk.refuse('KL309', format('Policy allows %s of %s here, whoever asks.',
                                                desk.in_words(_ceiling, _request.currency), _request.instrument),
                                jsonb_build_object('limit', _ceiling, 'asked', _amount), 'finance');
        ELSIF _months > (SELECT coalesce(i.max_months, 0) FROM desk.policy_instruments i
                         WHERE i.policy_version = _offer.policy_version AND i.instrument = _request.instrument) THEN
            PERFORM desk.refuse('KL309', format('%s months are more than policy allows.', _months), '{}', 'finance');
        END IF;
    END IF;
    UPDATE desk.approval_requests r
    SET state = _answer, decided_by = _me.staff_id, decided_at = clock_timestamp(), answer_amount = _amount,
        answer_months = _months, answer_reason = _reason
    WHERE r.approval_id = _approval RETURNING * INTO _request;
    IF _answer <> 'declined' THEN
        _theirs := desk.authority_of(_offer.policy_version, _me.role, _request.instrument, _offer.contact_reason);
        IF _amount > _theirs.per_grant THEN
            PERFORM desk.refuse('KL301', format('You may give %s of %s.', desk.in_words(_theirs.per_grant, _request.currency),
                                                _request.instrument),
                                jsonb_build_object('limit', _theirs.per_grant, 'asked', _amount), 'finance');
        END IF;
        INSERT INTO desk.approvals (approval_id, decision_id, customer_id, currency, instrument, amount, months, budget_id,
                                    requested_by, decided_by, authority_id, authority)
        VALUES (_approval, _request.decision_id, _request.customer_id, _request.currency, _request.instrument, _amount,
                _months, _request.budget_id, _request.requested_by, _me.staff_id, _theirs.authority_id, _theirs.per_grant);
    END IF;
    PERFORM pg_notify('keepline_approvals', _request.team);
    RETURN desk.done(_approval::text, NULL, _request);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('decide_approval', _token, jsonb_build_object(
        'approval', _approval, 'answer', _answer, 'amount', _amount, 'months', _months), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- The asker takes the request back.
CREATE FUNCTION desk.withdraw_approval(_token text, _approval uuid) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me      desk.person;
    _request desk.approval_requests;
    _facts   text;
    _who     text;
BEGIN
    _me := desk.who(_token);
    SELECT * INTO _request FROM desk.approval_requests r WHERE r.approval_id = _approval FOR UPDATE;
    IF NOT FOUND OR _request.requested_by <> _me.staff_id THEN
        PERFORM desk.refuse('KL401', 'There is no such request of yours.');
    ELSIF _request.state = 'withdrawn' THEN
        RETURN ('replayed', NULL, NULL, NULL, NULL, _approval, NULL, _request)::desk.verdict;
    ELSIF desk.state_now(_request) NOT IN ('asked', 'approved', 'countered') THEN
        PERFORM desk.refuse('KL402', format('The request is %s; it cannot be withdrawn any more.', desk.state_now(_request)),
                            jsonb_build_object('state', desk.state_now(_request), 'tried', 'withdrawn'));
    END IF;
    UPDATE desk.approval_requests r SET state = 'withdrawn' WHERE r.approval_id = _approval RETURNING * INTO _request;
    PERFORM pg_notify('keepline_approvals', _request.team);
    RETURN desk.done(_approval::text, NULL, _request);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('withdraw_approval', _token, jsonb_build_object('approval', _approval),
                        SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- Write down what time has already decided; a job's broom, nothing depends on it.
CREATE FUNCTION desk.expire_approvals() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH late AS (
        SELECT r.approval_id FROM desk.approval_requests r
        WHERE r.state IN ('asked', 'approved', 'countered') AND desk.state_now(r) = 'expired'
        ORDER BY r.approval_id FOR UPDATE SKIP LOCKED),
    gone AS (
        UPDATE desk.approval_requests r SET state = 'expired' FROM late WHERE r.approval_id = late.approval_id RETURNING 1)
    SELECT count(*) FROM gone;
$$;

-- Somebody else answers for a team for some hours.
CREATE FUNCTION desk.name_stand_in(_token text, _team text, _staff_id text, _hours numeric) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'supervisor', 'leader', 'administrator');
    IF _me.role = 'supervisor' AND _me.team IS DISTINCT FROM _team THEN
        PERFORM desk.refuse('KL404', 'You name a stand-in for your own team only.');
    ELSIF _me.staff_id = _staff_id THEN
        PERFORM desk.refuse('KL403', 'You cannot name yourself.');
    ELSIF NOT EXISTS (SELECT FROM desk.staff p WHERE p.staff_id = _staff_id AND p.role = 'supervisor' AND p.is_active) THEN
        PERFORM desk.refuse('KL104', format('%s is not a supervisor.', _staff_id));
    END IF;
    INSERT INTO desk.stand_ins (team, staff_id, ends_at, named_by)
    VALUES (_team, _staff_id, clock_timestamp() + make_interval(secs => (_hours * 3600)::double precision), _me.staff_id);
    RETURN desk.done(_staff_id);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('name_stand_in', _token, jsonb_build_object('team', _team, 'staff', _staff_id),
                        SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- taking back ----------------------------------------------------------------------------------------------------------

-- A new row that takes an old one back, booked now: a month that is over keeps what it had.
CREATE FUNCTION desk.take_back(_grant desk.ledger, _kind text, _amount bigint, _staff_id text, _reason text)
    RETURNS desk.ledger LANGUAGE plpgsql AS $$
DECLARE
    _at     timestamptz := desk.business_clock();
    _budget desk.budgets;
    _entry  desk.ledger;
    _day    date;
BEGIN
    IF _grant.budget_id IS NOT NULL THEN
        SELECT * INTO _budget FROM desk.budgets b
        WHERE b.team = _grant.team AND b.instrument = _grant.instrument AND b.currency = _grant.currency
            AND b.starts_at <= _at AND b.ends_at > _at
        ORDER BY b.starts_at DESC LIMIT 1;
        IF NOT FOUND THEN
            PERFORM desk.refuse('KL307', 'There is no budget this month that the money could go back to.', '{}', 'finance');
        END IF;
    END IF;
    _day := (_at AT TIME ZONE coalesce(_budget.time_zone, (SELECT c.time_zone FROM desk.company c), 'UTC'))::date;
    IF _budget.budget_id IS NULL THEN
        PERFORM desk.hold_month(date_trunc('month', _day::timestamp)::date);
    END IF;
    PERFORM FROM desk.ledger_customers c WHERE c.customer_id = _grant.customer_id FOR UPDATE;
    INSERT INTO desk.ledger (
        kind, decision_id, reverses, customer_id, staff_id, team, instrument, amount, currency, budget_id,
        policy_version, authority_id, authority, authorised_by, time_window, given_at, cap_at, booked_on, booked_month, reason)
    VALUES (
        _kind, _grant.decision_id, _grant.entry_id, _grant.customer_id, _staff_id, _grant.team, _grant.instrument, _amount,
        _grant.currency, _budget.budget_id, _grant.policy_version, _grant.authority_id, _grant.authority, _grant.authorised_by,
        _grant.time_window, _at, _grant.cap_at, _day, date_trunc('month', _day::timestamp)::date, _reason)
    ON CONFLICT (reverses) WHERE reverses IS NOT NULL DO NOTHING
    RETURNING * INTO _entry;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL502', 'This was taken back already.');
    ELSIF _budget.budget_id IS NOT NULL THEN
        PERFORM desk.draw(_budget.budget_id, _amount, _grant.currency);
    END IF;
    RETURN _entry;
END $$;

CREATE FUNCTION desk.reverse_grant(_token text, _entry bigint, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me    desk.person;
    _grant desk.ledger;
    _back  desk.ledger;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'supervisor');
    SELECT * INTO _grant FROM desk.ledger l WHERE l.entry_id = _entry;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL501', 'There is no such entry.');
    ELSIF _grant.kind <> 'grant' THEN
        PERFORM desk.refuse('KL503', 'This entry takes something back itself; it cannot be reversed.');
    ELSIF _grant.staff_id = _me.staff_id THEN
        PERFORM desk.refuse('KL504', 'You gave this yourself; another supervisor must reverse it.', '{}', 'another supervisor');
    ELSIF NOT desk.looks_after(_me, _grant.team) THEN
        PERFORM desk.refuse('KL404', format('This was given in team %s.', coalesce(_grant.team, '(none)')), '{}',
                            'their supervisor or a stand-in');
    END IF;
    SELECT * INTO _back FROM desk.ledger l WHERE l.reverses = _entry AND l.kind = 'reversal' AND l.staff_id = _me.staff_id;
    IF FOUND THEN
        RETURN ('replayed', NULL, NULL, NULL, NULL, _back.entry_id, _back, NULL)::desk.verdict;
    END IF;
    _back := desk.take_back(_grant, 'reversal', -_grant.amount, _me.staff_id, _reason);
    RETURN desk.done(_back.entry_id::text, _back);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('reverse_grant', _token, jsonb_build_object('entry', _entry, 'reason', _reason),
                        SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- The customer left inside the save window: credit for the save is withdrawn, and the months of a discount that will
-- never be paid go back. For the nightly job; no person claws back.
CREATE FUNCTION desk.claw_back(_entry bigint, _unpaid bigint, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _grant desk.ledger;
    _back  desk.ledger;
    _facts text;
    _who   text;
BEGIN
    SELECT * INTO _grant FROM desk.ledger l WHERE l.entry_id = _entry;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL501', 'There is no such entry.');
    END IF;
    SELECT * INTO _back FROM desk.ledger l WHERE l.reverses = _entry AND l.kind = 'clawback' AND l.amount = -_unpaid;
    IF FOUND THEN
        RETURN ('replayed', NULL, NULL, NULL, NULL, _back.entry_id, _back, NULL)::desk.verdict;
    END IF;
    _back := desk.take_back(_grant, 'clawback', -_unpaid, 'nightly job', _reason);
    RETURN desk.done(_back.entry_id::text, _back);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('claw_back', '', jsonb_build_object('entry', _entry, 'unpaid', _unpaid),
                        SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- months and budgets ---------------------------------------------------------------------------------------------------

-- Close a month that is over. Grants still on their way into it finish first or are refused; none slips in behind.
CREATE FUNCTION desk.close_month(_token text, _month date) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    _me    desk.person;
    _at    timestamptz := desk.business_clock();
    _sums  jsonb;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'finance');
    IF EXISTS (SELECT FROM desk.month_closes c WHERE c.month = _month) THEN
        RETURN ('replayed', NULL, NULL, NULL, NULL, _month, NULL, NULL)::desk.verdict;
    ELSIF (_month + interval '1 month') AT TIME ZONE coalesce((SELECT c.time_zone FROM desk.company c), 'UTC') > _at
        OR EXISTS (SELECT FROM desk.budgets b WHERE b.month = _month AND b.ends_at > _at) THEN
        PERFORM desk.refuse('KL506', format('%s is not over yet.', to_char(_month, 'FMMonth YYYY')));
    END IF;
    INSERT INTO desk.month_gates VALUES (_month) ON CONFLICT DO NOTHING;
    PERFORM FROM desk.month_gates g WHERE g.month = _month FOR UPDATE;
    PERFORM FROM desk.budget_counters c JOIN desk.budgets b USING (budget_id)
    WHERE b.month = _month ORDER BY c.budget_id FOR UPDATE OF c;
    UPDATE desk.budget_counters c SET is_closed = true FROM desk.budgets b
    WHERE b.budget_id = c.budget_id AND b.month = _month;
    SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.team, s.instrument, s.currency), '[]') INTO _sums
    FROM (SELECT l.team, l.instrument, l.currency, count(*) AS entries, max(l.entry_id) AS last_entry,
                 coalesce(sum(l.amount) FILTER (WHERE l.kind = 'grant'), 0) AS granted,
                 coalesce(sum(l.amount) FILTER (WHERE l.kind = 'reversal'), 0) AS reversed,
                 coalesce(sum(l.amount) FILTER (WHERE l.kind = 'clawback'), 0) AS clawed_back,
                 sum(l.amount) AS net
          FROM desk.ledger l WHERE l.booked_month = _month GROUP BY 1, 2, 3) s;
    INSERT INTO desk.month_closes (month, closed_by, statement) VALUES (_month, _me.staff_id, _sums);
    RETURN desk.done(_month::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('close_month', _token, jsonb_build_object('month', _month), SQLSTATE, SQLERRM, _facts, _who);
END $$;

CREATE FUNCTION desk.propose_budget(
    _token text, _proposal uuid, _team text, _instrument text, _month date, _currency text, _amount bigint,
    _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'finance', 'leader');
    INSERT INTO desk.budget_proposals (proposal_id, team, instrument, month, currency, amount, reason, proposed_by)
    VALUES (_proposal, _team, _instrument, date_trunc('month', _month::timestamp)::date, _currency, _amount, _reason, _me.staff_id)
    ON CONFLICT (proposal_id) DO NOTHING;
    RETURN desk.done(_proposal::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('propose_budget', _token, jsonb_build_object('team', _team, 'instrument', _instrument, 'amount', _amount),
                        SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- A second person moves the money. The month begins and ends in the company's zone as it is now.
CREATE FUNCTION desk.confirm_budget(_token text, _proposal uuid) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me     desk.person;
    _wish   desk.budget_proposals;
    _budget bigint;
    _spent  bigint;
    _zone   text := coalesce((SELECT c.time_zone FROM desk.company c), 'UTC');
    _facts  text;
    _who    text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'finance', 'leader');
    SELECT * INTO _wish FROM desk.budget_proposals p WHERE p.proposal_id = _proposal;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL508', 'There is no such proposal.');
    ELSIF _wish.proposed_by = _me.staff_id THEN
        PERFORM desk.refuse('KL507', 'You proposed this yourself; a second person must confirm.');
    ELSIF EXISTS (SELECT FROM desk.budget_changes c WHERE c.proposal_id = _proposal) THEN
        RETURN ('replayed', NULL, NULL, NULL, NULL, _proposal, NULL, NULL)::desk.verdict;
    END IF;
    PERFORM desk.hold_month(_wish.month);
    IF EXISTS (SELECT FROM desk.month_closes c WHERE c.month = _wish.month) THEN
        PERFORM desk.refuse('KL505', format('%s is closed.', to_char(_wish.month, 'FMMonth YYYY')));
    END IF;
    INSERT INTO desk.budgets (team, instrument, month, currency, time_zone, starts_at, ends_at)
    VALUES (_wish.team, _wish.instrument, _wish.month, _wish.currency, _zone,
            _wish.month::timestamp AT TIME ZONE _zone, (_wish.month + interval '1 month') AT TIME ZONE _zone)
    ON CONFLICT (team, instrument, month, currency) DO NOTHING;
    SELECT b.budget_id INTO _budget FROM desk.budgets b
    WHERE b.team = _wish.team AND b.instrument = _wish.instrument AND b.month = _wish.month AND b.currency = _wish.currency;
    INSERT INTO desk.budget_changes (proposal_id, budget_id, amount, proposed_by, confirmed_by)
    VALUES (_proposal, _budget, _wish.amount, _wish.proposed_by, _me.staff_id) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN  -- two confirmed at the same moment: once is enough
        RETURN ('replayed', NULL, NULL, NULL, NULL, _proposal, NULL, NULL)::desk.verdict;
    END IF;
    INSERT INTO desk.budget_counters (budget_id, amount_limit) VALUES (_budget, 0) ON CONFLICT DO NOTHING;
    UPDATE desk.budget_counters c SET amount_limit = c.amount_limit + _wish.amount
    WHERE c.budget_id = _budget AND c.amount_limit + _wish.amount >= greatest(c.spent, 0);
    IF NOT FOUND THEN
        SELECT c.spent INTO _spent FROM desk.budget_counters c WHERE c.budget_id = _budget;
        PERFORM desk.refuse('KL508', format('%s of this budget is spent; it cannot shrink below that.',
                                            desk.in_words(_spent, _wish.currency)), jsonb_build_object('spent', _spent));
    END IF;
    RETURN desk.done(_budget::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('confirm_budget', _token, jsonb_build_object('proposal', _proposal), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- policy ---------------------------------------------------------------------------------------------------------------

-- A draft from one document: title, currency, instruments, rules, authority. Columns by their names.
CREATE FUNCTION desk.draft_policy(_token text, _policy jsonb) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me      desk.person;
    _version bigint;
    _tag     jsonb;
    _facts   text;
    _who     text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'finance', 'leader');
    INSERT INTO desk.policy_versions (title, currency, drafted_by)
    VALUES (_policy ->> 'title', _policy ->> 'currency', _me.staff_id) RETURNING policy_version INTO _version;
    _tag := jsonb_build_object('policy_version', _version);
    INSERT INTO desk.policy_instruments
    SELECT (jsonb_populate_record(NULL::desk.policy_instruments, '{"cost_share": 1, "handling_cost": 0, "step_amount": 1,
            "is_entitlement": false, "draws_budget": true}'::jsonb || item || _tag)).*
    FROM jsonb_array_elements(_policy -> 'instruments') item;
    INSERT INTO desk.policy_rules
    SELECT (jsonb_populate_record(NULL::desk.policy_rules, item || _tag)).* FROM jsonb_array_elements(_policy -> 'rules') item;
    INSERT INTO desk.policy_authority (policy_version, role, instrument, contact_reason, per_grant, per_window, time_window)
    SELECT _version, a.role, a.instrument, a.contact_reason, a.per_grant, a.per_window, a.time_window
    FROM jsonb_populate_recordset(NULL::desk.policy_authority, _policy -> 'authority') a;
    RETURN desk.done(_version::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('draft_policy', _token, jsonb_build_object('title', _policy ->> 'title'),
                        SQLSTATE, SQLERRM, _facts, _who);
END $$;

RESET ROLE;

-- =====================================================================================================================
-- desk, what became of it: outcomes and callbacks
-- =====================================================================================================================

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
CREATE INDEX callback_candidates_first ON desk.callback_candidates (is_shown DESC, gain DESC);

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

-- =====================================================================================================================
-- desk, what it learns of itself: past cases, runs of scoring, what supervisors have used
-- =====================================================================================================================

-- past cases -----------------------------------------------------------------------------------------------------------

-- Settled cases without a name: the kind of caller, what was given, did they stay. The nightly job replaces all of it, so
-- that whoever is erased is gone from it too. No customer, no day, no contact: amounts are whole major units.
CREATE TABLE desk.past_cases (
    past_case_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    month          date NOT NULL CHECK (extract(day FROM month) = 1), -- of the call
    contact_reason text,
    fault          text CHECK (fault IN ('ours', 'theirs', 'shared', 'none')), -- NULL: not recorded
    plan           text,
    segment        text,
    tenure_months  integer,
    monthly_bill   integer,
    risk           real CHECK (risk BETWEEN 0 AND 1),  -- as the model in use would have said just before the call
    worth          integer,                     -- given they stay
    instrument     text,                        -- NULL: no money
    amount         bigint NOT NULL CHECK (amount >= 0), -- minor units, in all
    is_fixed       boolean NOT NULL,            -- the problem was put right
    is_kept        boolean NOT NULL,            -- still here after the save window
    -- Where the case lies, each in its own standard deviation (churn.core.calls.similar); NULL: not known.
    at_tenure      real,
    at_bill        real,
    at_risk        real,
    at_worth       real,
    CHECK ((instrument IS NULL) = (amount = 0))
);
CREATE INDEX past_cases_kind ON desk.past_cases (plan, segment, contact_reason);

-- One standard deviation of each, over the past cases there are.
CREATE TABLE desk.past_case_scales (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    made_at timestamptz NOT NULL DEFAULT now(),
    tenure  double precision NOT NULL CHECK (tenure > 0),
    bill    double precision NOT NULL CHECK (bill > 0),
    risk    double precision NOT NULL CHECK (risk > 0),
    worth   double precision NOT NULL CHECK (worth > 0)
);

-- scoring --------------------------------------------------------------------------------------------------------------

-- One row per run that scored everyone; the newest says what risk is usual.
CREATE TABLE desk.scoring_runs (
    run_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scored_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    as_of            timestamptz NOT NULL,
    customers        bigint NOT NULL CHECK (customers >= 0),
    mean_risk        double precision CHECK (mean_risk BETWEEN 0 AND 1), -- NULL: nobody to score
    risk_version     bigint NOT NULL REFERENCES desk.model_versions,
    survival_version bigint REFERENCES desk.model_versions,
    scored_anew      bigint CHECK (scored_anew >= 0)  -- NULL: a run before this was kept
);

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

-- supervisors ----------------------------------------------------------------------------------------------------------

SET ROLE keepline_owner;

-- By instrument, the least that any supervisor who looks after a team has used of the window that holds now: so much of
-- theirs is gone for everybody. Who has used what stays theirs to see.
CREATE FUNCTION desk.supervisors_used(_team text) RETURNS TABLE (instrument text, currency text, spent bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH people AS (
        SELECT p.staff_id FROM desk.staff p
        WHERE p.role = 'supervisor' AND p.is_active
            AND (p.team = _team OR EXISTS (
                SELECT FROM desk.stand_ins i WHERE i.team = _team AND i.staff_id = p.staff_id
                    AND clock_timestamp() >= i.starts_at AND clock_timestamp() < i.ends_at))
    ),
    used AS (
        SELECT c.staff_id, c.instrument, c.currency, c.spent
        FROM desk.agent_counters c JOIN people p USING (staff_id)
        WHERE c.starts_on = date_trunc(c.time_window, desk.business_clock() AT TIME ZONE
                                       coalesce((SELECT z.time_zone FROM desk.company z), 'UTC'))::date
    )
    SELECT u.instrument, u.currency::text, min(u.spent) FROM used u
    GROUP BY u.instrument, u.currency
    HAVING count(DISTINCT u.staff_id) = (SELECT count(*) FROM people) AND min(u.spent) > 0
$$;

-- calls taken up again --------------------------------------------------------------------------------------------------

-- What the agent has taken down of an open call: the last word on each. No row: nothing yet.
CREATE TABLE desk.case_notes (
    case_id        uuid PRIMARY KEY REFERENCES desk.cases,
    contact_reason text,
    fault          text CHECK (fault IN ('ours', 'theirs', 'shared', 'none')),
    is_asked       boolean NOT NULL,            -- what would put it right; with neither amount nor kind: they would not say
    ask_amount     bigint CHECK (ask_amount > 0),
    ask_in_kind    text,
    noted_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (is_asked OR num_nonnulls(ask_amount, ask_in_kind) = 0)
);

-- Take down what is known of my call so far.
CREATE FUNCTION desk.note_call(_token text, _case uuid, _contact_reason text, _fault text, _is_asked boolean,
                               _ask_amount bigint, _ask_in_kind text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    IF NOT EXISTS (SELECT FROM desk.cases c WHERE c.case_id = _case AND c.staff_id = _me.staff_id) THEN
        PERFORM desk.refuse('KL202', 'This is not a case of yours; open the caller again.');
    ELSIF EXISTS (SELECT FROM desk.cases c WHERE c.case_id = _case AND c.closed_at IS NOT NULL) THEN
        PERFORM desk.refuse('KL204', 'This call is closed; open the case again.');
    END IF;
    INSERT INTO desk.case_notes (case_id, contact_reason, fault, is_asked, ask_amount, ask_in_kind)
    VALUES (_case, _contact_reason, _fault, _is_asked, _ask_amount, _ask_in_kind)
    ON CONFLICT (case_id) DO UPDATE
    SET contact_reason = excluded.contact_reason, fault = excluded.fault, is_asked = excluded.is_asked,
        ask_amount = excluded.ask_amount, ask_in_kind = excluded.ask_in_kind, noted_at = clock_timestamp();
END $$;

-- What was taken down of a call of mine.
CREATE FUNCTION desk.notes_of(_token text, _case uuid) RETURNS SETOF desk.case_notes
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    RETURN QUERY SELECT n.* FROM desk.case_notes n JOIN desk.cases c USING (case_id)
                 WHERE n.case_id = _case AND c.staff_id = _me.staff_id;
END $$;

RESET ROLE;

-- =====================================================================================================================
-- access: who may read which rows, who looked at whom, and a chain of seals over what was written down
-- =====================================================================================================================

-- A transaction says who acts: SET LOCAL ROLE, and the session's token in keepline.token. Policies and functions ask
-- desk.session_person() who holds it: a setting alone is worth nothing to whoever does not know somebody's token.
--
--   caller   agents and supervisors: the contract's tables, only of customers they have on the line
--   masked   leaders, finance, analysts, administrators: everybody, but nothing that says who somebody is
--
-- SQLSTATEs: KL7xx reading

-- people ---------------------------------------------------------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE ON desk.staff TO keepline_owner;
GRANT SELECT, INSERT, UPDATE ON desk.cases TO keepline_owner;
GRANT SELECT ON desk.directory TO keepline_owner;
GRANT USAGE ON SCHEMA crm TO keepline_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO keepline_owner;

CREATE SCHEMA caller AUTHORIZATION keepline_owner;
CREATE SCHEMA masked AUTHORIZATION keepline_owner;

SET ROLE keepline_owner;

-- Who holds the token of this transaction, with role and team as they are now; NULL when nobody does, or no longer.
CREATE FUNCTION desk.session_person() RETURNS desk.person
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT (s.session_id, s.staff_id, p.role, p.team)::desk.person
    FROM desk.sessions s JOIN desk.staff p ON p.staff_id = s.staff_id
    WHERE s.token_sha256 = sha256(convert_to(current_setting('keepline.token', true), 'UTF8'))
        AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
        AND s.last_seen_at > clock_timestamp() - interval '30 minutes' AND p.is_active AND p.role = s.role
$$;

-- The same for acts: refuses when nobody holds it.
CREATE FUNCTION desk.me() RETURNS desk.person LANGUAGE sql
    RETURN desk.who(coalesce(current_setting('keepline.token', true), ''));

-- Whose key I am, where I act in one of these roles; NULL else.
CREATE FUNCTION desk.my_id(VARIADIC _roles text[]) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT (p).staff_id FROM desk.session_person() p WHERE (p).role = ANY (_roles)
$$;

-- The teams a supervisor looks after: their own, and those they stand in for.
CREATE FUNCTION desk.my_teams() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(t.team) FROM desk.session_person() p CROSS JOIN LATERAL (
        SELECT (p).team UNION ALL
        SELECT i.team FROM desk.stand_ins i WHERE i.staff_id = (p).staff_id
            AND clock_timestamp() >= i.starts_at AND clock_timestamp() < i.ends_at) t (team)
    WHERE (p).role = 'supervisor' AND t.team IS NOT NULL
$$;

-- audit ----------------------------------------------------------------------------------------------------------------

-- Who did or saw what. Grants and refusals have rows of their own; desk.audit_trail shows all of them together.
CREATE TABLE desk.audit (
    audit_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    staff_id     text,                          -- NULL: a job, or the database's owner
    session_id   bigint,
    act          text NOT NULL,                 -- searched, saw, revealed, exported, signed_in, published …
    subject_kind text,                          -- customer, policy, budget, request, model, person, page
    subject      text,
    detail       jsonb NOT NULL DEFAULT '{}',
    request_id   text DEFAULT nullif(current_setting('keepline.request', true), '')
);
CREATE INDEX audit_staff ON desk.audit (staff_id, act, happened_at);
CREATE INDEX audit_subject ON desk.audit (subject, happened_at);
CREATE INDEX audit_time ON desk.audit USING brin (happened_at);
CALL desk.make_append_only('desk.audit');

CREATE FUNCTION desk.note(_who desk.person, _act text, _kind text, _subject text, _detail jsonb DEFAULT '{}') RETURNS void
    LANGUAGE sql AS $$
    INSERT INTO desk.audit (staff_id, session_id, act, subject_kind, subject, detail)
    VALUES ((_who).staff_id, (_who).session_id, _act, _kind, _subject, coalesce(_detail, '{}'))
$$;

-- What a page tells of itself: a list that was looked at, a file that was taken along.
CREATE FUNCTION desk.note_view(_act text, _page text, _detail jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF _act NOT IN ('saw', 'exported') THEN
        PERFORM desk.refuse('KL209', format('A page notes what was seen or exported, not %s.', _act));
    END IF;
    PERFORM desk.note(desk.me(), _act, 'page', _page, _detail);
END $$;

-- Rare and weighty acts leave their row by themselves, whichever way they were done.
CREATE FUNCTION desk.note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _new jsonb := to_jsonb(NEW);
    _me  desk.person := desk.session_person();
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'approval_history' THEN
        PERFORM desk.note(_me, NEW.state, 'request', NEW.approval_id::text,
                          (SELECT jsonb_build_object('customer_id', r.customer_id, 'amount', r.amount, 'answer', r.answer_amount,
                                                     'requested_by', r.requested_by, 'decided_by', r.decided_by)
                           FROM desk.approval_requests r WHERE r.approval_id = NEW.approval_id));
    WHEN 'policy_versions' THEN
        PERFORM desk.note(_me, CASE TG_OP WHEN 'INSERT' THEN 'drafted' ELSE 'published' END, 'policy',
                          NEW.policy_version::text, _new - 'policy_version');
    WHEN 'budget_proposals' THEN
        PERFORM desk.note(_me, 'proposed', 'budget', NEW.proposal_id::text, _new - 'proposal_id');
    WHEN 'budget_changes' THEN
        PERFORM desk.note(_me, 'confirmed', 'budget', NEW.proposal_id::text, _new - 'proposal_id');
    WHEN 'month_closes' THEN
        PERFORM desk.note(_me, 'closed', 'month', NEW.month::text, _new - 'statement');
    WHEN 'stand_ins' THEN
        PERFORM desk.note(_me, 'named', 'stand-in', NEW.staff_id, _new);
    WHEN 'staff' THEN
        PERFORM desk.note(_me, 'changed', 'person', NEW.staff_id,
                          (_new - 'name' - 'sign_in') || jsonb_build_object('was', CASE TG_OP WHEN 'UPDATE' THEN
                              to_jsonb(OLD) - 'name' - 'sign_in' END));
    WHEN 'model_versions' THEN
        PERFORM desk.note(_me, NEW.status, 'model', NEW.model_version::text,
                          jsonb_build_object('kind', NEW.kind, 'was', OLD.status, 'by', coalesce(NEW.promoted_by, NEW.created_by)));
    END CASE;
    RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER INSERT ON desk.approval_history FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON desk.policy_versions FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT ON desk.budget_proposals FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT ON desk.budget_changes FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT ON desk.month_closes FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT ON desk.stand_ins FOR EACH ROW EXECUTE FUNCTION desk.note_change();
RESET ROLE;
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON desk.staff FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER UPDATE OF status ON desk.model_versions FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION desk.note_change();
SET ROLE keepline_owner;

-- Everything done, refused or looked at, in one list.
CREATE VIEW desk.audit_trail AS
    SELECT 'audit' AS source, a.audit_id AS id, a.happened_at, a.staff_id, a.act, a.subject_kind, a.subject, a.detail, a.request_id
    FROM desk.audit a
    UNION ALL
    SELECT 'ledger', l.entry_id, l.recorded_at, l.staff_id,
           CASE l.kind WHEN 'grant' THEN 'gave' WHEN 'reversal' THEN 'reversed' ELSE 'clawed_back' END, 'customer', l.customer_id,
           jsonb_build_object('instrument', l.instrument, 'amount', l.amount, 'currency', l.currency, 'reverses', l.reverses,
                              'authorised_by', l.authorised_by, 'decision_id', l.decision_id), NULL
    FROM desk.ledger l
    UNION ALL
    SELECT 'refusals', r.refusal_id, r.refused_at, r.staff_id, 'refused', r.act, r.code,
           jsonb_build_object('sentence', r.sentence, 'is_security', r.is_security), NULL
    FROM desk.refusals r;

-- seals ----------------------------------------------------------------------------------------------------------------

-- Each seal holds a digest of every row since the one before and chains on to it. Rows are sealed by a job and not by
-- who writes them: a chain within the grant would cost most of its throughput. Roots are kept off this host as well.
CREATE TABLE desk.seals (
    seal_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL CHECK (table_name IN ('audit', 'ledger', 'refusals')),
    columns    text[] NOT NULL,                 -- the table's then: a column added later changes no digest
    ids        bigint[] NOT NULL CHECK (cardinality(ids) > 0),
    digests    bytea NOT NULL,                  -- 32 bytes a row, in the order of ids
    previous   bytea NOT NULL,
    root       bytea NOT NULL,
    sealed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL desk.make_append_only('desk.seals');

CREATE FUNCTION desk.root_of(_previous bytea, _table text, _columns text[], _ids bigint[], _digests bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE
    RETURN sha256(_previous || convert_to(concat_ws('|', _table, _columns::text, _ids::text), 'UTF8') || _digests);

-- Rows of a sealed table with their digests, by the columns named; ids from _from to _until.
CREATE FUNCTION desk.digests_of(_table text, _columns text[], _from bigint, _until bigint)
    RETURNS TABLE (id bigint, digest bytea) LANGUAGE plpgsql STABLE SET timezone = 'UTC' AS $$
DECLARE
    _key text := CASE _table WHEN 'audit' THEN 'audit_id' WHEN 'ledger' THEN 'entry_id' WHEN 'refusals' THEN 'refusal_id' END;
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT t.%1$I, sha256(convert_to((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(to_jsonb(t)) e '
        'WHERE e.key = ANY ($1))::text, ''UTF8'')) FROM desk.%2$I t WHERE t.%1$I BETWEEN $2 AND $3 ORDER BY t.%1$I',
        _key, _table) USING _columns, _from, _until;
END $$;

-- Seal what is there and not sealed; how many rows. One at a time; whoever comes second finds nothing left to do.
CREATE FUNCTION desk.seal_audit() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _table   text;
    _columns text[];
    _last    bigint;
    _previous bytea;
    _found   record;
    _sealed  bigint := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7305113) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '300ms', true);
    FOREACH _table IN ARRAY ARRAY['audit', 'ledger', 'refusals'] LOOP
        -- Nobody is in the middle of writing while this is held, so every number below the highest is there or never comes.
        BEGIN
            EXECUTE format('LOCK TABLE desk.%I IN SHARE MODE', _table);
        EXCEPTION WHEN lock_not_available THEN
            CONTINUE;  -- busy; the next round takes them
        END;
        SELECT array_agg(a.attname::text ORDER BY a.attnum) INTO _columns
        FROM pg_attribute a WHERE a.attrelid = ('desk.' || _table)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
        SELECT coalesce(max(s.ids[cardinality(s.ids)]), 0) INTO _last FROM desk.seals s WHERE s.table_name = _table;
        LOOP
            SELECT array_agg(d.id ORDER BY d.id) AS ids, string_agg(d.digest, ''::bytea ORDER BY d.id) AS digests INTO _found
            FROM (SELECT * FROM desk.digests_of(_table, _columns, _last + 1, _last + 10000)) d;
            IF _found.ids IS NULL THEN
                EXIT WHEN NOT desk.has_rows_beyond(_table, _last);
                _last := _last + 10000;  -- numbers that rolled back
                CONTINUE;
            END IF;
            SELECT coalesce((SELECT s.root FROM desk.seals s ORDER BY s.seal_id DESC LIMIT 1), '\x'::bytea) INTO _previous;
            INSERT INTO desk.seals (table_name, columns, ids, digests, previous, root)
            VALUES (_table, _columns, _found.ids, _found.digests, _previous,
                    desk.root_of(_previous, _table, _columns, _found.ids, _found.digests));
            _sealed := _sealed + cardinality(_found.ids);
            _last := _found.ids[cardinality(_found.ids)];
        END LOOP;
    END LOOP;
    RETURN _sealed;
END $$;

CREATE FUNCTION desk.has_rows_beyond(_table text, _id bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    _found boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM desk.%I WHERE %I > $1)', _table,
                   CASE _table WHEN 'audit' THEN 'audit_id' WHEN 'ledger' THEN 'entry_id' ELSE 'refusal_id' END)
    INTO _found USING _id;
    RETURN _found;
END $$;

-- One row per thing that is not as it was sealed; none when all is well.
CREATE FUNCTION desk.verify_audit() RETURNS TABLE (seal_id bigint, table_name text, id bigint, problem text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _seal     desk.seals;
    _previous bytea := '\x';
    _after    jsonb := '{}';                    -- table → the last number sealed
BEGIN
    FOR _seal IN SELECT * FROM desk.seals s ORDER BY s.seal_id LOOP
        IF _seal.previous <> _previous THEN
            RETURN QUERY SELECT _seal.seal_id, _seal.table_name, NULL::bigint, 'a seal before this one was removed or changed';
        END IF;
        IF _seal.root <> desk.root_of(_seal.previous, _seal.table_name, _seal.columns, _seal.ids, _seal.digests) THEN
            RETURN QUERY SELECT _seal.seal_id, _seal.table_name, NULL::bigint, 'this seal was changed';
        END IF;
        _previous := _seal.root;
        RETURN QUERY
        SELECT _seal.seal_id, _seal.table_name, coalesce(k.id, d.id),
               CASE WHEN d.id IS NULL THEN 'this row was removed'
                    WHEN k.id IS NULL THEN 'this row was put in after the sealing'
                    ELSE 'this row was changed' END
        FROM (SELECT u.id, substr(_seal.digests, 32 * u.n::int - 31, 32) AS digest
              FROM unnest(_seal.ids) WITH ORDINALITY u (id, n)) k
        FULL JOIN desk.digests_of(_seal.table_name, _seal.columns, coalesce((_after ->> _seal.table_name)::bigint, 0) + 1,
                                  _seal.ids[cardinality(_seal.ids)]) d ON d.id = k.id
        WHERE k.digest IS DISTINCT FROM d.digest
        ORDER BY 3;
        _after := _after || jsonb_build_object(_seal.table_name, _seal.ids[cardinality(_seal.ids)]);
    END LOOP;
END $$;

-- signing in -----------------------------------------------------------------------------------------------------------

-- Sign in whom a provider vouches for. With a role from their claims the person is made or brought up to date; without
-- one they must be in the staff list. One sign-in, however many tabs: once it has ended, another must follow.
CREATE FUNCTION desk.sign_in(_subject text, _issued_at timestamptz, _name text, _role text, _team text,
                             OUT token text, OUT session_id bigint, OUT staff_id text, OUT role text,
                             OUT team text, OUT expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _person desk.staff;
    _at     timestamptz := clock_timestamp();
BEGIN
    SELECT * INTO _person FROM desk.staff p WHERE lower(p.sign_in) = lower(_subject);
    IF _role IS NOT NULL AND _person.staff_id IS NULL THEN
        INSERT INTO desk.staff (staff_id, name, role, team, sign_in)
        VALUES (_subject, coalesce(_name, _subject), _role, _team, _subject) RETURNING * INTO _person;
    ELSIF _role IS NOT NULL AND _person.is_active
        AND (_person.role, _person.team) IS DISTINCT FROM (_role, coalesce(_team, _person.team)) THEN
        UPDATE desk.staff p SET role = _role, team = coalesce(_team, p.team) WHERE p.staff_id = _person.staff_id
        RETURNING * INTO _person;
    END IF;
    IF _person.staff_id IS NULL OR NOT _person.is_active THEN
        PERFORM desk.refuse('KL104', 'You are signed in with your company, but not a person who may use this desk; '
                                     'ask an administrator.');
    ELSIF _issued_at IS NULL OR _issued_at < _at - interval '12 hours' OR _issued_at > _at + interval '5 minutes'
        OR EXISTS (SELECT FROM desk.sessions s WHERE s.staff_id = _person.staff_id AND s.signed_in_at = _issued_at)
        AND NOT EXISTS (SELECT FROM desk.sessions s WHERE s.staff_id = _person.staff_id AND s.signed_in_at = _issued_at
                        AND s.revoked_at IS NULL AND s.expires_at > _at AND s.last_seen_at > _at - interval '30 minutes') THEN
        PERFORM desk.refuse('KL102', 'Your session has ended; sign in again. What you typed is kept.');
    END IF;
    SELECT o.token, o.session_id, o.staff_id, o.role, o.team, o.expires_at
    INTO token, session_id, staff_id, role, team, expires_at
    FROM desk.open_session(_person.staff_id) o;
    UPDATE desk.sessions s SET signed_in_at = _issued_at, expires_at = least(s.expires_at, _issued_at + interval '12 hours')
    WHERE s.session_id = sign_in.session_id RETURNING s.expires_at INTO expires_at;
    PERFORM desk.note((session_id, staff_id, role, team)::desk.person, 'signed_in', 'person', staff_id);
END $$;

-- Sign out of every tab of the same sign-in. Signing out twice is no harm.
CREATE FUNCTION desk.sign_out(_token text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _session desk.sessions;
BEGIN
    SELECT * INTO _session FROM desk.sessions s WHERE s.token_sha256 = sha256(convert_to(_token, 'UTF8'));
    UPDATE desk.sessions s SET revoked_at = clock_timestamp()
    WHERE s.revoked_at IS NULL AND (s.session_id = _session.session_id
        OR s.staff_id = _session.staff_id AND s.signed_in_at = _session.signed_in_at);
    IF FOUND THEN
        PERFORM desk.note((_session.session_id, _session.staff_id, NULL, NULL)::desk.person, 'signed_out', 'person',
                          _session.staff_id);
    END IF;
END $$;

-- Add a person, or change what they are. A changed role ends their sessions by itself; one who leaves is out at once.
CREATE FUNCTION desk.set_staff(_staff_id text, _name text, _role text, _team text, _sign_in text, _is_active boolean)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO desk.staff AS p (staff_id, name, role, team, sign_in, is_active)
    VALUES (_staff_id, _name, _role, _team, _sign_in, _is_active)
    ON CONFLICT (staff_id) DO UPDATE SET name = excluded.name, role = excluded.role, team = excluded.team,
        sign_in = excluded.sign_in, is_active = excluded.is_active
    WHERE (p.name, p.role, p.team, p.sign_in, p.is_active)
        IS DISTINCT FROM (excluded.name, excluded.role, excluded.team, excluded.sign_in, excluded.is_active);
END $$;

-- looking people up ----------------------------------------------------------------------------------------------------

-- How often one person may do what shows personal data. A row that is missing is no limit.
CREATE TABLE desk.lookup_limits (
    act        text PRIMARY KEY CHECK (act IN ('searched', 'saw', 'revealed')),
    per_minute integer NOT NULL CHECK (per_minute > 0),
    per_hour   integer NOT NULL CHECK (per_hour > 0)
);
INSERT INTO desk.lookup_limits VALUES ('searched', 40, 400), ('saw', 20, 240), ('revealed', 10, 60);

CREATE FUNCTION desk.require_patience(_me desk.person, _act text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _limit desk.lookup_limits;
    _done  record;
BEGIN
    SELECT * INTO _limit FROM desk.lookup_limits l WHERE l.act = _act;
    SELECT count(*) FILTER (WHERE a.happened_at > clock_timestamp() - interval '1 minute') AS minute, count(*) AS hour INTO _done
    FROM desk.audit a
    WHERE a.staff_id = _me.staff_id AND a.act = _act AND a.subject_kind = 'customer'
        AND a.happened_at > clock_timestamp() - interval '1 hour';
    IF _done.minute >= _limit.per_minute OR _done.hour >= _limit.per_hour THEN
        PERFORM desk.refuse(
            'KL701', format('You have looked up more than one person may (%s a minute, %s an hour); wait a little.',
                            _limit.per_minute, _limit.per_hour),
            jsonb_build_object('per_minute', _limit.per_minute, 'per_hour', _limit.per_hour), 'an administrator');
    END IF;
END $$;

-- Who reached a limit within one hour: for an administrator to ask why.
CREATE VIEW desk.lookup_alerts AS
    SELECT a.staff_id, a.act, date_trunc('hour', a.happened_at) AS hour, count(*) AS times, l.per_hour
    FROM desk.audit a JOIN desk.lookup_limits l ON l.act = a.act
    WHERE a.subject_kind = 'customer'
    GROUP BY 1, 2, 3, l.per_hour HAVING count(*) >= l.per_hour;

CREATE FUNCTION desk.masked_phone(_phone text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN '•••' || right(_phone, 3);
CREATE FUNCTION desk.masked_email(_email text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN left(_email, 1) || '•••@' || split_part(_email, '@', 2);
CREATE FUNCTION desk.masked_name(_name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT string_agg(left(word, 1) || '.', ' ') FROM regexp_split_to_table(trim(_name), '\s+') word);

-- Up to 20 customers on one number (ani), of one account, of one contact, or by what was typed (search): account,
-- last digits, beginnings of words of the name. Written down with whom it found.
CREATE FUNCTION desk.find_customers(_by text, _key text, _account_like text, _digits_like text)
    RETURNS TABLE (customer_id text, name text, phone text, region text, joined_on date, plan text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_custom_plan AS $$  -- a plan for any text at all could use no index
#variable_conflict use_column
DECLARE
    _me   desk.person := desk.me();
    _hits text[];
    _day  date := (desk.business_clock() AT TIME ZONE coalesce((SELECT c.time_zone FROM desk.company c), 'UTC'))::date;
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    PERFORM desk.require_patience(_me, 'searched');
    CASE _by
    WHEN 'ani' THEN
        _hits := ARRAY(SELECT c.customer_id FROM crm.customers c WHERE c.phone = _key LIMIT 50);
    WHEN 'account' THEN
        _hits := ARRAY(SELECT c.customer_id FROM crm.customers c WHERE c.customer_id = _key);
        IF cardinality(_hits) = 0 THEN
            _hits := ARRAY(SELECT d.customer_id FROM desk.directory d WHERE upper(d.customer_id) = upper(_key) LIMIT 50);
        END IF;
    WHEN 'contact' THEN
        _hits := ARRAY(SELECT k.customer_id FROM crm.contacts k WHERE k.contact_id = _key AND k.customer_id IS NOT NULL);
    WHEN 'search' THEN
        _hits := ARRAY(
            (SELECT d.customer_id FROM desk.directory d WHERE upper(d.customer_id) LIKE upper(_account_like) LIMIT 50)
            UNION
            (SELECT d.customer_id FROM desk.directory d WHERE d.phone_reverse LIKE _digits_like LIMIT 50)
            UNION
            (SELECT d.customer_id FROM desk.directory d
             WHERE d.words @@ to_tsquery('simple', (SELECT string_agg(word || ':*', ' & ')
                                                    FROM unnest(string_to_array(trim(desk.fold(_key)), ' ')) word))
             LIMIT 200));
    END CASE;
    RETURN QUERY
    WITH found AS (
        SELECT c.customer_id, c.name, desk.masked_phone(c.phone) AS phone, c.region, c.joined_on,
               (SELECT s.plan FROM crm.subscriptions s
                WHERE s.customer_id = c.customer_id AND s.started_on <= _day AND (s.ended_on IS NULL OR s.ended_on > _day)
                ORDER BY s.monthly_price DESC, s.subscription_id LIMIT 1) AS plan
        FROM crm.customers c
        WHERE c.customer_id = ANY (_hits) AND NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = c.customer_id))
    SELECT f.* FROM found f ORDER BY f.plan IS NULL, f.name, f.customer_id LIMIT 20;
    PERFORM desk.note(_me, 'searched', 'customer', CASE WHEN cardinality(_hits) = 1 THEN _hits[1] END,
                      jsonb_build_object('by', _by, 'found', cardinality(_hits)));
END $$;

-- Take a caller on the line: the open case of mine where there is one, else a new one; NULL when nobody has this account.
CREATE FUNCTION desk.open_case(_customer_id text, _opened_by text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me   desk.person := desk.me();
    _case uuid;
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    SELECT c.case_id INTO _case FROM desk.cases c
    WHERE c.staff_id = _me.staff_id AND c.customer_id = _customer_id AND c.closed_at IS NULL
        AND c.opened_at > now() - interval '60 minutes'
    ORDER BY c.opened_at DESC LIMIT 1;
    IF FOUND THEN
        RETURN _case;
    END IF;
    PERFORM desk.require_patience(_me, 'saw');
    IF NOT EXISTS (SELECT FROM crm.customers c WHERE c.customer_id = _customer_id) OR desk.is_erased(_customer_id) THEN
        RETURN NULL;
    END IF;
    INSERT INTO desk.cases (staff_id, customer_id, opened_by) VALUES (_me.staff_id, _customer_id, _opened_by)
    RETURNING case_id INTO _case;
    PERFORM desk.note(_me, 'saw', 'customer', _customer_id, jsonb_build_object('case', _case, 'by', _opened_by));
    RETURN _case;
END $$;

-- The customers I have to do with now: on my line, held for a call back, first in the queue of those to ring, or asked
-- about by my team.
CREATE FUNCTION desk.my_callers() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(t.customer_id) FROM desk.session_person() p CROSS JOIN LATERAL (
        SELECT c.customer_id FROM desk.cases c
        WHERE c.staff_id = (p).staff_id AND c.opened_at > now() - interval '12 hours'
            AND (c.closed_at IS NULL OR c.closed_at > now() - interval '1 hour')
        UNION ALL
        SELECT h.customer_id FROM desk.callback_holds h WHERE h.staff_id = (p).staff_id
        UNION ALL
        (SELECT k.customer_id FROM desk.callback_candidates k LEFT JOIN desk.callback_holds h USING (customer_id)
         WHERE h.customer_id IS NULL
             OR (h.staff_id IS NULL OR h.expires_at <= clock_timestamp()) AND h.free_from <= clock_timestamp()
         ORDER BY k.is_shown DESC, k.gain DESC LIMIT 100)
        UNION ALL
        SELECT r.customer_id FROM desk.approval_requests r
        WHERE (p).role = 'supervisor' AND r.team = ANY (desk.my_teams()) AND r.requested_at > now() - interval '2 hours') t
    WHERE (p).role IN ('agent', 'supervisor')
$$;

-- One personal detail of a caller in full: asked for with a reason, and written down.
CREATE FUNCTION desk.reveal(_customer_id text, _field text, _reason text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person := desk.me();
    _found text;
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    IF NOT coalesce(_customer_id = ANY (desk.my_callers()), false) THEN
        PERFORM desk.refuse('KL702', 'They are not on your line; open their case first.');
    ELSIF length(trim(coalesce(_reason, ''))) < 3 THEN
        PERFORM desk.refuse('KL703', 'Say in a few words what you need it for.');
    END IF;
    PERFORM desk.require_patience(_me, 'revealed');
    SELECT CASE _field WHEN 'phone' THEN c.phone WHEN 'email' THEN c.email END INTO _found
    FROM crm.customers c WHERE c.customer_id = _customer_id;
    PERFORM desk.note(_me, 'revealed', 'customer', _customer_id, jsonb_build_object('field', _field, 'reason', left(_reason, 200)));
    RETURN _found;
END $$;

-- Take one to ring, if nobody has them. Who holds another keeps to that one first.
CREATE FUNCTION desk.take_callback(_customer_id text, _minutes integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.me();
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    WITH taken AS (
        INSERT INTO desk.callback_holds AS h (customer_id, staff_id, taken_at, expires_at)
        SELECT k.customer_id, _me.staff_id, clock_timestamp(), clock_timestamp() + make_interval(mins => _minutes)
        FROM desk.callback_candidates k
        WHERE k.customer_id = _customer_id
            AND NOT EXISTS (SELECT FROM desk.callback_holds o
                            WHERE o.staff_id = _me.staff_id AND o.expires_at > clock_timestamp())
        ON CONFLICT (customer_id) DO UPDATE
        SET staff_id = excluded.staff_id, taken_at = excluded.taken_at, expires_at = excluded.expires_at
        WHERE (h.staff_id IS NULL OR h.expires_at <= clock_timestamp()) AND h.free_from <= clock_timestamp()
        RETURNING h.customer_id, h.staff_id)
    INSERT INTO desk.callback_events (customer_id, staff_id, what, gain)
    SELECT t.customer_id, t.staff_id, 'taken', k.gain FROM taken t LEFT JOIN desk.callback_candidates k USING (customer_id);
END $$;

-- What came of one I hold, once: it rests, waits till a day, or goes back to the queue; from when they may be rung again.
-- The same said a moment ago by the same person is answered like the first time; NULL when it is not mine.
CREATE FUNCTION desk.finish_callback(_customer_id text, _what text, _until timestamptz, _rest_days integer,
                                     _again_hours integer, _most_misses integer) RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me   desk.person := desk.me();
    _free timestamptz;
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    UPDATE desk.callback_holds h
    SET staff_id = NULL, taken_at = NULL, expires_at = NULL,
        misses = CASE _what WHEN 'no_answer' THEN h.misses + 1 WHEN 'snoozed' THEN h.misses WHEN 'released' THEN h.misses ELSE 0 END,
        free_from = CASE
            WHEN _what = 'released' THEN clock_timestamp()
            WHEN _what = 'snoozed' THEN _until
            WHEN _what = 'no_answer' AND (h.misses + 1) % _most_misses <> 0
                THEN clock_timestamp() + make_interval(hours => _again_hours)
            ELSE clock_timestamp() + make_interval(days => _rest_days) END
    WHERE h.customer_id = _customer_id AND h.staff_id = _me.staff_id
    RETURNING h.free_from INTO _free;
    IF FOUND THEN
        INSERT INTO desk.callback_events (customer_id, staff_id, what, gain, until)
        SELECT _customer_id, _me.staff_id, _what, (SELECT k.gain FROM desk.callback_candidates k WHERE k.customer_id = _customer_id),
               CASE WHEN _what = 'snoozed' THEN _until END;
        RETURN _free;
    END IF;
    SELECT h.free_from INTO _free
    FROM desk.callback_events e JOIN desk.callback_holds h USING (customer_id)
    WHERE e.customer_id = _customer_id AND e.staff_id = _me.staff_id AND e.what = _what
        AND e.until IS NOT DISTINCT FROM _until AND h.staff_id IS NULL
        AND e.happened_at > clock_timestamp() - interval '1 minute'
    ORDER BY e.event_id DESC LIMIT 1;
    RETURN _free;
END $$;

-- what each may read of the company ------------------------------------------------------------------------------------

-- Whether I am somebody who reads the masked book.
CREATE FUNCTION desk.may_read_masked() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT (p).role IN ('leader', 'finance', 'analyst', 'administrator') FROM desk.session_person() p), false)
$$;

-- Make the views people read the contract through; again after a view of crm was dropped and made anew.
CREATE FUNCTION desk.make_reading_views() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _name text;
    _of_caller constant text := ' WHERE t.customer_id = ANY ((SELECT desk.my_callers())::text[])';
    -- What is blanked here may still stand in the company's own views.
    _not_erased constant text := ' AND NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = t.customer_id)';
    _columns text;
BEGIN
    FOREACH _name IN ARRAY ARRAY['customers', 'subscriptions', 'invoices', 'contacts', 'usage', 'change_events', 'concessions'] LOOP
        EXECUTE format('DROP VIEW IF EXISTS caller.%1$I, masked.%1$I', _name);
        CONTINUE WHEN to_regclass('crm.' || _name) IS NULL;
        BEGIN
            _columns := CASE _name
                WHEN 'customers' THEN 't.customer_id, t.name, desk.masked_phone(t.phone) AS phone, desk.masked_email(t.email) AS email, '
                    't.joined_on, t.segment, t.region, t.language, t.currency, t.is_vulnerable, t.is_do_not_offer, t.attributes'
                -- Notes that came by files are without card numbers; a company's own are cleaned as they are read.
                WHEN 'contacts' THEN 't.contact_id, t.customer_id, t.started_at, t.ended_at, t.channel, t.direction, t.queue, '
                    't.reason, t.agent_id, t.is_resolved, t.is_escalated, t.csat, CASE WHEN '
                    '(SELECT c.source = ''views'' FROM desk.company c) THEN desk.without_cards(t.notes) ELSE t.notes END AS notes'
                ELSE 't.*' END;
            EXECUTE format('CREATE VIEW caller.%1$I WITH (security_barrier) AS SELECT %2$s FROM crm.%1$I t %3$s',
                           _name, _columns, CASE WHEN _name <> 'change_events' THEN _of_caller || _not_erased ELSE '' END);
            _columns := CASE _name
                WHEN 'customers' THEN 't.customer_id, desk.masked_name(t.name) AS name, NULL::text AS phone, NULL::text AS email, '
                    't.joined_on, t.segment, t.region, t.language, t.currency, t.is_vulnerable, t.is_do_not_offer, '
                    '(SELECT coalesce(jsonb_object_agg(e.key, e.value), ''{}'') FROM jsonb_each(t.attributes) e '
                    'WHERE jsonb_typeof(e.value) IN (''number'', ''boolean'')) AS attributes'
                WHEN 'contacts' THEN 't.contact_id, t.customer_id, t.started_at, t.ended_at, t.channel, t.direction, t.queue, '
                    't.reason, t.agent_id, t.is_resolved, t.is_escalated, t.csat, NULL::text AS notes'
                ELSE 't.*' END;
            EXECUTE format('CREATE VIEW masked.%1$I WITH (security_barrier) AS SELECT %2$s FROM crm.%1$I t '
                           'WHERE (SELECT desk.may_read_masked()) %3$s', _name, _columns,
                           CASE WHEN _name = 'customers' THEN _not_erased ELSE '' END);
            EXECUTE format('GRANT SELECT ON caller.%I TO keepline_agent, keepline_supervisor', _name);
            EXECUTE format('GRANT SELECT ON masked.%I TO keepline_leader, keepline_finance, keepline_analyst, keepline_admin', _name);
        EXCEPTION WHEN undefined_column OR undefined_function THEN
            RAISE NOTICE '%', SQLERRM;  -- `check` says what their view lacks; what mends it calls this again
        END;
    END LOOP;
END $$;

-- The reasons people call for, the commonest first: counted by `sync`, so that no card counts them.
CREATE TABLE desk.contact_reasons (
    reason   text PRIMARY KEY,
    contacts bigint NOT NULL,
    as_of    timestamptz NOT NULL
);

-- which rows each may read of the desk's own tables ---------------------------------------------------------------------

-- Agents their own, supervisors their teams', the others what their role is for. One policy a role, each on one indexed
-- column, its function asked once a statement (the subselect).
ALTER TABLE desk.ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.ledger FOR SELECT TO keepline_agent
    USING (staff_id = (SELECT desk.my_id('agent')) OR customer_id = ANY ((SELECT desk.my_callers())::text[]));
CREATE POLICY supervisor ON desk.ledger FOR SELECT TO keepline_supervisor
    USING (team = ANY ((SELECT desk.my_teams())::text[]) OR customer_id = ANY ((SELECT desk.my_callers())::text[]));
CREATE POLICY book ON desk.ledger FOR SELECT TO keepline_leader, keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.ledger TO keepline_batch USING (true);

ALTER TABLE desk.decisions ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.decisions FOR SELECT TO keepline_agent USING (staff_id = (SELECT desk.my_id('agent')));
CREATE POLICY supervisor ON desk.decisions FOR SELECT TO keepline_supervisor
    USING (team = ANY ((SELECT desk.my_teams())::text[]) OR staff_id = (SELECT desk.my_id('supervisor')));
CREATE POLICY book ON desk.decisions FOR SELECT TO keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.decisions TO keepline_batch USING (true);

ALTER TABLE desk.decision_rungs ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_decision ON desk.decision_rungs FOR SELECT TO keepline_agent, keepline_supervisor, keepline_finance
    USING (EXISTS (SELECT FROM desk.decisions d WHERE d.decision_id = decision_rungs.decision_id));
CREATE POLICY job ON desk.decision_rungs TO keepline_batch USING (true);
ALTER TABLE desk.decision_answers ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_decision ON desk.decision_answers FOR SELECT TO keepline_agent, keepline_supervisor, keepline_finance
    USING (EXISTS (SELECT FROM desk.decisions d WHERE d.decision_id = decision_answers.decision_id));
CREATE POLICY job ON desk.decision_answers TO keepline_batch USING (true);

ALTER TABLE desk.approval_requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.approval_requests FOR SELECT TO keepline_agent USING (requested_by = (SELECT desk.my_id('agent')));
CREATE POLICY supervisor ON desk.approval_requests FOR SELECT TO keepline_supervisor
    USING (team = ANY ((SELECT desk.my_teams())::text[]) OR requested_by = (SELECT desk.my_id('supervisor')));
CREATE POLICY book ON desk.approval_requests FOR SELECT TO keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.approval_requests TO keepline_batch USING (true);
ALTER TABLE desk.approval_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_request ON desk.approval_history FOR SELECT TO keepline_agent, keepline_supervisor, keepline_finance
    USING (EXISTS (SELECT FROM desk.approval_requests r WHERE r.approval_id = approval_history.approval_id));
CREATE POLICY job ON desk.approval_history TO keepline_batch USING (true);
ALTER TABLE desk.approvals ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_request ON desk.approvals FOR SELECT TO keepline_agent, keepline_supervisor, keepline_finance
    USING (EXISTS (SELECT FROM desk.approval_requests r WHERE r.approval_id = approvals.approval_id));
CREATE POLICY job ON desk.approvals TO keepline_batch USING (true);

ALTER TABLE desk.agent_counters ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON desk.agent_counters FOR SELECT TO keepline_agent, keepline_supervisor
    USING (staff_id = (SELECT desk.my_id('agent', 'supervisor')));
CREATE POLICY book ON desk.agent_counters FOR SELECT TO keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.agent_counters TO keepline_batch USING (true);

-- The people of my teams, by key.
CREATE FUNCTION desk.my_people() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(s.staff_id) FROM desk.staff s WHERE s.team = ANY (desk.my_teams())
$$;

RESET ROLE;

ALTER TABLE desk.cases ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.cases TO keepline_agent USING (staff_id = (SELECT desk.my_id('agent')));
CREATE POLICY supervisor ON desk.cases TO keepline_supervisor
    USING (staff_id = (SELECT desk.my_id('supervisor')) OR staff_id = ANY ((SELECT desk.my_people())::text[]))
    WITH CHECK (staff_id = (SELECT desk.my_id('supervisor')));
CREATE POLICY job ON desk.cases TO keepline_batch, keepline_owner USING (true);

ALTER TABLE desk.scores ENABLE ROW LEVEL SECURITY;
CREATE POLICY caller ON desk.scores FOR SELECT TO keepline_agent, keepline_supervisor
    USING (customer_id = ANY ((SELECT desk.my_callers())::text[]));
CREATE POLICY book ON desk.scores FOR SELECT TO keepline_leader, keepline_finance, keepline_analyst
    USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.scores TO keepline_batch, keepline_owner USING (true);

ALTER TABLE desk.cancel_intents ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.cancel_intents FOR SELECT TO keepline_agent USING (staff_id = (SELECT desk.my_id('agent')));
CREATE POLICY supervisor ON desk.cancel_intents FOR SELECT TO keepline_supervisor
    USING (staff_id = ANY ((SELECT desk.my_people())::text[]));
CREATE POLICY book ON desk.cancel_intents FOR SELECT TO keepline_leader, keepline_finance, keepline_analyst
    USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.cancel_intents TO keepline_batch, keepline_owner USING (true);
ALTER TABLE desk.save_stages ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_intent ON desk.save_stages FOR SELECT
    TO keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst
    USING (EXISTS (SELECT FROM desk.cancel_intents i WHERE i.intent_id = save_stages.intent_id));
CREATE POLICY job ON desk.save_stages TO keepline_batch, keepline_owner USING (true);
ALTER VIEW desk.save_outcomes SET (security_invoker = true);

-- keepline_owner's functions read and write these for callers that may not.
GRANT SELECT, INSERT, UPDATE ON desk.callback_holds TO keepline_owner;
GRANT SELECT ON desk.callback_candidates TO keepline_owner;
GRANT SELECT, INSERT ON desk.callback_events TO keepline_owner;

-- =====================================================================================================================
-- desk, what customers say
-- =====================================================================================================================

-- Contacts a day by reason, topics of the notes, bursts, the problems behind them and what becomes of those; and which open
-- contacts will be handed upwards.
--
-- SQLSTATEs: KL85x problems

SET ROLE keepline_owner;

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
    because       text[] NOT NULL,              -- what makes each sentence (JSON), the weightiest first
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

-- =====================================================================================================================
-- desk, added up: trends and team
-- =====================================================================================================================

-- What the nightly job adds up, so that pages read aggregates only. Months hold whole customers, counted; tenures hold days
-- of tenure with who came under observation and who left. A few lists hold customers by key, for the way from a mark in a
-- picture to the people behind it: no name, no number, no text.

-- trends ---------------------------------------------------------------------------------------------------------------

-- When everything below was made, and since when the company's records tell who left.
CREATE TABLE desk.trend_state (
    is_only      boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    as_of        timestamptz NOT NULL,
    since_on     date,                          -- NULL: a flat file, observed from the first day of each customer
    landmark_on  date,                          -- reasons are those before this day; NULL: there is none
    refreshed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How long somebody has been a customer, as pages tell it apart. NULL: not known.
CREATE FUNCTION desk.tenure_band(_days integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN _days < 183 THEN 'under 6 months'
                WHEN _days < 365 THEN '6 to 12 months'
                WHEN _days < 731 THEN '1 to 2 years'
                WHEN _days < 1826 THEN '2 to 5 years'
                WHEN _days >= 1826 THEN '5 years and more' END
$$;
REVOKE ALL ON FUNCTION desk.tenure_band FROM PUBLIC;

-- Customers live at the start of a month, and of these who left in it, by every way they are told apart.
CREATE TABLE desk.trend_months (
    month       date NOT NULL CHECK (extract(day FROM month) = 1),
    plan        text NOT NULL,
    region      text NOT NULL,
    segment     text NOT NULL,
    tenure      text NOT NULL,                  -- band of months
    reason      text NOT NULL,                  -- of the last contact in the 90 days before
    live        bigint NOT NULL CHECK (live > 0),
    voluntary   bigint NOT NULL CHECK (voluntary >= 0),
    involuntary bigint NOT NULL CHECK (involuntary >= 0),
    moved       bigint NOT NULL CHECK (moved >= 0),
    PRIMARY KEY (month, plan, region, segment, tenure, reason),
    CHECK (voluntary + involuntary + moved <= live)
);

-- Who those are that left: customers by key.
CREATE TABLE desk.trend_leavers (
    month          date NOT NULL,
    customer_id    text NOT NULL,
    left_on        date NOT NULL,
    left_how       text NOT NULL CHECK (left_how IN ('voluntary', 'involuntary', 'move')),
    plan           text NOT NULL,
    region         text NOT NULL,
    segment        text NOT NULL,
    tenure         text NOT NULL,
    reason         text NOT NULL,
    cohort         text NOT NULL,               -- year they joined
    joined         text NOT NULL,               -- quarter they joined
    tenure_days    integer NOT NULL,
    monthly_margin numeric(14, 2),              -- of what they had at the start of the month; NULL: not known
    was_live       boolean NOT NULL,            -- when the month began; false: came and went within it
    first_plan     text,                        -- when first seen; NULL: no curve holds them
    landmark_reason text,                       -- of the curves by reason; NULL: not live when the landmark came
    PRIMARY KEY (month, customer_id, left_on)
);

-- Survival tables, an array an element a day: who came under observation, who left by choice, and who was seen no longer.
-- For every choice of plan, region and segment there is a row of its own, so a page that asks for one adds up few.
CREATE TABLE desk.trend_tenures (
    cut     text NOT NULL CHECK (cut IN ('all', 'cohort', 'joined', 'reason')),
    value   text NOT NULL,
    plan    text,                               -- when first seen; NULL: every plan
    region  text,                               -- NULL: every region
    segment text,                               -- NULL: every segment
    day            integer[] NOT NULL,          -- rising; for reasons days since the landmark, else since they joined
    entered        integer[] NOT NULL,
    left_by_choice integer[] NOT NULL,
    removed        integer[] NOT NULL,          -- leavers included
    UNIQUE NULLS NOT DISTINCT (cut, value, plan, region, segment),
    CHECK (cardinality(day) > 0 AND 0 <= ALL (day) AND cardinality(entered) = cardinality(day)
           AND cardinality(left_by_choice) = cardinality(day) AND cardinality(removed) = cardinality(day))
);

-- What became of callers who came to cancel, by month of the call, group and window; told apart as the day of the call found
-- them. NULL: everybody together, from a night that did not tell them apart.
CREATE TABLE desk.trend_saves (
    month       date NOT NULL,
    plan        text,
    region      text,
    segment     text,
    tenure      text,                           -- band of months
    window_days integer NOT NULL,
    came        bigint NOT NULL,
    deflected   bigint NOT NULL,                -- did not cancel on the call
    is_over     bigint NOT NULL,                -- whose window is over and who were not cut off and did not move in it
    saved       bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (month, plan, region, segment, tenure, window_days),
    CHECK (num_nulls(plan, region, segment, tenure) IN (0, 4)),
    CHECK (deflected <= came AND is_over <= came AND saved <= is_over)
);

-- The margin of the next quarter that the scores put at risk. Money in the company's currency.
CREATE TABLE desk.trend_risk (
    plan             text NOT NULL,
    region           text NOT NULL,
    segment          text NOT NULL,
    customers        bigint NOT NULL,
    expected_leavers double precision NOT NULL,
    margin           double precision NOT NULL, -- of a quarter
    at_risk          double precision NOT NULL, -- sum of chance times margin
    variance         double precision NOT NULL, -- of chance alone: sum of p (1 - p) margin squared
    PRIMARY KEY (plan, region, segment)
);

-- A bounded sample of each month's first predictions, kept until their horizon is over and late dates are in.
CREATE TABLE desk.prediction_samples (
    month        date NOT NULL,
    customer_id  text NOT NULL,
    as_of        timestamptz NOT NULL,
    p_churn      double precision NOT NULL,
    horizon_days integer NOT NULL,
    risk_version bigint NOT NULL REFERENCES desk.model_versions,
    PRIMARY KEY (month, customer_id)
);

-- Predicted and happened, by tenth of the predictions of a month.
CREATE TABLE desk.prediction_tenths (
    month        date NOT NULL,
    tenth        smallint NOT NULL CHECK (tenth BETWEEN 1 AND 10),
    as_of        timestamptz NOT NULL,
    horizon_days integer NOT NULL,
    risk_version bigint NOT NULL REFERENCES desk.model_versions,
    customers    bigint NOT NULL CHECK (customers > 0),
    expected     double precision NOT NULL,     -- sum of chances
    happened     bigint NOT NULL CHECK (happened <= customers),
    PRIMARY KEY (month, tenth)
);

-- What moves the risk, now and a quarter before, on a sample of customers: mean change of the chance by each column.
CREATE TABLE desk.trend_drivers (
    column_name text PRIMARY KEY,
    meaning     text NOT NULL,
    unit        text NOT NULL,
    value_now   double precision,               -- mean; of a column without numbers the share away from the usual value
    value_then  double precision,
    points_now  double precision NOT NULL,
    points_then double precision NOT NULL,
    error       double precision NOT NULL,      -- standard error of the difference of points
    customers   integer NOT NULL                -- in the smaller of the two samples
);

-- Customers whom it would pay to give more than policy lets anybody give.
CREATE TABLE desk.trend_forbidden (
    customer_id text PRIMARY KEY,
    decided_at  timestamptz NOT NULL,
    limit_kind  text NOT NULL,
    reason      text NOT NULL,                  -- policy's own sentence
    instrument  text NOT NULL,
    allowed     bigint NOT NULL,                -- minor units
    best        bigint NOT NULL,                -- that would be worth most; at least, where the curve ends before it
    is_at_least boolean NOT NULL,
    worth       bigint NOT NULL,                -- given they stay
    currency    char(3) NOT NULL
);

-- team -----------------------------------------------------------------------------------------------------------------

-- One row per agent: validated saves against what the callers they had would have been expected to do with anybody.
CREATE TABLE desk.agent_outcomes (
    staff_id        text PRIMARY KEY,
    team            text,
    since_on        date NOT NULL,
    until_on        date NOT NULL,
    calls           integer NOT NULL,           -- of people who came to cancel, the last window over
    saved           integer NOT NULL,
    expected        double precision NOT NULL,
    variance        double precision NOT NULL,  -- of the saves, by the expectations
    usual_calls     double precision NOT NULL,  -- as many calls of usual difficulty say as much
    difference      double precision NOT NULL,  -- saves above expected, per call of usual difficulty
    told            double precision NOT NULL,  -- what is left of it once an unusual mix of callers is allowed for
    shrunk          double precision NOT NULL,  -- drawn to the mean by as much as chance alone explains
    low             double precision NOT NULL,  -- 95 % of the shrunk
    high            double precision NOT NULL,
    zone            text NOT NULL CHECK (zone IN ('below', 'low', 'inside', 'high', 'above')),
    retained_margin numeric(14, 2),             -- invoiced in the window after saves; NULL: no margins known
    given           numeric(14, 2) NOT NULL,
    asks            integer NOT NULL,           -- callers who said what would put it right
    ask_gap         numeric(14, 2),             -- mean of what could be given minus the ask
    offers          integer NOT NULL,
    overrides       integer NOT NULL,           -- given otherwise than shown first
    referrals_asked integer NOT NULL,
    referrals_made  integer NOT NULL,
    referrals_missed integer NOT NULL,
    hard_run        integer NOT NULL,           -- hard calls in a row, the last one included
    hard_share      double precision,           -- of the last fortnight's calls; NULL: none
    CHECK (saved <= calls AND low <= shrunk AND shrunk <= high)
);

-- What the funnel is drawn from: one row for the whole company.
CREATE TABLE desk.team_funnel (
    is_only      boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    as_of        timestamptz NOT NULL,
    window_days  integer NOT NULL,
    calls        integer NOT NULL,
    agents       integer NOT NULL,
    mean_variance double precision NOT NULL,    -- of one call
    overdispersion double precision NOT NULL CHECK (overdispersion >= 1), -- limits over those of chance alone
    spread       double precision NOT NULL,     -- standard deviation between agents: what shrinks
    middle       double precision NOT NULL,     -- of all agents, saves above expected per call
    auc          double precision,
    calibration_error double precision
);

-- Saves by contact reason: evidence for promotion.
CREATE TABLE desk.agent_topics (
    staff_id text NOT NULL,
    topic    text NOT NULL,
    calls    integer NOT NULL,
    saved    integer NOT NULL,
    expected double precision NOT NULL,
    low      double precision NOT NULL,         -- 90 % of saves over expected, shrunk
    high     double precision NOT NULL,
    PRIMARY KEY (staff_id, topic)
);

-- Small wins of the last day with calls.
CREATE TABLE desk.agent_wins (
    staff_id text NOT NULL,
    won_on   date NOT NULL,
    what     text NOT NULL,
    times    integer NOT NULL CHECK (times > 0),
    PRIMARY KEY (staff_id, won_on, what)
);

-- Customers' words, without what tells who they are.
CREATE TABLE desk.agent_words (
    staff_id text NOT NULL,
    said_on  date NOT NULL,
    place    smallint NOT NULL,
    csat     smallint NOT NULL,
    words    text NOT NULL CHECK (length(words) <= 400),
    PRIMARY KEY (staff_id, said_on, place)
);

-- who reads which rows: an agent their own, a supervisor their teams', the leader all ---------------------------------------

DO $$
DECLARE
    _name text;
BEGIN
    FOREACH _name IN ARRAY ARRAY['agent_outcomes', 'agent_topics', 'agent_wins', 'agent_words'] LOOP
        EXECUTE format('ALTER TABLE desk.%I ENABLE ROW LEVEL SECURITY', _name);
        EXECUTE format('CREATE POLICY agent ON desk.%I FOR SELECT TO keepline_agent '
                       'USING (staff_id = (SELECT desk.my_id(''agent'')))', _name);
        EXECUTE format('CREATE POLICY supervisor ON desk.%I FOR SELECT TO keepline_supervisor '
                       'USING (staff_id = ANY ((SELECT desk.my_people())::text[]))', _name);
        EXECUTE format('CREATE POLICY book ON desk.%I FOR SELECT TO keepline_leader '
                       'USING ((SELECT desk.may_read_masked()))', _name);
        EXECUTE format('CREATE POLICY job ON desk.%I TO keepline_batch USING (true)', _name);
    END LOOP;
    FOREACH _name IN ARRAY ARRAY['trend_leavers', 'trend_forbidden'] LOOP
        EXECUTE format('ALTER TABLE desk.%I ENABLE ROW LEVEL SECURITY', _name);
        EXECUTE format('CREATE POLICY book ON desk.%I FOR SELECT TO keepline_leader, keepline_finance '
                       'USING ((SELECT desk.may_read_masked()))', _name);
        EXECUTE format('CREATE POLICY job ON desk.%I TO keepline_batch USING (true)', _name);
    END LOOP;
END $$;

-- =====================================================================================================================
-- desk, tomorrow's calls and who causes them
-- =====================================================================================================================

-- Contacts counted by half-hour, forecasts, what change events brought, and the calendar of changes other departments plan.
--
-- SQLSTATEs: KL86x planned changes

SET ROLE keepline_owner;

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
    mixture     double precision[] NOT NULL,    -- of the shapes of churn.core.forecasting.volume_shapes
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

-- =====================================================================================================================
-- desk, a person's own data: no card numbers, erasure, what is held, retention
-- =====================================================================================================================

-- SQLSTATEs: KL8xx a person's own data

SET ROLE keepline_owner;

-- free text ------------------------------------------------------------------------------------------------------------

-- Whether the digits carry a right check digit (ISO/IEC 7812-1, annex B).
CREATE FUNCTION desk.is_luhn_valid(_digits text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN (SELECT sum(CASE WHEN (length(_digits) - place) % 2 = 0 THEN digit::int
                            ELSE digit::int * 2 - CASE WHEN digit::int > 4 THEN 9 ELSE 0 END END) % 10 = 0
            FROM unnest(string_to_array(_digits, NULL)) WITH ORDINALITY u (digit, place));

-- A text with every card number replaced: 13 to 19 digits that pass the Luhn check, in one piece or in groups parted by up
-- to two blanks or dashes, signs nobody sees between. churn.core.masking.without_cards is the same rule; a test compares.
CREATE FUNCTION desk.without_cards(_text text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    -- Digits of other scripts are looked at as 0-9; each sign stays one sign, so that places are the same in both texts.
    _plain  text := translate(_text, '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९০১২৩৪৫৬৭৮৯๐๑๒๓๔๕๖๗๘๙０１２３４５６７８９',
                              '012345678901234567890123456789012345678901234567890123456789');
    _unseen constant text := '[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]*';
    _sign   constant text := '[\t \u00a0\u202f\u2010-\u2015\u2212\uff0d-]';
    _gap    constant text := '^' || _unseen || '(' || _sign || _unseen || '){0,2}$';
    _groups text[];                             -- digits
    _after  text[];                             -- and what stands behind each, up to the next
    _at     integer;                            -- place in the text of the group looked at
    _done   text := '';
    _digits text;
    _i      integer := 1;
    _j      integer;
    _last   integer;
BEGIN
    IF _plain !~ ('[0-9]((' || _sign || '|' || replace(_unseen, '*', '') || ')*[0-9]){12}') THEN
        RETURN _text;
    END IF;
    SELECT array_agg(m[1]), array_agg(m[2]) INTO _groups, _after FROM regexp_matches(_plain, '([0-9]+)([^0-9]*)', 'g') m;
    _at := length(substring(_plain FROM '^[^0-9]*'));
    _done := left(_text, _at);
    WHILE _i <= cardinality(_groups) LOOP
        _digits := '';
        _last := NULL;
        FOR _j IN _i .. cardinality(_groups) LOOP
            EXIT WHEN _j > _i AND _after[_j - 1] !~ _gap OR length(_digits) + length(_groups[_j]) > 19;
            _digits := _digits || _groups[_j];
            IF length(_digits) >= 13 AND desk.is_luhn_valid(_digits) THEN
                _last := _j;
            END IF;
        END LOOP;
        FOR _j IN _i .. coalesce(_last, _i) LOOP
            IF _last IS NULL THEN
                _done := _done || substr(_text, _at + 1, length(_groups[_j]));
            ELSIF _j = _last THEN
                _done := _done || '[card number removed]';
            END IF;
            IF _j = coalesce(_last, _i) THEN
                _done := _done || substr(_text, _at + 1 + length(_groups[_j]), length(_after[_j]));
            END IF;
            _at := _at + length(_groups[_j]) + length(_after[_j]);
        END LOOP;
        _i := coalesce(_last, _i) + 1;
    END LOOP;
    RETURN _done;
END $$;

-- What somebody typed about a customer, without what says who that is: card numbers, e-mail addresses, this customer's
-- own number and name. Reasons stand in rows that are never changed, so it must not get in.
CREATE FUNCTION desk.without_person(_text text, _customer_id text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _text_  text := regexp_replace(desk.without_cards(_text), '[[:alnum:]._%+-]+@[[:alnum:].-]+\.[[:alpha:]]{2,}',
                                   '[e-mail removed]', 'g');
    _name   text;
    _phone  text;
    _word   text;
BEGIN
    SELECT trim(c.name), right(regexp_replace(c.phone, '\D', '', 'g'), 9) INTO _name, _phone
    FROM crm.customers c WHERE c.customer_id = _customer_id;
    IF length(_phone) >= 7 THEN
        _text_ := regexp_replace(_text_, '([+(]?[0-9][0-9() .-]{0,5})?' || array_to_string(string_to_array(_phone, NULL), '[() .-]*'),
                                 '[number removed]', 'g');
    END IF;
    IF length(_name) >= 3 AND _name <> '[erased]' THEN
        _text_ := regexp_replace(_text_, '\m' || regexp_replace(_name, '([^[:alnum:]\s])', '\\\1', 'g') || '\M',
                                 '[name removed]', 'gi');
        -- Words of the name as names are written: "will pay" is left to Will.
        FOR _word IN SELECT w FROM regexp_split_to_table(_name, '\s+') w WHERE length(w) >= 3 LOOP
            _text_ := regexp_replace(_text_, '\m' || regexp_replace(_word, '([^[:alnum:]])', '\\\1', 'g') || '\M',
                                     '[name removed]', 'g');
        END LOOP;
    END IF;
    RETURN _text_;
END $$;

-- Typed columns (the trigger's arguments; of a jsonb column, its "reason") as they may be kept.
CREATE FUNCTION desk.clean_typed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _row      jsonb := to_jsonb(NEW);
    _customer text := coalesce(_row ->> 'customer_id',
                               CASE WHEN _row ->> 'subject_kind' = 'customer' THEN _row ->> 'subject' END,
                               (SELECT d.customer_id FROM desk.decisions d WHERE d.decision_id = (_row ->> 'decision_id')::uuid));
    _column   text;
    _typed    text;
    _clean    text;
    _changed  jsonb := '{}';
BEGIN
    FOREACH _column IN ARRAY TG_ARGV LOOP
        _typed := CASE jsonb_typeof(_row -> _column) WHEN 'object' THEN _row -> _column ->> 'reason' ELSE _row ->> _column END;
        _clean := desk.without_person(_typed, _customer);
        IF _clean <> _typed THEN
            _changed := _changed || jsonb_build_object(_column, CASE jsonb_typeof(_row -> _column)
                WHEN 'object' THEN (_row -> _column) || jsonb_build_object('reason', _clean) ELSE to_jsonb(_clean) END);
        END IF;
    END LOOP;
    RETURN jsonb_populate_record(NEW, _changed);
END $$;
CREATE TRIGGER clean_typed BEFORE INSERT OR UPDATE ON desk.approval_requests
    FOR EACH ROW EXECUTE FUNCTION desk.clean_typed('reason', 'answer_reason');
CREATE TRIGGER clean_typed BEFORE INSERT ON desk.decision_answers
    FOR EACH ROW EXECUTE FUNCTION desk.clean_typed('reason');
CREATE TRIGGER clean_typed BEFORE INSERT ON desk.ledger
    FOR EACH ROW WHEN (NEW.reason IS NOT NULL) EXECUTE FUNCTION desk.clean_typed('reason');
CREATE TRIGGER clean_typed BEFORE INSERT ON desk.refusals
    FOR EACH ROW WHEN (NEW.asked ? 'reason') EXECUTE FUNCTION desk.clean_typed('asked');
CREATE TRIGGER clean_typed BEFORE INSERT ON desk.audit
    FOR EACH ROW WHEN (NEW.detail ? 'reason') EXECUTE FUNCTION desk.clean_typed('detail');
RESET ROLE;
CREATE TRIGGER clean_typed BEFORE INSERT OR UPDATE OF what_is_broken ON desk.cases
    FOR EACH ROW WHEN (NEW.what_is_broken IS NOT NULL) EXECUTE FUNCTION desk.clean_typed('what_is_broken');
SET ROLE keepline_owner;

-- erasure --------------------------------------------------------------------------------------------------------------

-- Whose data are gone, and stay gone: no import, search, score or callback brings them back.
CREATE TABLE desk.erasures (
    customer_id text PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('request', 'retention')),
    reason      text NOT NULL CHECK (length(reason) BETWEEN 3 AND 500),
    erased_by   text NOT NULL,
    erased_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL desk.make_append_only('desk.erasures');

CREATE FUNCTION desk.is_erased(_customer_id text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = _customer_id)
$$;

-- What an erasure leaves of tables with a customer_id: rows that are kept, and why. Rows of any other table are deleted.
CREATE TABLE desk.kept_tables (
    table_name text PRIMARY KEY,                -- schema.table
    blanked    jsonb NOT NULL DEFAULT '{}',     -- column → what stands there afterwards
    why        text NOT NULL
);
INSERT INTO desk.kept_tables VALUES
    ('feed.customers', '{"name": "[erased]", "phone": null, "email": null, "language": null, "attributes": {}, "is_vulnerable": false}',
     'The key of accounts and the ledger; nothing in it says who it was.'),
    ('feed.contacts', '{"notes": null}', 'That somebody called, when and why, is counted in reports.'),
    ('feed.subscriptions', '{}', 'Accounts: what was sold.'),
    ('feed.invoices', '{}', 'Accounts: what was billed and paid.'),
    ('feed.concessions', '{}', 'Accounts: what was given before.'),
    ('desk.cases', '{"what_is_broken": null}', 'Decisions refer to the call they were made in.'),
    ('desk.decisions', '{}', 'Receipt of a money decision: facts under a key, no name, number, address or note.'),
    ('desk.ledger', '{}', 'Accounts: never changed.'),
    ('desk.ledger_customers', '{}', 'The key a grant locks.'),
    ('desk.approval_requests', '{}', 'Who asked for money and who said yes; reasons are kept without what says who it was.'),
    ('desk.approvals', '{}', 'Who said yes.'),
    ('desk.cancel_intents', '{}', 'Saves and losses are counted from it.'),
    ('desk.callback_events', '{}', 'What was done, ever.'),
    ('desk.erasures', '{}', 'That it was erased, so that it stays so.');

-- Every table of feed and desk with rows about customers ($1), and which rows: by customer, else by call or contact.
CREATE FUNCTION desk.tables_of_customers() RETURNS TABLE (name text, key text, of_them text) LANGUAGE sql STABLE AS $$
    SELECT format('%I.%I', n.nspname, c.relname), k.key, CASE k.key
        WHEN 'customer_id' THEN 't.customer_id = ANY ($1)'
        WHEN 'case_id' THEN 't.case_id IN (SELECT k.case_id FROM desk.cases k WHERE k.customer_id = ANY ($1))'
        ELSE 't.contact_id IN (SELECT k.contact_id FROM crm.contacts k WHERE k.customer_id = ANY ($1))' END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (SELECT a.attname::text AS key FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attname IN ('customer_id', 'case_id', 'contact_id') AND NOT a.attisdropped
                        ORDER BY array_position(ARRAY['customer_id', 'case_id', 'contact_id'], a.attname::text) LIMIT 1) k
    WHERE n.nspname IN ('feed', 'desk') AND c.relkind IN ('r', 'p')
$$;

-- Rows set aside on import that hold one of these values.
CREATE FUNCTION desk.blank_set_aside(_values text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    _rows bigint;
BEGIN
    UPDATE feed.set_aside s SET value = NULL, row = '{}'
    WHERE s.row <> '{}' AND EXISTS (SELECT FROM jsonb_each_text(s.row) e WHERE trim(e.value) = ANY (_values));
    GET DIAGNOSTICS _rows = ROW_COUNT;
    RETURN _rows;
END $$;

-- Erase these customers wherever a table names them; rows touched by table.
CREATE FUNCTION desk.erase_all(_customers text[], _kind text, _reason text, _by text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    _table   record;
    _rows    bigint;
    _touched jsonb := '{}';
    _values  text[];
BEGIN
    -- Whoever fills these waits, and then sees the erasure: nothing is put back behind it.
    LOCK TABLE feed.customers, desk.directory, desk.scores IN SHARE ROW EXCLUSIVE MODE;
    INSERT INTO desk.erasures (customer_id, kind, reason, erased_by)
    SELECT DISTINCT c, _kind, desk.without_cards(_reason), _by FROM unnest(_customers) c;
    SELECT array_agg(v) INTO _values FROM (
        SELECT unnest(_customers) v UNION
        SELECT unnest(ARRAY[c.phone, c.email, c.name]) FROM crm.customers c WHERE c.customer_id = ANY (_customers)) t
    WHERE length(v) > 0;
    FOR _table IN
        SELECT c.name, c.of_them, k.blanked, k.table_name IS NOT NULL AS is_kept
        FROM desk.tables_of_customers() c LEFT JOIN desk.kept_tables k ON k.table_name = c.name
        WHERE k.table_name IS NULL OR k.blanked <> '{}'
        ORDER BY c.key <> 'contact_id', c.key <> 'case_id', c.name  -- what hangs on a contact or call before these
    LOOP
        IF _table.is_kept THEN
            EXECUTE format('UPDATE %s t SET (%2$s) = (SELECT %2$s FROM jsonb_populate_record(NULL::%1$s, $2)) WHERE %3$s',
                           _table.name, (SELECT string_agg(format('%I', k), ', ') FROM jsonb_object_keys(_table.blanked) k),
                           _table.of_them)
            USING _customers, _table.blanked;
        ELSE
            EXECUTE format('DELETE FROM %s t WHERE %s', _table.name, _table.of_them) USING _customers;
        END IF;
        GET DIAGNOSTICS _rows = ROW_COUNT;
        _touched := _touched || CASE WHEN _rows > 0 THEN jsonb_build_object(_table.name, _rows) ELSE '{}' END;
    END LOOP;
    _rows := desk.blank_set_aside(_values);
    RETURN _touched || CASE WHEN _rows > 0 THEN jsonb_build_object('feed.set_aside', _rows) ELSE '{}' END;
END $$;

-- Erase one on request. Asking again is no harm. facts: rows by table, and whether the company's own system must erase too.
CREATE FUNCTION desk.erase_one(_me desk.person, _by text, _customer_id text, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql AS $$
DECLARE
    _rows jsonb;
BEGIN
    IF length(trim(coalesce(_reason, ''))) NOT BETWEEN 3 AND 500 THEN
        PERFORM desk.refuse('KL802', 'Say in a few words who asked for it and when.');
    ELSIF EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = _customer_id) THEN
        RETURN ('replayed', NULL, NULL, '{}', NULL, _customer_id, NULL, NULL)::desk.verdict;
    ELSIF NOT EXISTS (SELECT FROM crm.customers c WHERE c.customer_id = _customer_id)
        AND NOT EXISTS (SELECT FROM desk.ledger_customers c WHERE c.customer_id = _customer_id) THEN
        PERFORM desk.refuse('KL801', 'There is no customer of this account.');
    END IF;
    _rows := desk.erase_all(ARRAY[_customer_id], 'request', _reason, _by);
    PERFORM desk.note(_me, 'erased', 'customer', _customer_id, jsonb_build_object('by', _by, 'rows', _rows));
    RETURN ('done', NULL, NULL, jsonb_build_object('rows', _rows, 'source_too', NOT EXISTS (
        SELECT FROM desk.company c WHERE c.source = 'simulated')), NULL, _customer_id, NULL, NULL)::desk.verdict;
END $$;

CREATE FUNCTION desk.erase_customer(_token text, _customer_id text, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me    desk.person;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'administrator');
    RETURN desk.erase_one(_me, _me.staff_id, _customer_id, _reason);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('erase_customer', _token, jsonb_build_object('customer_id', _customer_id), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- The same by whoever runs the command line on the server.
CREATE FUNCTION desk.erase_by_job(_customer_id text, _reason text, _by text) RETURNS desk.verdict
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT desk.erase_one(NULL, _by, _customer_id, _reason)
$$;

-- what is held about one -----------------------------------------------------------------------------------------------

-- Every row of every table that names this customer, by table; their notes, receipts and who looked at them among it.
CREATE FUNCTION desk.all_held(_customer_id text, _by text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _table record;
    _rows  jsonb;
    _held  jsonb := '{}';
BEGIN
    FOR _table IN
        SELECT c.name, c.of_them FROM desk.tables_of_customers() c WHERE c.name LIKE 'desk.%'
        UNION ALL
        SELECT format('crm.%I', c.relname), 't.customer_id = ANY ($1)'
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'customer_id'
        WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('v', 'm', 'r')
        UNION ALL VALUES
            ('desk.decision_rungs', 't.decision_id IN (SELECT d.decision_id FROM desk.decisions d WHERE d.customer_id = ANY ($1))'),
            ('desk.decision_answers', 't.decision_id IN (SELECT d.decision_id FROM desk.decisions d WHERE d.customer_id = ANY ($1))'),
            ('desk.approval_history', 't.approval_id IN (SELECT r.approval_id FROM desk.approval_requests r WHERE r.customer_id = ANY ($1))'),
            ('desk.save_stages', 't.intent_id IN (SELECT i.intent_id FROM desk.cancel_intents i WHERE i.customer_id = ANY ($1))'),
            ('desk.audit', 't.subject_kind = ''customer'' AND t.subject = ANY ($1)'),
            ('feed.set_aside', 'EXISTS (SELECT FROM jsonb_each_text(t.row) e WHERE trim(e.value) = ANY ($1))')
        ORDER BY 1
    LOOP
        EXECUTE format('SELECT jsonb_agg(to_jsonb(t)) FROM %s t WHERE %s', _table.name, _table.of_them)
        INTO _rows USING ARRAY[_customer_id];
        _held := _held || CASE WHEN _rows IS NOT NULL THEN jsonb_build_object(_table.name, _rows) ELSE '{}' END;
    END LOOP;
    IF _held = '{}' THEN
        PERFORM desk.refuse('KL801', 'There is no customer of this account.');
    END IF;
    PERFORM desk.note(desk.session_person(), 'exported', 'customer', _customer_id, jsonb_build_object('by', _by, 'what', 'all held'));
    RETURN _held;
END $$;

CREATE FUNCTION desk.held_about(_token text, _customer_id text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    PERFORM desk.require_role(_me, 'administrator');
    RETURN desk.all_held(_customer_id, _me.staff_id);
END $$;

-- retention ------------------------------------------------------------------------------------------------------------

-- How long what is kept. Of several rows for one subject the newest holds; none is ever changed.
CREATE TABLE desk.retention_periods (
    subject   text NOT NULL CHECK (subject IN ('sessions', 'set_aside', 'notes', 'case_texts', 'left_customers', 'look_ups', 'accounts')),
    set_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    days      integer CHECK (days > 0),         -- NULL: kept
    reason    text NOT NULL,
    reference text,
    set_by    text NOT NULL,
    PRIMARY KEY (subject, set_at)
);
CALL desk.make_append_only('desk.retention_periods');
INSERT INTO desk.retention_periods VALUES
    ('sessions', '-infinity', 90, 'Who was signed in when: to look into something that came up lately.', 'GDPR art. 5(1)(e)', 'default'),
    ('set_aside', '-infinity', 90, 'Rows an import could not take: to mend the source, then no more.', 'GDPR art. 5(1)(e)', 'default'),
    ('notes', '-infinity', 730, 'What was said: reasons for leaving are learned from two years.', 'GDPR art. 5(1)(e)', 'default'),
    ('case_texts', '-infinity', 730, 'What was broken, in the agent''s words: as long as notes.', 'GDPR art. 5(1)(e)', 'default'),
    ('left_customers', '-infinity', 2190, 'Claims from a contract may be raised for six years after its end.', 'Limitation Act 1980, s. 5', 'default'),
    ('look_ups', '-infinity', NULL, 'Who saw whom stands in the sealed audit, by key: a row removed is what its seals are there to find.',
     'GDPR art. 5(2)', 'default'),
    ('accounts', '-infinity', NULL, 'Ledger, receipts and approvals are accounts, by key: nothing in them says who it was.',
     'GDPR art. 17(3)(b)', 'default');

CREATE FUNCTION desk.set_retention(_token text, _subject text, _days integer, _reason text, _reference text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'administrator');
    IF _subject IN ('look_ups', 'accounts') THEN
        PERFORM desk.refuse('KL803', 'Rows of the audit and the ledger are never removed, so they have no period.');
    ELSIF length(trim(coalesce(_reason, ''))) < 3 OR NOT _days BETWEEN 1 AND 36500 THEN
        PERFORM desk.refuse('KL803', 'A period is 1 to 36,500 days and has a reason.');
    END IF;
    INSERT INTO desk.retention_periods (subject, days, reason, reference, set_by) VALUES (_subject, _days, _reason, _reference, _me.staff_id);
    PERFORM desk.note(_me, 'changed', 'retention', _subject, jsonb_build_object('days', _days));
    RETURN desk.done(_subject);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('set_retention', _token, jsonb_build_object('subject', _subject, 'days', _days), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- Remove what has been kept long enough; rows by subject. Rolled back it is a count of what would go. The company's data go
-- by the company's own time, sessions and set-aside rows by the clock. What the company keeps in its own views is its own.
CREATE FUNCTION desk.apply_retention(_by text)
    RETURNS TABLE (subject text, days integer, before timestamptz, affected bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _period record;
    _gone   text[];
    _did    jsonb := '{}';
BEGIN
    FOR _period IN
        SELECT DISTINCT ON (p.subject) p.subject, p.days FROM desk.retention_periods p ORDER BY p.subject, p.set_at DESC
    LOOP
        subject := _period.subject;
        days := _period.days;
        before := CASE WHEN subject IN ('sessions', 'set_aside') THEN clock_timestamp() ELSE desk.business_clock() END
            - make_interval(days => days);
        affected := 0;
        CASE subject
        WHEN 'sessions' THEN
            DELETE FROM desk.sessions s WHERE s.expires_at < before;
            GET DIAGNOSTICS affected = ROW_COUNT;
        WHEN 'set_aside' THEN
            UPDATE feed.set_aside a SET value = NULL, row = '{}' FROM feed.files f
            WHERE f.file_id = a.file_id AND f.imported_at < before AND a.row <> '{}';
            GET DIAGNOSTICS affected = ROW_COUNT;
        WHEN 'notes' THEN
            UPDATE feed.contacts c SET notes = NULL WHERE c.started_at < before AND c.notes IS NOT NULL;
            GET DIAGNOSTICS affected = ROW_COUNT;
        WHEN 'case_texts' THEN
            UPDATE desk.cases c SET what_is_broken = NULL
            WHERE coalesce(c.closed_at, c.opened_at) < before AND c.what_is_broken IS NOT NULL;
            GET DIAGNOSTICS affected = ROW_COUNT;
        WHEN 'left_customers' THEN
            _gone := ARRAY(
                SELECT c.customer_id FROM feed.customers c
                WHERE c.joined_on < before::date AND NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = c.customer_id)
                    AND NOT EXISTS (SELECT FROM feed.subscriptions s WHERE s.customer_id = c.customer_id
                                    AND (s.ended_on IS NULL OR s.ended_on >= before::date)));
            affected := cardinality(_gone);
            IF affected > 0 THEN
                PERFORM desk.erase_all(_gone, 'retention', 'kept long enough after the contract ended', _by);
            END IF;
        ELSE NULL;  -- kept
        END CASE;
        _did := _did || jsonb_build_object(subject, affected);
        RETURN NEXT;
    END LOOP;
    PERFORM desk.note(desk.session_person(), 'retained', 'retention', NULL, jsonb_build_object('by', _by, 'rows', _did));
END $$;

-- What people read the contract through: here, for it leaves out the erased.
SELECT desk.make_reading_views();

RESET ROLE;

-- =====================================================================================================================
-- desk, the money: entries, billing, what the night finds out of spending; report, for the company's own tools
-- =====================================================================================================================

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

-- =====================================================================================================================
-- desk, can it be trusted: models against today's customers, the trial, the nightly profile of the data
-- =====================================================================================================================

-- How training's customers fell into bins, a row a column, and one for the model's own chances of them.
CREATE TABLE desk.model_bins (
    model_version bigint NOT NULL REFERENCES desk.model_versions ON DELETE CASCADE,
    is_score      boolean NOT NULL,
    column_name   text NOT NULL,
    edges         double precision[],           -- upper ends of a number's bins, the last open; NULL: words
    names         text[] NOT NULL,              -- of the bins; what few customers have is 'any other'
    shares        double precision[] NOT NULL,  -- of those customers
    customers     integer NOT NULL CHECK (customers > 0),
    PRIMARY KEY (model_version, is_score, column_name),
    CHECK (cardinality(names) = cardinality(shares))
);

-- The same columns on a later day: shares over the same bins, and the population stability index.
CREATE TABLE desk.model_drift (
    model_version bigint NOT NULL,
    is_score      boolean NOT NULL,
    column_name   text NOT NULL,
    measured_on   date NOT NULL,                -- the company's day
    psi           double precision NOT NULL CHECK (psi >= 0),
    shares        double precision[] NOT NULL,
    customers     integer NOT NULL CHECK (customers > 0),
    PRIMARY KEY (model_version, is_score, column_name, measured_on),
    FOREIGN KEY (model_version, is_score, column_name) REFERENCES desk.model_bins ON DELETE CASCADE
);

-- What drawing amounts by lot came to, on settled calls. Money in major units; lift NULL: too few calls.
CREATE TABLE desk.trial_arms (
    arm         text PRIMARY KEY CHECK (arm IN ('nothing', 'less', 'as meant', 'more')),
    calls       integer NOT NULL CHECK (calls > 0),
    amount      double precision NOT NULL,
    stayed      double precision NOT NULL,
    needed      integer NOT NULL,               -- calls an arm must have
    lift        double precision,
    low         double precision,
    high        double precision,
    window_days integer NOT NULL,
    as_of       timestamptz NOT NULL,
    CHECK ((lift IS NULL) = (low IS NULL) AND (lift IS NULL) = (high IS NULL))
);

-- One night's look at all the data, as lists of objects; nobody's key or value is in it.
CREATE TABLE desk.data_profiles (
    profile_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    as_of       timestamptz NOT NULL,           -- the company's now
    measured_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seconds     double precision NOT NULL,      -- it took
    tables      jsonb NOT NULL,                 -- noun, rows, newest, age_days, usual_gap_days, late
    columns     jsonb NOT NULL,                 -- noun, name, rows, nulls, is_required
    doubles     jsonb NOT NULL,                 -- noun, what, rows
    problems    jsonb NOT NULL,                 -- place, sentence, mend, is_optional, rows
    contacts    jsonb NOT NULL,                 -- channel, contacts, nobody, unknown
    sources     jsonb NOT NULL,                 -- path, mapping, rows_read, rows_accepted, rows_set_aside, rows_unmatched, …
    set_aside   jsonb NOT NULL,                 -- path, column_name, reason, rows
    held_back   jsonb NOT NULL                  -- what, why, customers
);
CREATE INDEX data_profiles_time ON desk.data_profiles (measured_at DESC);

SET LOCAL ROLE keepline_owner;

-- Put a candidate, or a retired model, into use in place of the one of its kind. An analyst may not judge their own.
CREATE FUNCTION desk.promote_model(_token text, _version bigint, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me    desk.person;
    _found record;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'leader', 'analyst', 'administrator');
    PERFORM pg_advisory_xact_lock(hashtextextended('promote_model', 18));
    SELECT m.model_version, m.kind, m.status, m.created_by INTO _found
    FROM desk.model_versions m WHERE m.model_version = _version;
    IF NOT FOUND OR _found.status = 'refused' THEN
        PERFORM desk.refuse('KL871', 'There is no such model to put into use.');
    ELSIF _found.status = 'current' THEN
        PERFORM desk.refuse('KL872', format('Version %s is in use already.', _version));
    ELSIF _me.role = 'analyst' AND EXISTS (
        SELECT FROM desk.staff p WHERE p.staff_id = _me.staff_id
            AND lower(btrim(_found.created_by)) IN (lower(p.staff_id), lower(p.name), lower(p.sign_in))) THEN
        PERFORM desk.refuse('KL873', 'You made this model; somebody else must put it into use.', '{}',
                            'another analyst, a leader or an administrator');
    ELSIF coalesce(btrim(_reason), '') = '' THEN
        PERFORM desk.refuse('KL874', 'Say in a few words why this model is put into use.');
    END IF;
    UPDATE desk.model_versions m SET status = 'retired' WHERE m.kind = _found.kind AND m.status = 'current';
    UPDATE desk.model_versions m SET status = 'current', promoted_at = clock_timestamp(), promoted_by = _me.staff_id
    WHERE m.model_version = _version;
    PERFORM desk.note(_me, 'promoted', 'model', _version::text,
                      jsonb_build_object('kind', _found.kind, 'made_by', _found.created_by, 'reason', left(btrim(_reason), 500)));
    RETURN desk.done(_version::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('promote_model', _token, jsonb_build_object('model_version', _version), SQLSTATE, SQLERRM, _facts, _who);
END $$;

RESET ROLE;

-- =====================================================================================================================
-- desk, the policy lab: cases and calls to replay
-- =====================================================================================================================

SET ROLE keepline_owner;

-- cases ----------------------------------------------------------------------------------------------------------------

-- What the policy's owner says must come out in such and such a call, as YAML. Stands with its version.
CREATE TABLE desk.policy_cases (
    policy_version bigint PRIMARY KEY REFERENCES desk.policy_versions,
    document       text NOT NULL CHECK (length(document) <= 200000)
);
CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON desk.policy_cases
    FOR EACH ROW EXECUTE FUNCTION desk.append_only();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON desk.policy_cases
    FOR EACH STATEMENT EXECUTE FUNCTION desk.append_only();
CREATE TRIGGER only_in_drafts BEFORE INSERT ON desk.policy_cases
    FOR EACH ROW EXECUTE FUNCTION desk.only_in_drafts();
ALTER TABLE desk.policy_cases ENABLE ALWAYS TRIGGER append_only_row;
ALTER TABLE desk.policy_cases ENABLE ALWAYS TRIGGER append_only_table;
ALTER TABLE desk.policy_cases ENABLE ALWAYS TRIGGER only_in_drafts;

-- A draft with its cases, both or neither: a draft without them would be published unproved.
CREATE FUNCTION desk.draft_policy_with_cases(_token text, _policy jsonb, _cases text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _drafted desk.verdict := desk.draft_policy(_token, _policy);
BEGIN
    IF _drafted.outcome = 'done' AND _cases <> '' THEN
        INSERT INTO desk.policy_cases (policy_version, document) VALUES (_drafted.key::bigint, _cases);
    END IF;
    RETURN _drafted;
END $$;

-- What the checks found of a version as it was, for the day it would begin. No person's role may write here.
CREATE TABLE desk.policy_checks (
    check_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_version bigint NOT NULL REFERENCES desk.policy_versions,
    content        text NOT NULL,               -- desk.policy_content of what was checked
    begins_on      date NOT NULL,               -- the company's day
    problems       integer NOT NULL CHECK (problems >= 0),
    cases          integer NOT NULL,
    red_cases      integer NOT NULL CHECK (red_cases BETWEEN 0 AND cases),
    checked_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX policy_checks_version ON desk.policy_checks (policy_version, begins_on, check_id DESC);
CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON desk.policy_checks
    FOR EACH ROW EXECUTE FUNCTION desk.append_only();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON desk.policy_checks
    FOR EACH STATEMENT EXECUTE FUNCTION desk.append_only();
ALTER TABLE desk.policy_checks ENABLE ALWAYS TRIGGER append_only_row;
ALTER TABLE desk.policy_checks ENABLE ALWAYS TRIGGER append_only_table;

-- A version's content in one word: the same only when title, currency, every row and every case are.
CREATE FUNCTION desk.policy_content(_version bigint) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(sha256(convert_to(jsonb_build_array(
        v.title, v.currency,
        (SELECT jsonb_agg(to_jsonb(i) ORDER BY i.instrument) FROM desk.policy_instruments i WHERE i.policy_version = _version),
        (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.code) FROM desk.policy_rules r WHERE r.policy_version = _version),
        (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.authority_id) FROM desk.policy_authority a WHERE a.policy_version = _version),
        (SELECT c.document FROM desk.policy_cases c WHERE c.policy_version = _version)
    )::text, 'UTF8')), 'hex')
    FROM desk.policy_versions v WHERE v.policy_version = _version
$$;

-- A second person puts a draft in force from an instant that has not passed, once its checks found nothing.
CREATE FUNCTION desk.publish_policy(_token text, _version bigint, _from timestamptz) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me    desk.person;
    _draft desk.policy_versions;
    _check desk.policy_checks;
    _at    timestamptz := desk.business_clock();
    _day   date := (coalesce(_from, _at) AT TIME ZONE coalesce((SELECT c.time_zone FROM desk.company c), 'UTC'))::date;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'finance', 'leader');
    SELECT * INTO _draft FROM desk.policy_versions v WHERE v.policy_version = _version FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL604', format('There is no policy version %s.', _version));
    ELSIF _draft.published_at IS NOT NULL THEN
        PERFORM desk.refuse('KL601', format('Policy version %s is published and stands; draft a new one.', _version));
    ELSIF _draft.drafted_by = _me.staff_id THEN
        PERFORM desk.refuse('KL602', 'You drafted this yourself; a second person must publish it.');
    ELSIF coalesce(_from, _at) < _at THEN
        PERFORM desk.refuse('KL603', 'A policy begins now or later, never in the past.');
    END IF;
    SELECT * INTO _check FROM desk.policy_checks k WHERE k.policy_version = _version AND k.begins_on = _day
    ORDER BY k.check_id DESC LIMIT 1;
    IF _check.content IS DISTINCT FROM desk.policy_content(_version) THEN
        PERFORM desk.refuse('KL605', format('Policy version %s was not checked as it is now for %s; publish it from the policy '
                                            'page, which checks it.', _version, to_char(_day, 'FMDD FMMonth YYYY')));
    ELSIF _check.problems + _check.red_cases > 0 THEN
        PERFORM desk.refuse('KL605', format('Policy version %s has problems (%s) or red cases (%s of %s); mend them in a new draft.',
                                            _version, _check.problems, _check.red_cases, _check.cases));
    END IF;
    UPDATE desk.policy_versions v SET published_by = _me.staff_id, published_at = _at, effective_from = coalesce(_from, _at)
    WHERE v.policy_version = _version;
    RETURN desk.done(_version::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('publish_policy', _token, jsonb_build_object('version', _version, 'from', _from),
                        SQLSTATE, SQLERRM, _facts, _who);
END $$;

RESET ROLE;

-- replay ---------------------------------------------------------------------------------------------------------------

-- When past calls were made ready for replay, and from which day on.
CREATE TABLE desk.replay_state (
    is_only        boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    as_of          timestamptz NOT NULL,
    since_on       date NOT NULL,
    until_on       date NOT NULL,
    calls          integer NOT NULL CHECK (calls > 0),
    currency       char(3) NOT NULL,
    effect_version bigint NOT NULL REFERENCES desk.model_versions,
    made_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A settled call without a name: what rules may ask of it, what was given, did they stay. The nightly job replaces all of
-- it, so that whoever is erased is gone from it too. Money in minor units but for the amount given.
CREATE TABLE desk.replay_calls (
    call_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    called_on       date NOT NULL,
    monthly_bill    bigint NOT NULL,
    tenure_months   integer,
    risk            real,
    worth           bigint,                     -- given they stay; NULL: no model
    worth_low       bigint,
    worth_high      bigint,
    fee             bigint NOT NULL DEFAULT 0,
    plan            text,
    segment         text,
    contact_reason  text,
    fault           text,
    channel         text,
    region          text,
    arm             text,
    open_complaint  boolean NOT NULL,
    is_vulnerable   boolean NOT NULL,
    is_do_not_offer boolean NOT NULL,
    in_collections  boolean NOT NULL,
    has_fraud_hold  boolean NOT NULL,
    is_bereaved     boolean NOT NULL,
    earlier         jsonb NOT NULL DEFAULT '[]', -- concessions before: instrument, amount, days before
    amount          double precision NOT NULL CHECK (amount >= 0), -- given, in major units
    stayed          boolean NOT NULL,
    expected        real NOT NULL,              -- chance of staying at what was given, by a model that never saw the call
    propensity      real,                       -- of what was given, where a trial drew it
    -- float32, little-endian, one after the other (churn.core.replay.replay_log.CURVES): read at once, not number by number
    curves          bytea NOT NULL
);
CREATE INDEX replay_calls_day ON desk.replay_calls (called_on);

ALTER TABLE desk.replay_calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY book ON desk.replay_calls FOR SELECT TO keepline_leader, keepline_finance
    USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.replay_calls TO keepline_batch USING (true);

-- =====================================================================================================================
-- desk, sources: a company's own tables read through views that somebody reviewed
-- =====================================================================================================================

-- SQLSTATEs: KL81x mappings of a company's own tables

-- Where a mapping's views are made to be looked at; empty but within a transaction that is rolled back.
CREATE SCHEMA proposed;
GRANT USAGE ON SCHEMA crm, proposed, feed, desk TO keepline_mapper;
GRANT CREATE ON SCHEMA crm, proposed TO keepline_mapper;
GRANT SELECT ON ALL TABLES IN SCHEMA feed TO keepline_mapper;
GRANT SELECT ON desk.company TO keepline_mapper;


ALTER VIEW crm.customers OWNER TO keepline_mapper;
ALTER VIEW crm.subscriptions OWNER TO keepline_mapper;
ALTER VIEW crm.invoices OWNER TO keepline_mapper;
ALTER VIEW crm.contacts OWNER TO keepline_mapper;
ALTER VIEW crm.usage OWNER TO keepline_mapper;
ALTER VIEW crm.change_events OWNER TO keepline_mapper;
ALTER VIEW crm.concessions OWNER TO keepline_mapper;

SET ROLE keepline_owner;

-- A telephone number as E.164, NULL where it is none. _prefix: '+44' and the like, for numbers in national format; ''
-- leaves those out. A mapping's views call it, so it has to be quick and the same for everybody.
CREATE FUNCTION desk.e164(_number text, _prefix text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT CASE WHEN w.whole ~ '^\+[1-9][0-9]{6,14}$' THEN w.whole END
            FROM (SELECT regexp_replace(regexp_replace(regexp_replace(
                             _number, '\(0\)|[[:alpha:];,].*$', '', 'g'), '[^0-9+]', '', 'g'), '^00', '+') AS digits) d,
                 LATERAL (SELECT CASE WHEN d.digits LIKE '+%' THEN d.digits
                                      WHEN _prefix = '+1' AND d.digits ~ '^1[0-9]{10}$' THEN '+' || d.digits
                                      WHEN _prefix ~ '^\+[1-9][0-9]{0,3}$' THEN _prefix || ltrim(d.digits, '0') END AS whole) w);

-- Mappings that somebody with the installing login has read and put here: exactly this text is what a page may use.
CREATE TABLE desk.mappings (
    mapping_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title         text NOT NULL CHECK (title <> ''),
    chosen        jsonb NOT NULL,               -- sources with their schemas, keys and other parameters
    views         text[] NOT NULL,              -- of the contract; the others are the feed's
    statement     text NOT NULL CHECK (statement <> ''),
    sha256        text NOT NULL UNIQUE,         -- of the statement
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    registered_by text NOT NULL                 -- the account on the host
);
CALL desk.make_append_only('desk.mappings');

-- What crm's views were, one row a change; the newest is in force.
CREATE TABLE desk.mapping_moves (
    move_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mapping_id bigint REFERENCES desk.mappings, -- NULL: the feed's own views
    moved_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    staff_id   text,                            -- NULL: by a command on the host
    moved_by   text NOT NULL,
    reason     text NOT NULL CHECK (reason <> ''),
    before     jsonb NOT NULL                   -- the company's source and data_until before any mapping
);
CALL desk.make_append_only('desk.mapping_moves');

-- Put a mapping here, once; its key. Nobody is given this function: it takes the installing login.
CREATE FUNCTION desk.register_mapping(_title text, _chosen jsonb, _views text[], _statement text, _by text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _sha256 text := encode(sha256(convert_to(_statement, 'UTF8')), 'hex');
    _key    bigint;
BEGIN
    SELECT m.mapping_id INTO _key FROM desk.mappings m WHERE m.sha256 = _sha256;
    IF NOT FOUND THEN
        INSERT INTO desk.mappings (title, chosen, views, statement, sha256, registered_by)
        VALUES (_title, _chosen, _views, _statement, _sha256, _by) RETURNING mapping_id INTO _key;
        PERFORM desk.note(NULL, 'registered', 'mapping', _key::text,
                          jsonb_build_object('title', _title, 'sha256', _sha256, 'by', _by));
    END IF;
    RETURN _key;
END $$;

RESET ROLE;

-- keepline_mapper owns nothing but crm's views and this one function; it reads what it was granted for a mapping.
GRANT SELECT ON desk.mappings TO keepline_mapper;
GRANT CREATE ON SCHEMA desk TO keepline_mapper;
SET ROLE keepline_mapper;

-- Make the feed's own views, and over them a mapping's, in crm or, to look at, in proposed. NULL: the feed's alone.
CREATE FUNCTION desk.hang_views(_mapping_id bigint, _schema text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _views constant text[] := ARRAY['customers', 'subscriptions', 'contacts', 'invoices', 'usage', 'change_events', 'concessions'];
    _statement text;
    _name      text;
BEGIN
    IF _schema IS NULL OR _schema NOT IN ('crm', 'proposed') THEN
        RAISE EXCEPTION 'Views are made in crm and proposed only.';
    END IF;
    PERFORM set_config('search_path', _schema || ', pg_catalog, pg_temp', true);
    -- Of the same columns and types as every mapping's: a view is replaced where it hangs, and what reads it stays.
    CREATE OR REPLACE VIEW customers AS
        SELECT customer_id, name, phone, email, joined_on, segment, region, language, currency,
               is_vulnerable, is_do_not_offer, attributes
        FROM feed.customers;
    CREATE OR REPLACE VIEW subscriptions AS
        SELECT subscription_id, customer_id, product, plan, started_on, term_ends_on, ended_on, end_reason,
               monthly_price, monthly_margin
        FROM feed.subscriptions;
    CREATE OR REPLACE VIEW invoices AS
        SELECT invoice_id, customer_id, issued_on, due_on, paid_on, amount FROM feed.invoices;
    CREATE OR REPLACE VIEW contacts AS
        SELECT contact_id, customer_id, started_at, ended_at, channel, direction, queue, reason, agent_id,
               is_resolved, is_escalated, csat, notes
        FROM feed.contacts;
    CREATE OR REPLACE VIEW usage AS
        SELECT customer_id, month, measure, quantity FROM feed.usage;
    CREATE OR REPLACE VIEW change_events AS
        SELECT event_id, owner_department, kind, title, starts_at, ends_at, audience_size, what_to_say,
               region, product, plan
        FROM feed.change_events;
    CREATE OR REPLACE VIEW concessions AS
        SELECT concession_id, customer_id, contact_id, agent_id, given_at, instrument, amount, months,
               intended_amount, propensity
        FROM feed.concessions;
    FOR _name IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = _schema::regnamespace AND c.relkind = 'v' AND c.relowner = 'keepline_mapper'::regrole
            AND c.relname <> ALL (_views)
    LOOP
        EXECUTE format('DROP VIEW IF EXISTS %I.%I CASCADE', _schema, _name);  -- an earlier mapping's own, read by nothing now
    END LOOP;
    IF _mapping_id IS NOT NULL THEN
        SELECT m.statement INTO STRICT _statement FROM desk.mappings m WHERE m.mapping_id = _mapping_id;
        EXECUTE _statement;
    END IF;
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO keepline_batch, keepline_owner', _schema);
END $$;
REVOKE ALL ON FUNCTION desk.hang_views FROM PUBLIC;
GRANT EXECUTE ON FUNCTION desk.hang_views TO keepline_owner;

RESET ROLE;
REVOKE CREATE ON SCHEMA desk FROM keepline_mapper;
SET ROLE keepline_owner;

-- Look at a mapping: its views in proposed, for whoever then rolls back. An administrator's act.
CREATE FUNCTION desk.propose_mapping(_mapping_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM desk.require_role(desk.me(), 'administrator');
    IF NOT EXISTS (SELECT FROM desk.mappings m WHERE m.mapping_id = _mapping_id) THEN
        PERFORM desk.refuse('KL811', 'There is no such mapping.');
    END IF;
    PERFORM desk.hang_views(_mapping_id, 'proposed');
END $$;

-- Some rows of a proposed view, masked as an administrator reads them: of a name the initials, that there is a number.
CREATE FUNCTION desk.proposed_rows(_view text, _most integer) RETURNS SETOF jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM desk.require_role(desk.me(), 'administrator');
    IF _view <> ALL (ARRAY['customers', 'subscriptions', 'contacts', 'invoices', 'usage', 'change_events', 'concessions']) THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format('SELECT %s FROM (SELECT * FROM proposed.%I v %s LIMIT $1) t',
        CASE _view
        WHEN 'customers' THEN 'to_jsonb(t) || jsonb_build_object(''name'', desk.masked_name(t.name), '
            '''phone'', CASE WHEN t.phone <> '''' THEN ''there is one'' END, '
            '''email'', CASE WHEN t.email <> '''' THEN ''there is one'' END, '
            '''attributes'', (SELECT coalesce(jsonb_object_agg(e.key, e.value), ''{}'') FROM jsonb_each(t.attributes) e '
            'WHERE jsonb_typeof(e.value) IN (''number'', ''boolean'')))'
        WHEN 'contacts' THEN 'to_jsonb(t) || jsonb_build_object(''notes'', CASE WHEN t.notes <> '''' THEN ''there are some'' END)'
        ELSE 'to_jsonb(t)' END,
        _view,
        CASE _view WHEN 'change_events' THEN ''
        ELSE 'WHERE NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = v.customer_id)' END)
        USING least(greatest(_most, 0), 100);
END $$;

-- Hang a mapping's views in crm, or the feed's own again, and write it down. The company lives from now on, or is again
-- what it was before. Without a person: by a command on the host, which takes the installing login.
CREATE FUNCTION desk.move_mapping(_me desk.person, _by text, _mapping_id bigint, _reason text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _before  jsonb;
    _current bigint;
    _title   text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('move_mapping', 35));
    SELECT jsonb_build_object('source', c.source, 'data_until', c.data_until) INTO _before FROM desk.company c;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL815', 'Say first whose company this is: its name, time zone, currency and telephone region.');
    END IF;
    SELECT m.title INTO _title FROM desk.mappings m WHERE m.mapping_id = _mapping_id;
    IF _mapping_id IS NOT NULL AND NOT FOUND THEN
        PERFORM desk.refuse('KL811', 'There is no such mapping.');
    ELSIF coalesce(btrim(_reason), '') = '' THEN
        PERFORM desk.refuse('KL814', 'Say in a few words why.');
    END IF;
    SELECT v.mapping_id, coalesce(CASE WHEN v.mapping_id IS NOT NULL THEN v.before END, _before) INTO _current, _before
    FROM (SELECT) one LEFT JOIN (SELECT * FROM desk.mapping_moves ORDER BY move_id DESC LIMIT 1) v ON true;
    IF _current IS NOT DISTINCT FROM _mapping_id AND to_regclass('crm.customers') IS NOT NULL
        AND to_regclass('crm.subscriptions') IS NOT NULL AND to_regclass('crm.contacts') IS NOT NULL THEN
        PERFORM desk.refuse('KL813', CASE WHEN _mapping_id IS NULL THEN 'The views are the feed''s own already.'
                                          ELSE 'This mapping is in force already.' END);
    END IF;
    PERFORM desk.hang_views(_mapping_id, 'crm');
    UPDATE desk.company SET updated_at = clock_timestamp(),
        source = CASE WHEN _mapping_id IS NULL THEN _before ->> 'source' ELSE 'views' END,
        data_until = CASE WHEN _mapping_id IS NULL THEN (_before ->> 'data_until')::timestamptz END;
    INSERT INTO desk.mapping_moves (mapping_id, staff_id, moved_by, reason, before)
    VALUES (_mapping_id, (_me).staff_id, _by, left(btrim(_reason), 500), _before);
    PERFORM desk.make_reading_views();
    PERFORM desk.note(_me, CASE WHEN _mapping_id IS NULL THEN 'took_back' ELSE 'applied' END, 'mapping',
                      coalesce(_mapping_id, _current)::text,
                      jsonb_build_object('title', _title, 'was', _current, 'by', _by, 'reason', left(btrim(_reason), 500)));
    RETURN coalesce(_mapping_id, _current);
END $$;

-- The same by an administrator, who names the digest of what they have read. Without a mapping: back to the feed's own.
CREATE FUNCTION desk.apply_mapping(_token text, _mapping_id bigint, _sha256 text, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'administrator');
    IF EXISTS (SELECT FROM desk.mappings m WHERE m.mapping_id = _mapping_id AND m.sha256 IS DISTINCT FROM _sha256) THEN
        PERFORM desk.refuse('KL812', 'This is not the mapping you have read; look at it again.');
    END IF;
    RETURN desk.done(desk.move_mapping(_me, _me.staff_id, _mapping_id, _reason)::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('apply_mapping', _token, jsonb_build_object('mapping_id', _mapping_id), SQLSTATE, SQLERRM, _facts, _who);
END $$;

RESET ROLE;

-- =====================================================================================================================
-- desk, other systems: keys of services, the telephone system's word, out to billing
-- =====================================================================================================================

SET ROLE keepline_owner;

-- keys -----------------------------------------------------------------------------------------------------------------

-- A service signs in with a key as a member of staff of its own, so that role, row-level security, authority and limits are
-- those of a person. The key itself is nowhere in the database: 256 random bits, kept as a digest.
CREATE TABLE desk.api_keys (
    key_id      text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{8}$'), -- the part of the key that may be shown
    key_sha256  bytea NOT NULL UNIQUE CHECK (length(key_sha256) = 32),
    staff_id    text NOT NULL CHECK (staff_id ~ '^api:[a-z0-9-]{1,40}$'), -- never a person's
    role        text NOT NULL CHECK (role IN ('agent', 'supervisor', 'finance')),
    made_by     text NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz,                    -- NULL: until it is revoked
    revoked_by  text,
    revoked_at  timestamptz,
    CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
);
CREATE INDEX api_keys_staff ON desk.api_keys (staff_id);
ALTER TABLE desk.sessions ADD FOREIGN KEY (key_id) REFERENCES desk.api_keys;

-- Make a key for a service, and the service's own line in the staff list where it is missing.
CREATE FUNCTION desk.make_api_key(_key_id text, _sha256 bytea, _staff_id text, _name text, _role text, _team text,
                                  _expires_at timestamptz, _by text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _found desk.staff;
BEGIN
    INSERT INTO desk.staff (staff_id, name, role, team) VALUES (_staff_id, _name, _role, _team) ON CONFLICT DO NOTHING;
    SELECT * INTO _found FROM desk.staff s WHERE s.staff_id = _staff_id;
    IF (_found.role, _found.team, _found.is_active, _found.sign_in) IS DISTINCT FROM (_role, _team, true, NULL::text) THEN
        PERFORM desk.refuse('KL892', format('%s is there already, as %s of team %s%s; name another service.', _staff_id,
                                            _found.role, coalesce(_found.team, '(none)'),
                                            CASE WHEN _found.is_active THEN '' ELSE ', and has left' END));
    END IF;
    INSERT INTO desk.api_keys (key_id, key_sha256, staff_id, role, made_by, expires_at)
    VALUES (_key_id, _sha256, _staff_id, _role, _by, _expires_at);
    PERFORM desk.note(NULL, 'made_key', 'key', _key_id,
                      jsonb_build_object('service', _staff_id, 'role', _role, 'team', _team, 'by', _by, 'expires_at', _expires_at));
END $$;

-- Take a key back: it signs nobody in any more, and whoever is in by it is out. Twice is no harm; false: no such key.
CREATE FUNCTION desk.revoke_api_key(_key_id text, _by text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE desk.api_keys k SET revoked_at = clock_timestamp(), revoked_by = _by
    WHERE k.key_id = _key_id AND k.revoked_at IS NULL;
    IF FOUND THEN
        PERFORM desk.note(NULL, 'revoked_key', 'key', _key_id, jsonb_build_object('by', _by));
    END IF;
    UPDATE desk.sessions s SET revoked_at = clock_timestamp() WHERE s.key_id = _key_id AND s.revoked_at IS NULL;
    RETURN EXISTS (SELECT FROM desk.api_keys k WHERE k.key_id = _key_id);
END $$;

-- Sign a service in by the digest of its key. One sentence whatever is wrong with it: nobody learns which keys there are.
CREATE FUNCTION desk.open_key_session(_sha256 bytea, OUT token text, OUT session_id bigint, OUT staff_id text, OUT role text,
                                      OUT team text, OUT expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _key desk.api_keys;
BEGIN
    SELECT k.* INTO _key FROM desk.api_keys k JOIN desk.staff p ON p.staff_id = k.staff_id
    WHERE k.key_sha256 = _sha256 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
        AND p.is_active AND p.role = k.role
    FOR SHARE OF k;  -- a key that is being revoked is waited for
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL891', 'This key is not valid: it is unknown, expired or revoked.');
    END IF;
    SELECT o.* INTO token, session_id, staff_id, role, team, expires_at FROM desk.open_session(_key.staff_id) o;
    UPDATE desk.sessions s
    SET key_id = _key.key_id, expires_at = least(s.expires_at, coalesce(_key.expires_at, s.expires_at))
    WHERE s.session_id = open_key_session.session_id RETURNING s.expires_at INTO expires_at;
    PERFORM desk.note((session_id, staff_id, role, team)::desk.person, 'signed_in', 'key', _key.key_id);
END $$;

-- requests -------------------------------------------------------------------------------------------------------------

-- A key of a request, and the digest of what was asked under it: the same again is answered again, anything else refused.
CREATE TABLE desk.api_requests (
    staff_id   text NOT NULL,
    key        uuid NOT NULL,
    act        text NOT NULL,
    sha256     bytea NOT NULL CHECK (length(sha256) = 32),
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (staff_id, key)
);

-- Claim a key for a request of mine; whether it is new.
CREATE FUNCTION desk.claim_request(_token text, _key uuid, _act text, _sha256 bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    INSERT INTO desk.api_requests (staff_id, key, act, sha256) VALUES (_me.staff_id, _key, _act, _sha256) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN true;
    ELSIF NOT EXISTS (SELECT FROM desk.api_requests r WHERE r.staff_id = _me.staff_id AND r.key = _key AND r.act = _act
                          AND r.sha256 = _sha256) THEN
        PERFORM desk.refuse('KL206', 'This key was used for another request; take a fresh one.');
    END IF;
    RETURN false;
END $$;

-- the telephone system's word ----------------------------------------------------------------------------------------------

-- The telephone system's wrap-up codes and what they mean here. The five outcomes themselves need no line.
CREATE TABLE desk.wrap_up_codes (
    code    text PRIMARY KEY CHECK (code = lower(btrim(code)) AND length(code) BETWEEN 1 AND 100),
    outcome text NOT NULL CHECK (outcome IN ('deflected', 'cancelled', 'resolved', 'call_back', 'dropped'))
);

-- Each event that was taken, once. sha256: of all it said.
CREATE TABLE desk.telephony_events (
    event_id    text PRIMARY KEY CHECK (length(event_id) BETWEEN 1 AND 128),
    sha256      bytea NOT NULL CHECK (length(sha256) = 32),
    case_id     uuid NOT NULL REFERENCES desk.cases,
    contact     text NOT NULL,                  -- the call's id in the telephone system
    wrap_up     text,
    ended_at    timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX telephony_events_case ON desk.telephony_events (case_id);

-- Keep which call of the telephone system an open case of mine is. The first one stays.
CREATE FUNCTION desk.keep_contact(_token text, _case uuid, _contact text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    UPDATE desk.cases c SET contact_id = _contact
    WHERE c.case_id = _case AND c.staff_id = _me.staff_id AND c.closed_at IS NULL AND c.contact_id IS NULL;
END $$;

-- The case an event is about: the one that bears the call's id, else the only one of the agent's that bears none and was
-- open within the last twelve hours.
CREATE FUNCTION desk.case_of_call(_contact text, _agent text, _ended_at timestamptz) RETURNS desk.cases LANGUAGE plpgsql AS $$
DECLARE
    _found desk.cases;
    _many  bigint;
BEGIN
    SELECT * INTO _found FROM desk.cases c WHERE c.contact_id = _contact ORDER BY c.opened_at DESC LIMIT 1 FOR UPDATE;
    IF FOUND THEN
        RETURN _found;
    ELSIF _agent IS NULL THEN
        PERFORM desk.refuse('KL882', 'No case bears this call’s id; say which agent had the call.');
    END IF;
    SELECT count(*) INTO _many
    FROM desk.cases c JOIN desk.staff s USING (staff_id)
    WHERE (s.staff_id = _agent OR lower(s.sign_in) = lower(_agent)) AND c.closed_at IS NULL AND c.contact_id IS NULL
        AND c.opened_at > clock_timestamp() - interval '12 hours' AND c.opened_at <= _ended_at + interval '5 minutes';
    IF _many = 0 THEN
        PERFORM desk.refuse('KL882', 'This agent has no open case that the call could be.');
    ELSIF _many > 1 THEN
        PERFORM desk.refuse('KL883', format('This agent has %s open cases; the call’s id must come with the screen pop.', _many));
    END IF;
    SELECT c.* INTO _found
    FROM desk.cases c JOIN desk.staff s USING (staff_id)
    WHERE (s.staff_id = _agent OR lower(s.sign_in) = lower(_agent)) AND c.closed_at IS NULL AND c.contact_id IS NULL
        AND c.opened_at > clock_timestamp() - interval '12 hours' AND c.opened_at <= _ended_at + interval '5 minutes'
    FOR UPDATE OF c;
    IF NOT FOUND THEN  -- another call took it a moment ago
        PERFORM desk.refuse('KL882', 'This agent has no open case that the call could be.');
    END IF;
    RETURN _found;
END $$;

-- The telephone system says a call has ended, with its wrap-up code or without: with one the case is closed, without the
-- call's end is noted and the agent closes. key: the case. The same event again changes nothing.
CREATE FUNCTION desk.end_call(_event text, _contact text, _agent text, _wrap_up text, _ended_at timestamptz) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _said    bytea := sha256(convert_to(jsonb_build_array(_contact, _agent, _wrap_up, extract(epoch FROM _ended_at))::text, 'UTF8'));
    _before  desk.telephony_events;
    _case    desk.cases;
    _outcome text;
    _now     timestamptz := clock_timestamp();
    _facts   text;
    _who     text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(_event, 32));
    SELECT * INTO _before FROM desk.telephony_events e WHERE e.event_id = _event;
    IF FOUND THEN
        IF _before.sha256 <> _said THEN
            PERFORM desk.refuse('KL881', 'This event’s id was used for another event.');
        END IF;
        RETURN ('replayed', NULL, NULL, NULL, NULL, _before.case_id, NULL, NULL)::desk.verdict;
    END IF;
    IF _ended_at > _now + interval '5 minutes' THEN
        PERFORM desk.refuse('KL885', 'The call would end in the future; mend the clock of the telephone system.');
    END IF;
    IF _wrap_up IS NOT NULL THEN
        SELECT coalesce((SELECT w.outcome FROM desk.wrap_up_codes w WHERE w.code = lower(btrim(_wrap_up))),
                        CASE WHEN lower(btrim(_wrap_up)) IN ('deflected', 'cancelled', 'resolved', 'call_back', 'dropped')
                             THEN lower(btrim(_wrap_up)) END)
        INTO _outcome;
        IF _outcome IS NULL THEN
            PERFORM desk.refuse('KL884', format('The wrap-up code “%s” means nothing here yet; `telephony code` gives it a meaning.',
                                                left(_wrap_up, 60)), '{}', 'an administrator');
        END IF;
    END IF;
    _case := desk.case_of_call(_contact, _agent, _ended_at);
    IF _ended_at < _case.opened_at - interval '5 minutes' THEN
        PERFORM desk.refuse('KL886', 'This call had ended before the case was opened; it belongs to an earlier one.');
    ELSIF _now > coalesce(_case.closed_at, _case.opened_at) + interval '12 hours' THEN
        PERFORM desk.refuse('KL886', 'This comes more than twelve hours late; the case stays as it is.');
    ELSIF _case.closed_at IS NOT NULL AND _outcome IS DISTINCT FROM _case.outcome AND _outcome IS NOT NULL THEN
        PERFORM desk.refuse('KL887', format('The case was closed as “%s” at %s UTC, and this says “%s”; nothing was changed.',
                                            coalesce(_case.outcome, 'not said'),
                                            to_char(_case.closed_at AT TIME ZONE 'UTC', 'HH24:MI'), _outcome));
    END IF;
    UPDATE desk.cases c
    SET contact_id = coalesce(c.contact_id, _contact), call_ended_at = coalesce(c.call_ended_at, _ended_at),
        wrap_up = coalesce(c.wrap_up, left(btrim(_wrap_up), 100)),
        closed_at = coalesce(c.closed_at, CASE WHEN _outcome IS NOT NULL THEN _now END),
        outcome = CASE WHEN c.closed_at IS NULL THEN _outcome ELSE c.outcome END,
        cancelled_at = CASE WHEN c.closed_at IS NULL AND _outcome = 'cancelled' THEN _now ELSE c.cancelled_at END
    WHERE c.case_id = _case.case_id;
    INSERT INTO desk.telephony_events (event_id, sha256, case_id, contact, wrap_up, ended_at)
    VALUES (_event, _said, _case.case_id, _contact, left(btrim(_wrap_up), 100), _ended_at);
    PERFORM desk.note((NULL, _case.staff_id, NULL, NULL)::desk.person, 'call_ended', 'case', _case.case_id::text,
                      jsonb_build_object('event', _event, 'outcome', _outcome));
    RETURN desk.done(_case.case_id::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('end_call', '', jsonb_build_object('event', _event, 'contact', _contact, 'agent', _agent,
                        'wrap_up', _wrap_up, 'ended_at', _ended_at), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- Close the open cases whose call came back as a row of crm.contacts, ended: resolved where the row says so, else without an
-- outcome. The row is the case's by the call's id, else by agent, customer and time, when there is only one. _after: how long the
-- call must be over, which leaves the agent time to say how it ended; below zero, for clocks that differ. A row each.
CREATE FUNCTION desk.close_by_contacts(_after interval)
    RETURNS TABLE (case_id uuid, contact_id text, outcome text, sentence text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _found record;
BEGIN
    FOR _found IN
        SELECT c.case_id, c.staff_id, count(*) AS many, max(k.contact_id) AS contact_id, bool_and(k.is_resolved) AS is_resolved,
               max(k.ended_at) AS ended_at
        FROM desk.cases c
        JOIN crm.contacts k ON k.ended_at <= clock_timestamp() - _after AND k.customer_id = c.customer_id AND CASE
            -- An id that had ended before the case was opened is that of an earlier call, taken along in an old address.
            WHEN c.contact_id IS NOT NULL THEN k.contact_id = c.contact_id AND k.ended_at >= c.opened_at - interval '5 minutes'
            ELSE k.agent_id = c.staff_id AND c.opened_at BETWEEN k.started_at - interval '5 minutes' AND k.ended_at
                 AND NOT EXISTS (SELECT FROM desk.cases o WHERE o.contact_id = k.contact_id) END
        WHERE c.closed_at IS NULL AND c.opened_at > clock_timestamp() - interval '7 days'
        GROUP BY c.case_id, c.staff_id ORDER BY c.case_id
    LOOP
        case_id := _found.case_id;
        contact_id := CASE WHEN _found.many = 1 THEN _found.contact_id END;
        outcome := CASE WHEN _found.many = 1 AND _found.is_resolved THEN 'resolved' END;
        sentence := CASE WHEN _found.many = 1 THEN 'closed' ELSE format('%s calls could be this one; it stays open', _found.many) END;
        IF _found.many = 1 THEN
            UPDATE desk.cases c
            SET closed_at = clock_timestamp(), outcome = close_by_contacts.outcome, contact_id = _found.contact_id,
                call_ended_at = coalesce(c.call_ended_at, _found.ended_at)
            WHERE c.case_id = _found.case_id AND c.closed_at IS NULL;
            CONTINUE WHEN NOT FOUND;  -- somebody closed it meanwhile
            PERFORM desk.note((NULL, _found.staff_id, NULL, NULL)::desk.person, 'call_ended', 'case', _found.case_id::text,
                              jsonb_build_object('contact', _found.contact_id, 'outcome', outcome));
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;

-- out to billing -------------------------------------------------------------------------------------------------------

-- One row for each entry of the ledger, written with it by a trigger: neither is there without the other. Readers go by
-- position, which is given afterwards and in the order rows became visible, so that "after the last I saw" misses none.
CREATE TABLE desk.outbox (
    entry_id     bigint PRIMARY KEY,            -- of desk.ledger
    event_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    position     bigint,                        -- NULL: not yet numbered
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead', 'skipped')),
    attempts     smallint NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL DEFAULT now(), -- not tried before
    delivered_at timestamptz,
    last_error   text,
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX outbox_waiting ON desk.outbox (position) WHERE state = 'waiting';
CREATE UNIQUE INDEX outbox_position ON desk.outbox (position) WHERE position IS NOT NULL;
ALTER TABLE desk.outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY book ON desk.outbox FOR SELECT TO keepline_leader, keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.outbox TO keepline_batch USING (true);

CREATE FUNCTION desk.put_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO desk.outbox (entry_id) VALUES (NEW.entry_id);
    RETURN NULL;
END $$;
CREATE TRIGGER put_out AFTER INSERT ON desk.ledger FOR EACH ROW EXECUTE FUNCTION desk.put_out();
ALTER TABLE desk.ledger ENABLE ALWAYS TRIGGER put_out;

-- Number what became visible since the last time; how many. One at a time, so that a later number is never seen first.
CREATE FUNCTION desk.number_outbox() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _rows bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7305132);
    UPDATE desk.outbox o SET position = n.position
    FROM (SELECT w.entry_id, row_number() OVER (ORDER BY w.entry_id)
                 + coalesce((SELECT max(p.position) FROM desk.outbox p WHERE p.position IS NOT NULL), 0) AS position
          FROM desk.outbox w WHERE w.state = 'waiting' AND w.position IS NULL) n
    WHERE o.entry_id = n.entry_id;
    GET DIAGNOSTICS _rows = ROW_COUNT;
    RETURN _rows;
END $$;

-- Send again what was given up: one entry, or with NULL everything. facts: how many rows. Where nothing is given up (any more)
-- nothing changes.
CREATE FUNCTION desk.send_again(_token text, _entry bigint) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me      desk.person;
    _entries bigint[];
    _facts   text;
    _who     text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'finance');
    WITH again AS (
        UPDATE desk.outbox o SET state = 'waiting', attempts = 0, next_at = clock_timestamp()
        WHERE o.state = 'dead' AND (_entry IS NULL OR o.entry_id = _entry) RETURNING o.entry_id)
    SELECT coalesce(array_agg(a.entry_id ORDER BY a.entry_id), '{}') INTO _entries FROM again a;
    IF _entries <> '{}' THEN
        PERFORM desk.note(_me, 'sent_again', 'billing', coalesce('entry:' || _entry, 'all'), jsonb_build_object('entries', _entries));
    END IF;
    RETURN (CASE WHEN _entries = '{}' THEN 'replayed' ELSE 'done' END, NULL, NULL, jsonb_build_object('rows', cardinality(_entries)),
            NULL, NULL, NULL, NULL)::desk.verdict;
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('send_again', _token, jsonb_build_object('entry', _entry), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- What of an entry billing is told. Amounts in minor units; corrects: the entry it takes back.
CREATE VIEW desk.outbox_events AS
    SELECT o.position, o.event_id, 'concession.' || CASE l.kind WHEN 'grant' THEN 'granted' WHEN 'reversal' THEN 'reversed'
                                                     ELSE 'clawed_back' END AS type,
           l.entry_id, l.reverses AS corrects, l.decision_id AS reference, l.customer_id AS account, l.instrument, l.amount,
           l.currency::text AS currency, l.months, l.schedule, l.booked_on, l.given_at, l.recorded_at,
           o.state, o.attempts, o.next_at, o.last_error
    FROM desk.outbox o JOIN desk.ledger l USING (entry_id)
    WHERE o.position IS NOT NULL;

-- Bookings billing sends back through the API: taken like a file of theirs, once for each key. facts: what became of the rows.
CREATE FUNCTION desk.take_bookings(_token text, _key uuid, _bookings jsonb) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me    desk.person;
    _name  text;
    _file  desk.billing_files;
    _twice integer[];
    _aside integer;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'finance');
    PERFORM pg_advisory_xact_lock(7305117);  -- one import at a time
    _name := format('%s %s', _me.staff_id, _key);
    SELECT * INTO _file FROM desk.billing_files f WHERE f.sha256 = encode(sha256(convert_to(_name, 'UTF8')), 'hex');
    IF NOT FOUND THEN
        SELECT coalesce(array_agg(t.line), '{}') INTO _twice
        FROM (SELECT r.line, r.key, row_number() OVER (PARTITION BY r.key ORDER BY r.line) AS nth
              FROM jsonb_to_recordset(_bookings) AS r (line integer, key text, fault text) WHERE r.fault IS NULL) t
        WHERE t.nth > 1 OR EXISTS (SELECT FROM desk.billing_applied a WHERE a.billing_key = t.key);
        SELECT count(*) INTO _aside FROM jsonb_to_recordset(_bookings) AS r (line integer, fault text)
        WHERE r.fault IS NOT NULL OR r.line = ANY (_twice);
        INSERT INTO desk.billing_files (name, sha256, rows_read, rows_accepted, rows_set_aside)
        VALUES (_name, encode(sha256(convert_to(_name, 'UTF8')), 'hex'), jsonb_array_length(_bookings),
                jsonb_array_length(_bookings) - _aside, _aside)
        RETURNING * INTO _file;
        INSERT INTO desk.billing_set_aside (file_id, line, reason)
        SELECT _file.file_id, r.line, coalesce(r.fault, 'Billing’s number was taken in before.')
        FROM jsonb_to_recordset(_bookings) AS r (line integer, fault text) WHERE r.fault IS NOT NULL OR r.line = ANY (_twice);
        INSERT INTO desk.billing_applied (file_id, line, applied_on, customer_id, entry_id, reference, billing_key, amount, currency)
        SELECT _file.file_id, b.line, b.applied_on, b.account,
               coalesce(b.entry_id, (SELECT l.entry_id FROM desk.ledger l WHERE l.decision_id = b.reference AND l.kind = 'grant')),
               coalesce(b.reference::text, ''), b.key, b.amount, b.currency
        FROM jsonb_to_recordset(_bookings) AS b (line integer, key text, applied_on date, account text, entry_id bigint,
                                                 reference uuid, amount bigint, currency text)
        WHERE NOT EXISTS (SELECT FROM desk.billing_set_aside s WHERE s.file_id = _file.file_id AND s.line = b.line);
        PERFORM desk.note(_me, 'took_in', 'billing', _name, jsonb_build_object('rows', _file.rows_read, 'set_aside', _aside));
    END IF;
    RETURN ('done', NULL, NULL, jsonb_build_object(
        'taken', _file.rows_accepted,
        'set_aside', (SELECT coalesce(jsonb_agg(jsonb_build_object('line', s.line, 'reason', s.reason) ORDER BY s.line), '[]')
                      FROM desk.billing_set_aside s WHERE s.file_id = _file.file_id)),
        NULL, _file.file_id, NULL, NULL)::desk.verdict;
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('take_bookings', _token, jsonb_build_object('key', _key), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- For billing systems that read rather than are told: everything granted and taken back, in the order it became visible.
CREATE VIEW report.outbox AS
    SELECT e.position, e.event_id, e.type, e.entry_id, e.corrects, e.reference, e.account, e.instrument,
           e.amount AS amount_minor, report.in_units(e.amount, e.currency) AS amount, e.currency, e.months, e.schedule,
           e.booked_on, e.given_at, e.recorded_at
    FROM desk.outbox_events e;

RESET ROLE;
