-- Curves and cohorts can be narrowed to plans, regions and segments, and the list behind their marks is of the same people.
-- Aggregates only: what there was goes, and the next night adds up all of it.

TRUNCATE desk.trend_state, desk.trend_months, desk.trend_leavers;

DROP TABLE desk.trend_tenures;
CREATE TABLE desk.trend_tenures (
    cut     text NOT NULL CHECK (cut IN ('all', 'cohort', 'joined', 'reason')),
    value   text NOT NULL,
    plan    text,
    region  text,
    segment text,
    day            integer[] NOT NULL,
    entered        integer[] NOT NULL,
    left_by_choice integer[] NOT NULL,
    removed        integer[] NOT NULL,
    UNIQUE NULLS NOT DISTINCT (cut, value, plan, region, segment),
    CHECK (cardinality(day) > 0 AND 0 <= ALL (day) AND cardinality(entered) = cardinality(day)
           AND cardinality(left_by_choice) = cardinality(day) AND cardinality(removed) = cardinality(day))
);

ALTER TABLE desk.trend_leavers
    ADD COLUMN was_live boolean NOT NULL,
    ADD COLUMN first_plan text,
    ADD COLUMN landmark_reason text,
    DROP CONSTRAINT trend_leavers_pkey,
    ADD PRIMARY KEY (month, customer_id, left_on);
