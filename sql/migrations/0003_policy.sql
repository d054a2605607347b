-- Policy as rows: who may give what, from when, and why. Nothing here is computed; the core matches a case against it.
--
-- A version is drafted by one person, published by another, and never changes afterwards: what a receipt cites is what
-- was in force. Which version is in force is a question of dates only.

GRANT USAGE, CREATE ON SCHEMA desk TO keepline_owner;
GRANT SELECT ON desk.company, desk.staff, desk.cases TO keepline_owner;
GRANT REFERENCES ON desk.cases TO keepline_owner;

SET LOCAL ROLE keepline_owner;

-- Before the first function exists: nobody may run one unless told so in grants.sql.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- house rules shared by policy and ledger ------------------------------------------------------------------------------

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

-- Minor units as people read them: 3550 GBP is 35.50 GBP, 3550 JPY is 3550 JPY. The lists are churn.core.money's.
CREATE FUNCTION desk.in_words(_amount bigint, _currency text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE
        WHEN _currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF',
                           'XOF', 'XPF') THEN _amount::text
        WHEN _currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN round(_amount / 1000.0, 3)::text
        ELSE round(_amount / 100.0, 2)::text
    END || ' ' || _currency;

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

-- versions -------------------------------------------------------------------------------------------------------------

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

RESET ROLE;
