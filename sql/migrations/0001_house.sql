-- The four schemas, the tables an import fills, and the desk's first own tables.
--   feed   what files brought in (or the simulated company wrote): plain tables
--   crm    the data contract: views that only rename and cast; Keepline reads nothing else of the company
--   desk   Keepline's own tables
--   truth  what only the simulator knows; no role that trains, scores or serves may read it

CREATE SCHEMA feed;
CREATE SCHEMA crm;
CREATE SCHEMA desk;
CREATE SCHEMA truth;

-- feed ---------------------------------------------------------------------------------------------------------------

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

-- crm: the data contract ---------------------------------------------------------------------------------------------

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

-- desk ---------------------------------------------------------------------------------------------------------------

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
    is_active boolean NOT NULL DEFAULT true
);

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

CREATE FUNCTION desk.fold(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN regexp_replace(
        translate(lower(regexp_replace(normalize(name, NFKD), '[\u0300-\u036f]', '', 'g')), 'øłđðþı’''', 'olddti'),
        '[^[:alnum:]]+', ' ', 'g');

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
    survival_version bigint REFERENCES desk.model_versions
);
CREATE INDEX scores_risk ON desk.scores (p_churn DESC);

-- A caller on somebody's screen, from the first second to the outcome.
CREATE TABLE desk.cases (
    case_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    staff_id    text NOT NULL,
    customer_id text NOT NULL,
    opened_at   timestamptz NOT NULL DEFAULT now(),
    opened_by   text NOT NULL,                  -- ani, caller, account, contact or search
    closed_at   timestamptz
);
CREATE INDEX cases_staff ON desk.cases (staff_id, opened_at DESC);
