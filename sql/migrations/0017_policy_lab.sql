-- The policy lab: the owner's cases, kept with the version they are about, and past calls that a draft is replayed over.

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
    -- float32, little-endian, one after the other (churn.core.replay_log.CURVES): read at once, not number by number
    curves          bytea NOT NULL
);
CREATE INDEX replay_calls_day ON desk.replay_calls (called_on);

ALTER TABLE desk.replay_calls ENABLE ROW LEVEL SECURITY;
CREATE POLICY book ON desk.replay_calls FOR SELECT TO keepline_leader, keepline_finance
    USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.replay_calls TO keepline_batch USING (true);
