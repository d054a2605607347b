-- Can the models be trusted, and is today's data sound: how the customers a model learned from were spread over each
-- column and how today's are, what the trial's arms came to, every night's profile of the data, promotion by a person.
--
-- SQLSTATEs: KL87x models

-- How training's customers fell into bins, a row a column, and one for the model's own chances on customers it had not seen.
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
