-- Who came to cancel can be narrowed to plans, regions, segments and tenures, as churn can.

-- How long somebody has been a customer, as pages tell it apart. NULL: not known.
CREATE FUNCTION desk.tenure_band(_days integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN _days < 183 THEN 'under 6 months'
                WHEN _days < 365 THEN '6 to 12 months'
                WHEN _days < 731 THEN '1 to 2 years'
                WHEN _days < 1826 THEN '2 to 5 years'
                WHEN _days >= 1826 THEN '5 years and more' END
$$;
REVOKE ALL ON FUNCTION desk.tenure_band FROM PUBLIC;

-- What was added up stays, of everybody together, until the next night adds all of it up by group.
CREATE TEMPORARY TABLE trend_saves_before ON COMMIT DROP AS
    SELECT month, window_days, sum(came) AS came, sum(deflected) AS deflected, sum(is_over) AS is_over, sum(saved) AS saved
    FROM desk.trend_saves GROUP BY month, window_days;
DROP TABLE desk.trend_saves;
CREATE TABLE desk.trend_saves (
    month       date NOT NULL,
    plan        text,
    region      text,
    segment     text,
    tenure      text,
    window_days integer NOT NULL,
    came        bigint NOT NULL,
    deflected   bigint NOT NULL,
    is_over     bigint NOT NULL,
    saved       bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (month, plan, region, segment, tenure, window_days),
    CHECK (num_nulls(plan, region, segment, tenure) IN (0, 4)),
    CHECK (deflected <= came AND is_over <= came AND saved <= is_over)
);
INSERT INTO desk.trend_saves (month, window_days, came, deflected, is_over, saved)
SELECT month, window_days, came, deflected, is_over, saved FROM trend_saves_before;
