-- What the desk learns of itself: settled cases without a name, runs of scoring, and what supervisors have used.

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
    -- Where the case lies, each in its own standard deviation (churn.core.similar); NULL: not known.
    at_tenure      real,
    at_bill        real,
    at_risk        real,
    at_worth       real,
    CHECK ((instrument IS NULL) = (amount = 0))
);
CREATE INDEX past_cases_near ON desk.past_cases (contact_reason, at_bill);

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
    survival_version bigint REFERENCES desk.model_versions
);
INSERT INTO desk.scoring_runs (as_of, customers, mean_risk, risk_version, survival_version)
SELECT max(as_of), count(*), avg(p_churn), max(risk_version), max(survival_version) FROM desk.scores HAVING count(*) > 0;

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

RESET ROLE;
