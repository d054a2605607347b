-- Finance sees what goes out to billing and has sent again what was given up; cases are closed by contact rows every minute.

SET ROLE keepline_owner;

ALTER TABLE desk.outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY book ON desk.outbox FOR SELECT TO keepline_leader, keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.outbox TO keepline_batch USING (true);

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

DROP FUNCTION desk.close_by_contacts();

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

RESET ROLE;
