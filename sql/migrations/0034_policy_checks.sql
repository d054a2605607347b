-- A draft is published only when the desk itself has run its checks over exactly that content for that day, and found
-- nothing: whoever calls the function past the pages is refused too.

SET ROLE keepline_owner;

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
CREATE OR REPLACE FUNCTION desk.publish_policy(_token text, _version bigint, _from timestamptz) RETURNS desk.verdict
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
