-- Trends and team: what the nightly job adds up, so that pages read aggregates only.
--
-- Months hold whole customers, counted; tenures hold days of tenure with who came under observation and who left. A few
-- lists hold customers by key, for the way from a mark in a picture to the people behind it: no name, no number, no text.

-- trends ---------------------------------------------------------------------------------------------------------------

-- When everything below was made, and since when the company's records tell who left.
CREATE TABLE desk.trend_state (
    is_only      boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    as_of        timestamptz NOT NULL,
    since_on     date,                          -- NULL: a flat file, observed from the first day of each customer
    landmark_on  date,                          -- reasons are those before this day; NULL: there is none
    refreshed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

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
    PRIMARY KEY (month, customer_id)
);

-- A survival table a group: by day of tenure who came under observation, who left by choice, and who was seen no longer.
CREATE TABLE desk.trend_tenures (
    cut     text NOT NULL CHECK (cut IN ('all', 'plan', 'region', 'segment', 'cohort', 'joined', 'reason')),
    value   text NOT NULL,
    day     integer NOT NULL CHECK (day >= 0),  -- for reasons days since the landmark, else since they joined
    entered integer NOT NULL CHECK (entered >= 0),
    left_by_choice integer NOT NULL CHECK (left_by_choice >= 0),
    removed integer NOT NULL CHECK (removed >= left_by_choice),
    PRIMARY KEY (cut, value, day)
);

-- What became of callers who came to cancel, by month of the call and window.
CREATE TABLE desk.trend_saves (
    month          date NOT NULL,
    contact_reason text NOT NULL,
    window_days    integer NOT NULL,
    came           bigint NOT NULL,
    deflected      bigint NOT NULL,             -- did not cancel on the call
    is_over        bigint NOT NULL,             -- whose window is over and who were not cut off and did not move in it
    saved          bigint NOT NULL CHECK (saved <= is_over),
    PRIMARY KEY (month, contact_reason, window_days)
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
