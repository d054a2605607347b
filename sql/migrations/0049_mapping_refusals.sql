-- Refusals of mappings get codes of their own: KL88x are the telephone system's.
-- SQLSTATEs: KL81x mappings of a company's own tables

SET ROLE keepline_owner;

-- Look at a mapping: its views in proposed, for whoever then rolls back. An administrator's act.
CREATE OR REPLACE FUNCTION desk.propose_mapping(_mapping_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM desk.require_role(desk.me(), 'administrator');
    IF NOT EXISTS (SELECT FROM desk.mappings m WHERE m.mapping_id = _mapping_id) THEN
        PERFORM desk.refuse('KL811', 'There is no such mapping.');
    END IF;
    PERFORM desk.hang_views(_mapping_id, 'proposed');
END $$;

-- Hang a mapping's views in crm, or the feed's own again, and write it down. The company lives from now on, or is again
-- what it was before. Without a person: by a command on the host, which takes the installing login.
CREATE OR REPLACE FUNCTION desk.move_mapping(_me desk.person, _by text, _mapping_id bigint, _reason text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _before  jsonb;
    _current bigint;
    _title   text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('move_mapping', 35));
    SELECT jsonb_build_object('source', c.source, 'data_until', c.data_until) INTO _before FROM desk.company c;
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL815', 'Say first whose company this is: its name, time zone, currency and telephone region.');
    END IF;
    SELECT m.title INTO _title FROM desk.mappings m WHERE m.mapping_id = _mapping_id;
    IF _mapping_id IS NOT NULL AND NOT FOUND THEN
        PERFORM desk.refuse('KL811', 'There is no such mapping.');
    ELSIF coalesce(btrim(_reason), '') = '' THEN
        PERFORM desk.refuse('KL814', 'Say in a few words why.');
    END IF;
    SELECT v.mapping_id, coalesce(CASE WHEN v.mapping_id IS NOT NULL THEN v.before END, _before) INTO _current, _before
    FROM (SELECT) one LEFT JOIN (SELECT * FROM desk.mapping_moves ORDER BY move_id DESC LIMIT 1) v ON true;
    IF _current IS NOT DISTINCT FROM _mapping_id AND to_regclass('crm.customers') IS NOT NULL
        AND to_regclass('crm.subscriptions') IS NOT NULL AND to_regclass('crm.contacts') IS NOT NULL THEN
        PERFORM desk.refuse('KL813', CASE WHEN _mapping_id IS NULL THEN 'The views are the feed''s own already.'
                                          ELSE 'This mapping is in force already.' END);
    END IF;
    PERFORM desk.hang_views(_mapping_id, 'crm');
    UPDATE desk.company SET updated_at = clock_timestamp(),
        source = CASE WHEN _mapping_id IS NULL THEN _before ->> 'source' ELSE 'views' END,
        data_until = CASE WHEN _mapping_id IS NULL THEN (_before ->> 'data_until')::timestamptz END;
    INSERT INTO desk.mapping_moves (mapping_id, staff_id, moved_by, reason, before)
    VALUES (_mapping_id, (_me).staff_id, _by, left(btrim(_reason), 500), _before);
    PERFORM desk.make_reading_views();
    PERFORM desk.note(_me, CASE WHEN _mapping_id IS NULL THEN 'took_back' ELSE 'applied' END, 'mapping',
                      coalesce(_mapping_id, _current)::text,
                      jsonb_build_object('title', _title, 'was', _current, 'by', _by, 'reason', left(btrim(_reason), 500)));
    RETURN coalesce(_mapping_id, _current);
END $$;

-- The same by an administrator, who names the digest of what they have read. Without a mapping: back to the feed's own.
CREATE OR REPLACE FUNCTION desk.apply_mapping(_token text, _mapping_id bigint, _sha256 text, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'administrator');
    IF EXISTS (SELECT FROM desk.mappings m WHERE m.mapping_id = _mapping_id AND m.sha256 IS DISTINCT FROM _sha256) THEN
        PERFORM desk.refuse('KL812', 'This is not the mapping you have read; look at it again.');
    END IF;
    RETURN desk.done(desk.move_mapping(_me, _me.staff_id, _mapping_id, _reason)::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('apply_mapping', _token, jsonb_build_object('mapping_id', _mapping_id), SQLSTATE, SQLERRM, _facts, _who);
END $$;

RESET ROLE;
