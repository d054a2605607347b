-- Ready mappings: a company's own tables read through views that somebody reviewed, hung in crm by a role of its own.

-- Where a mapping's views are made to be looked at; empty but within a transaction that is rolled back.
CREATE SCHEMA proposed;
GRANT USAGE ON SCHEMA crm, proposed, feed, desk TO keepline_mapper;
GRANT CREATE ON SCHEMA crm, proposed TO keepline_mapper;
GRANT SELECT ON ALL TABLES IN SCHEMA feed TO keepline_mapper;
GRANT SELECT ON desk.company TO keepline_mapper;


-- crm's shipped views go to the role that replaces them. Views a company wrote itself stay whose they are.
DO $$
DECLARE
    _name text;
BEGIN
    FOR _name IN
        SELECT DISTINCT c.relname FROM pg_class c
        JOIN pg_rewrite r ON r.ev_class = c.oid
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'v' AND d.refobjid = to_regclass('feed.' || quote_ident(c.relname))
    LOOP
        EXECUTE format('ALTER VIEW crm.%I OWNER TO keepline_mapper', _name);
    END LOOP;
END
$$;

SET ROLE keepline_owner;

-- A telephone number as E.164, NULL where it is none. _prefix: '+44' and the like, for numbers in national format; ''
-- leaves those out. A mapping's views call it, so it has to be quick and the same for everybody.
CREATE FUNCTION desk.e164(_number text, _prefix text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT CASE WHEN w.whole ~ '^\+[1-9][0-9]{6,14}$' THEN w.whole END
            FROM (SELECT regexp_replace(regexp_replace(regexp_replace(
                             _number, '\(0\)|[[:alpha:];,].*$', '', 'g'), '[^0-9+]', '', 'g'), '^00', '+') AS digits) d,
                 LATERAL (SELECT CASE WHEN d.digits LIKE '+%' THEN d.digits
                                      WHEN _prefix = '+1' AND d.digits ~ '^1[0-9]{10}$' THEN '+' || d.digits
                                      WHEN _prefix ~ '^\+[1-9][0-9]{0,3}$' THEN _prefix || ltrim(d.digits, '0') END AS whole) w);

-- Mappings that somebody with the installing login has read and put here: exactly this text is what a page may use.
CREATE TABLE desk.mappings (
    mapping_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title         text NOT NULL CHECK (title <> ''),
    chosen        jsonb NOT NULL,               -- sources with their schemas, keys and other parameters
    views         text[] NOT NULL,              -- of the contract; the others are the feed's
    statement     text NOT NULL CHECK (statement <> ''),
    sha256        text NOT NULL UNIQUE,         -- of the statement
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    registered_by text NOT NULL                 -- the account on the host
);
CALL desk.make_append_only('desk.mappings');

-- What crm's views were, one row a change; the newest is in force.
CREATE TABLE desk.mapping_moves (
    move_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mapping_id bigint REFERENCES desk.mappings, -- NULL: the feed's own views
    moved_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    staff_id   text,                            -- NULL: by a command on the host
    moved_by   text NOT NULL,
    reason     text NOT NULL CHECK (reason <> ''),
    before     jsonb NOT NULL                   -- the company's source and data_until before any mapping
);
CALL desk.make_append_only('desk.mapping_moves');

-- Put a mapping here, once; its key. Nobody is given this function: it takes the installing login.
CREATE FUNCTION desk.register_mapping(_title text, _chosen jsonb, _views text[], _statement text, _by text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _sha256 text := encode(sha256(convert_to(_statement, 'UTF8')), 'hex');
    _key    bigint;
BEGIN
    SELECT m.mapping_id INTO _key FROM desk.mappings m WHERE m.sha256 = _sha256;
    IF NOT FOUND THEN
        INSERT INTO desk.mappings (title, chosen, views, statement, sha256, registered_by)
        VALUES (_title, _chosen, _views, _statement, _sha256, _by) RETURNING mapping_id INTO _key;
        PERFORM desk.note(NULL, 'registered', 'mapping', _key::text,
                          jsonb_build_object('title', _title, 'sha256', _sha256, 'by', _by));
    END IF;
    RETURN _key;
END $$;

RESET ROLE;

-- keepline_mapper owns nothing but crm's views and this one function; it reads what it was granted for a mapping.
GRANT SELECT ON desk.mappings TO keepline_mapper;
GRANT CREATE ON SCHEMA desk TO keepline_mapper;
SET ROLE keepline_mapper;

-- Make the feed's own views, and over them a mapping's, in crm or, to look at, in proposed. NULL: the feed's alone.
CREATE FUNCTION desk.hang_views(_mapping_id bigint, _schema text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _views constant text[] := ARRAY['customers', 'subscriptions', 'contacts', 'invoices', 'usage', 'change_events', 'concessions'];
    _statement text;
    _name      text;
BEGIN
    IF _schema IS NULL OR _schema NOT IN ('crm', 'proposed') THEN
        RAISE EXCEPTION 'Views are made in crm and proposed only.';
    END IF;
    PERFORM set_config('search_path', _schema || ', pg_catalog, pg_temp', true);
    -- Of the same columns and types as every mapping's: a view is replaced where it hangs, and what reads it stays.
    CREATE OR REPLACE VIEW customers AS
        SELECT customer_id, name, phone, email, joined_on, segment, region, language, currency,
               is_vulnerable, is_do_not_offer, attributes
        FROM feed.customers;
    CREATE OR REPLACE VIEW subscriptions AS
        SELECT subscription_id, customer_id, product, plan, started_on, term_ends_on, ended_on, end_reason,
               monthly_price, monthly_margin
        FROM feed.subscriptions;
    CREATE OR REPLACE VIEW invoices AS
        SELECT invoice_id, customer_id, issued_on, due_on, paid_on, amount FROM feed.invoices;
    CREATE OR REPLACE VIEW contacts AS
        SELECT contact_id, customer_id, started_at, ended_at, channel, direction, queue, reason, agent_id,
               is_resolved, is_escalated, csat, notes
        FROM feed.contacts;
    CREATE OR REPLACE VIEW usage AS
        SELECT customer_id, month, measure, quantity FROM feed.usage;
    CREATE OR REPLACE VIEW change_events AS
        SELECT event_id, owner_department, kind, title, starts_at, ends_at, audience_size, what_to_say,
               region, product, plan
        FROM feed.change_events;
    CREATE OR REPLACE VIEW concessions AS
        SELECT concession_id, customer_id, contact_id, agent_id, given_at, instrument, amount, months,
               intended_amount, propensity
        FROM feed.concessions;
    FOR _name IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = _schema::regnamespace AND c.relkind = 'v' AND c.relowner = 'keepline_mapper'::regrole
            AND c.relname <> ALL (_views)
    LOOP
        EXECUTE format('DROP VIEW IF EXISTS %I.%I CASCADE', _schema, _name);  -- an earlier mapping's own, read by nothing now
    END LOOP;
    IF _mapping_id IS NOT NULL THEN
        SELECT m.statement INTO STRICT _statement FROM desk.mappings m WHERE m.mapping_id = _mapping_id;
        EXECUTE _statement;
    END IF;
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO keepline_batch, keepline_owner', _schema);
END $$;
REVOKE ALL ON FUNCTION desk.hang_views FROM PUBLIC;
GRANT EXECUTE ON FUNCTION desk.hang_views TO keepline_owner;

RESET ROLE;
REVOKE CREATE ON SCHEMA desk FROM keepline_mapper;
SET ROLE keepline_owner;

-- Look at a mapping: its views in proposed, for whoever then rolls back. An administrator's act.
CREATE FUNCTION desk.propose_mapping(_mapping_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM desk.require_role(desk.me(), 'administrator');
    IF NOT EXISTS (SELECT FROM desk.mappings m WHERE m.mapping_id = _mapping_id) THEN
        PERFORM desk.refuse('KL811', 'There is no such mapping.');
    END IF;
    PERFORM desk.hang_views(_mapping_id, 'proposed');
END $$;

-- Some rows of a proposed view, masked as an administrator reads them: of a name the initials, that there is a number.
CREATE FUNCTION desk.proposed_rows(_view text, _most integer) RETURNS SETOF jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM desk.require_role(desk.me(), 'administrator');
    IF _view <> ALL (ARRAY['customers', 'subscriptions', 'contacts', 'invoices', 'usage', 'change_events', 'concessions']) THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format('SELECT %s FROM (SELECT * FROM proposed.%I v %s LIMIT $1) t',
        CASE _view
        WHEN 'customers' THEN 'to_jsonb(t) || jsonb_build_object(''name'', desk.masked_name(t.name), '
            '''phone'', CASE WHEN t.phone <> '''' THEN ''there is one'' END, '
            '''email'', CASE WHEN t.email <> '''' THEN ''there is one'' END, '
            '''attributes'', (SELECT coalesce(jsonb_object_agg(e.key, e.value), ''{}'') FROM jsonb_each(t.attributes) e '
            'WHERE jsonb_typeof(e.value) IN (''number'', ''boolean'')))'
        WHEN 'contacts' THEN 'to_jsonb(t) || jsonb_build_object(''notes'', CASE WHEN t.notes <> '''' THEN ''there are some'' END)'
        ELSE 'to_jsonb(t)' END,
        _view,
        CASE _view WHEN 'change_events' THEN ''
        ELSE 'WHERE NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = v.customer_id)' END)
        USING least(greatest(_most, 0), 100);
END $$;

-- Hang a mapping's views in crm, or the feed's own again, and write it down. The company lives from now on, or is again
-- what it was before. Without a person: by a command on the host, which takes the installing login.
CREATE FUNCTION desk.move_mapping(_me desk.person, _by text, _mapping_id bigint, _reason text) RETURNS bigint
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
CREATE FUNCTION desk.apply_mapping(_token text, _mapping_id bigint, _sha256 text, _reason text) RETURNS desk.verdict
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
