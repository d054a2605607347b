-- Who may read which rows, who looked at whom, and a chain of seals over what was written down.
--
-- A transaction says who acts: SET LOCAL ROLE, and the session's token in keepline.token. Policies and functions ask
-- desk.session_person() who holds it: a setting alone is worth nothing to whoever does not know somebody's token.
--
--   caller   agents and supervisors: the contract's tables, only of customers they have on the line
--   masked   leaders, finance, analysts, administrators: everybody, but nothing that says who somebody is
--
-- SQLSTATEs: KL7xx reading

-- people ---------------------------------------------------------------------------------------------------------------

ALTER TABLE desk.staff ADD COLUMN sign_in text CHECK (sign_in <> '');   -- e-mail or subject their provider knows them by
CREATE UNIQUE INDEX staff_sign_in ON desk.staff (lower(sign_in));
GRANT SELECT, INSERT, UPDATE ON desk.staff TO keepline_owner;
GRANT SELECT, INSERT, UPDATE ON desk.cases TO keepline_owner;
GRANT SELECT ON desk.directory TO keepline_owner;
GRANT USAGE ON SCHEMA crm TO keepline_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO keepline_owner;

CREATE SCHEMA caller AUTHORIZATION keepline_owner;
CREATE SCHEMA masked AUTHORIZATION keepline_owner;

SET LOCAL ROLE keepline_owner;

ALTER TABLE desk.sessions ADD COLUMN signed_in_at timestamptz; -- by their provider; NULL: local mode

-- Who holds the token of this transaction, with role and team as they are now; NULL when nobody does, or no longer.
CREATE FUNCTION desk.session_person() RETURNS desk.person
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT (s.session_id, s.staff_id, p.role, p.team)::desk.person
    FROM desk.sessions s JOIN desk.staff p ON p.staff_id = s.staff_id
    WHERE s.token_sha256 = sha256(convert_to(current_setting('keepline.token', true), 'UTF8'))
        AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
        AND s.last_seen_at > clock_timestamp() - interval '30 minutes' AND p.is_active AND p.role = s.role
$$;

-- The same for acts: refuses when nobody holds it.
CREATE FUNCTION desk.me() RETURNS desk.person LANGUAGE sql
    RETURN desk.who(coalesce(current_setting('keepline.token', true), ''));

-- Whose key I am, where I act in one of these roles; NULL else.
CREATE FUNCTION desk.my_id(VARIADIC _roles text[]) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT (p).staff_id FROM desk.session_person() p WHERE (p).role = ANY (_roles)
$$;

-- The teams a supervisor looks after: their own, and those they stand in for.
CREATE FUNCTION desk.my_teams() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(t.team) FROM desk.session_person() p CROSS JOIN LATERAL (
        SELECT (p).team UNION ALL
        SELECT i.team FROM desk.stand_ins i WHERE i.staff_id = (p).staff_id
            AND clock_timestamp() >= i.starts_at AND clock_timestamp() < i.ends_at) t (team)
    WHERE (p).role = 'supervisor' AND t.team IS NOT NULL
$$;

-- audit ----------------------------------------------------------------------------------------------------------------

-- Who did or saw what. Grants and refusals have rows of their own; desk.audit_trail shows all of them together.
CREATE TABLE desk.audit (
    audit_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    staff_id     text,                          -- NULL: a job, or the database's owner
    session_id   bigint,
    act          text NOT NULL,                 -- searched, saw, revealed, exported, signed_in, published …
    subject_kind text,                          -- customer, policy, budget, request, model, person, page
    subject      text,
    detail       jsonb NOT NULL DEFAULT '{}',
    request_id   text DEFAULT nullif(current_setting('keepline.request', true), '')
);
CREATE INDEX audit_staff ON desk.audit (staff_id, act, happened_at);
CREATE INDEX audit_subject ON desk.audit (subject, happened_at);
CREATE INDEX audit_time ON desk.audit USING brin (happened_at);
CALL desk.make_append_only('desk.audit');

CREATE FUNCTION desk.note(_who desk.person, _act text, _kind text, _subject text, _detail jsonb DEFAULT '{}') RETURNS void
    LANGUAGE sql AS $$
    INSERT INTO desk.audit (staff_id, session_id, act, subject_kind, subject, detail)
    VALUES ((_who).staff_id, (_who).session_id, _act, _kind, _subject, coalesce(_detail, '{}'))
$$;

-- What a page tells of itself: a list that was looked at, a file that was taken along.
CREATE FUNCTION desk.note_view(_act text, _page text, _detail jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF _act NOT IN ('saw', 'exported') THEN
        PERFORM desk.refuse('KL209', format('A page notes what was seen or exported, not %s.', _act));
    END IF;
    PERFORM desk.note(desk.me(), _act, 'page', _page, _detail);
END $$;

-- Rare and weighty acts leave their row by themselves, whichever way they were done.
CREATE FUNCTION desk.note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _new jsonb := to_jsonb(NEW);
    _me  desk.person := desk.session_person();
BEGIN
    CASE TG_TABLE_NAME
    WHEN 'approval_history' THEN
        PERFORM desk.note(_me, NEW.state, 'request', NEW.approval_id::text,
                          (SELECT jsonb_build_object('customer_id', r.customer_id, 'amount', r.amount, 'answer', r.answer_amount,
                                                     'requested_by', r.requested_by, 'decided_by', r.decided_by)
                           FROM desk.approval_requests r WHERE r.approval_id = NEW.approval_id));
    WHEN 'policy_versions' THEN
        PERFORM desk.note(_me, CASE TG_OP WHEN 'INSERT' THEN 'drafted' ELSE 'published' END, 'policy',
                          NEW.policy_version::text, _new - 'policy_version');
    WHEN 'budget_proposals' THEN
        PERFORM desk.note(_me, 'proposed', 'budget', NEW.proposal_id::text, _new - 'proposal_id');
    WHEN 'budget_changes' THEN
        PERFORM desk.note(_me, 'confirmed', 'budget', NEW.proposal_id::text, _new - 'proposal_id');
    WHEN 'month_closes' THEN
        PERFORM desk.note(_me, 'closed', 'month', NEW.month::text, _new - 'statement');
    WHEN 'stand_ins' THEN
        PERFORM desk.note(_me, 'named', 'stand-in', NEW.staff_id, _new);
    WHEN 'staff' THEN
        PERFORM desk.note(_me, 'changed', 'person', NEW.staff_id,
                          (_new - 'name' - 'sign_in') || jsonb_build_object('was', CASE TG_OP WHEN 'UPDATE' THEN
                              to_jsonb(OLD) - 'name' - 'sign_in' END));
    WHEN 'model_versions' THEN
        PERFORM desk.note(_me, NEW.status, 'model', NEW.model_version::text,
                          jsonb_build_object('kind', NEW.kind, 'was', OLD.status, 'by', coalesce(NEW.promoted_by, NEW.created_by)));
    END CASE;
    RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER INSERT ON desk.approval_history FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON desk.policy_versions FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT ON desk.budget_proposals FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT ON desk.budget_changes FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT ON desk.month_closes FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER INSERT ON desk.stand_ins FOR EACH ROW EXECUTE FUNCTION desk.note_change();
RESET ROLE;
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON desk.staff FOR EACH ROW EXECUTE FUNCTION desk.note_change();
CREATE TRIGGER noted AFTER UPDATE OF status ON desk.model_versions FOR EACH ROW
    WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION desk.note_change();
SET LOCAL ROLE keepline_owner;

-- Everything done, refused or looked at, in one list.
CREATE VIEW desk.audit_trail AS
    SELECT 'audit' AS source, a.audit_id AS id, a.happened_at, a.staff_id, a.act, a.subject_kind, a.subject, a.detail, a.request_id
    FROM desk.audit a
    UNION ALL
    SELECT 'ledger', l.entry_id, l.recorded_at, l.staff_id,
           CASE l.kind WHEN 'grant' THEN 'gave' WHEN 'reversal' THEN 'reversed' ELSE 'clawed_back' END, 'customer', l.customer_id,
           jsonb_build_object('instrument', l.instrument, 'amount', l.amount, 'currency', l.currency, 'reverses', l.reverses,
                              'authorised_by', l.authorised_by, 'decision_id', l.decision_id), NULL
    FROM desk.ledger l
    UNION ALL
    SELECT 'refusals', r.refusal_id, r.refused_at, r.staff_id, 'refused', r.act, r.code,
           jsonb_build_object('sentence', r.sentence, 'is_security', r.is_security), NULL
    FROM desk.refusals r;

-- seals ----------------------------------------------------------------------------------------------------------------

-- Each seal holds a digest of every row since the one before and chains on to it. Rows are sealed by a job and not by
-- who writes them: a chain within the grant would cost most of its throughput. Roots are kept off this host as well.
CREATE TABLE desk.seals (
    seal_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL CHECK (table_name IN ('audit', 'ledger', 'refusals')),
    columns    text[] NOT NULL,                 -- the table's then: a column added later changes no digest
    ids        bigint[] NOT NULL CHECK (cardinality(ids) > 0),
    digests    bytea NOT NULL,                  -- 32 bytes a row, in the order of ids
    previous   bytea NOT NULL,
    root       bytea NOT NULL,
    sealed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL desk.make_append_only('desk.seals');

CREATE FUNCTION desk.root_of(_previous bytea, _table text, _columns text[], _ids bigint[], _digests bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE
    RETURN sha256(_previous || convert_to(concat_ws('|', _table, _columns::text, _ids::text), 'UTF8') || _digests);

-- Rows of a sealed table with their digests, by the columns named; ids from _from to _until.
CREATE FUNCTION desk.digests_of(_table text, _columns text[], _from bigint, _until bigint)
    RETURNS TABLE (id bigint, digest bytea) LANGUAGE plpgsql STABLE SET timezone = 'UTC' AS $$
DECLARE
    _key text := CASE _table WHEN 'audit' THEN 'audit_id' WHEN 'ledger' THEN 'entry_id' WHEN 'refusals' THEN 'refusal_id' END;
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT t.%1$I, sha256(convert_to((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(to_jsonb(t)) e '
        'WHERE e.key = ANY ($1))::text, ''UTF8'')) FROM desk.%2$I t WHERE t.%1$I BETWEEN $2 AND $3 ORDER BY t.%1$I',
        _key, _table) USING _columns, _from, _until;
END $$;

-- Seal what is there and not sealed; how many rows. One at a time; whoever comes second finds nothing left to do.
CREATE FUNCTION desk.seal_audit() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _table   text;
    _columns text[];
    _last    bigint;
    _previous bytea;
    _found   record;
    _sealed  bigint := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7305113) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '300ms', true);
    FOREACH _table IN ARRAY ARRAY['audit', 'ledger', 'refusals'] LOOP
        -- Nobody is in the middle of writing while this is held, so every number below the highest is there or never comes.
        BEGIN
            EXECUTE format('LOCK TABLE desk.%I IN SHARE MODE', _table);
        EXCEPTION WHEN lock_not_available THEN
            CONTINUE;  -- busy; the next round takes them
        END;
        SELECT array_agg(a.attname::text ORDER BY a.attnum) INTO _columns
        FROM pg_attribute a WHERE a.attrelid = ('desk.' || _table)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
        SELECT coalesce(max(s.ids[cardinality(s.ids)]), 0) INTO _last FROM desk.seals s WHERE s.table_name = _table;
        LOOP
            SELECT array_agg(d.id ORDER BY d.id) AS ids, string_agg(d.digest, ''::bytea ORDER BY d.id) AS digests INTO _found
            FROM (SELECT * FROM desk.digests_of(_table, _columns, _last + 1, _last + 10000)) d;
            IF _found.ids IS NULL THEN
                EXIT WHEN NOT desk.has_rows_beyond(_table, _last);
                _last := _last + 10000;  -- numbers that rolled back
                CONTINUE;
            END IF;
            SELECT coalesce((SELECT s.root FROM desk.seals s ORDER BY s.seal_id DESC LIMIT 1), '\x'::bytea) INTO _previous;
            INSERT INTO desk.seals (table_name, columns, ids, digests, previous, root)
            VALUES (_table, _columns, _found.ids, _found.digests, _previous,
                    desk.root_of(_previous, _table, _columns, _found.ids, _found.digests));
            _sealed := _sealed + cardinality(_found.ids);
            _last := _found.ids[cardinality(_found.ids)];
        END LOOP;
    END LOOP;
    RETURN _sealed;
END $$;

CREATE FUNCTION desk.has_rows_beyond(_table text, _id bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    _found boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM desk.%I WHERE %I > $1)', _table,
                   CASE _table WHEN 'audit' THEN 'audit_id' WHEN 'ledger' THEN 'entry_id' ELSE 'refusal_id' END)
    INTO _found USING _id;
    RETURN _found;
END $$;

-- One row per thing that is not as it was sealed; none when all is well.
CREATE FUNCTION desk.verify_audit() RETURNS TABLE (seal_id bigint, table_name text, id bigint, problem text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _seal     desk.seals;
    _previous bytea := '\x';
    _after    jsonb := '{}';                    -- table → the last number sealed
BEGIN
    FOR _seal IN SELECT * FROM desk.seals s ORDER BY s.seal_id LOOP
        IF _seal.previous <> _previous THEN
            RETURN QUERY SELECT _seal.seal_id, _seal.table_name, NULL::bigint, 'a seal before this one was removed or changed';
        END IF;
        IF _seal.root <> desk.root_of(_seal.previous, _seal.table_name, _seal.columns, _seal.ids, _seal.digests) THEN
            RETURN QUERY SELECT _seal.seal_id, _seal.table_name, NULL::bigint, 'this seal was changed';
        END IF;
        _previous := _seal.root;
        RETURN QUERY
        SELECT _seal.seal_id, _seal.table_name, coalesce(k.id, d.id),
               CASE WHEN d.id IS NULL THEN 'this row was removed'
                    WHEN k.id IS NULL THEN 'this row was put in after the sealing'
                    ELSE 'this row was changed' END
        FROM (SELECT u.id, substr(_seal.digests, 32 * u.n::int - 31, 32) AS digest
              FROM unnest(_seal.ids) WITH ORDINALITY u (id, n)) k
        FULL JOIN desk.digests_of(_seal.table_name, _seal.columns, coalesce((_after ->> _seal.table_name)::bigint, 0) + 1,
                                  _seal.ids[cardinality(_seal.ids)]) d ON d.id = k.id
        WHERE k.digest IS DISTINCT FROM d.digest
        ORDER BY 3;
        _after := _after || jsonb_build_object(_seal.table_name, _seal.ids[cardinality(_seal.ids)]);
    END LOOP;
END $$;

-- signing in -----------------------------------------------------------------------------------------------------------

-- Sign in whom a provider vouches for. With a role from their claims the person is made or brought up to date; without
-- one they must be in the staff list. One sign-in, however many tabs: once it has ended, another must follow.
CREATE FUNCTION desk.sign_in(_subject text, _issued_at timestamptz, _name text, _role text, _team text,
                             OUT token text, OUT session_id bigint, OUT staff_id text, OUT role text,
                             OUT team text, OUT expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _person desk.staff;
    _at     timestamptz := clock_timestamp();
BEGIN
    SELECT * INTO _person FROM desk.staff p WHERE lower(p.sign_in) = lower(_subject);
    IF _role IS NOT NULL AND _person.staff_id IS NULL THEN
        INSERT INTO desk.staff (staff_id, name, role, team, sign_in)
        VALUES (_subject, coalesce(_name, _subject), _role, _team, _subject) RETURNING * INTO _person;
    ELSIF _role IS NOT NULL AND _person.is_active
        AND (_person.role, _person.team) IS DISTINCT FROM (_role, coalesce(_team, _person.team)) THEN
        UPDATE desk.staff p SET role = _role, team = coalesce(_team, p.team) WHERE p.staff_id = _person.staff_id
        RETURNING * INTO _person;
    END IF;
    IF _person.staff_id IS NULL OR NOT _person.is_active THEN
        PERFORM desk.refuse('KL104', 'You are signed in with your company, but not a person who may use this desk; '
                                     'ask an administrator.');
    ELSIF _issued_at IS NULL OR _issued_at < _at - interval '12 hours' OR _issued_at > _at + interval '5 minutes'
        OR EXISTS (SELECT FROM desk.sessions s WHERE s.staff_id = _person.staff_id AND s.signed_in_at = _issued_at)
        AND NOT EXISTS (SELECT FROM desk.sessions s WHERE s.staff_id = _person.staff_id AND s.signed_in_at = _issued_at
                        AND s.revoked_at IS NULL AND s.expires_at > _at AND s.last_seen_at > _at - interval '30 minutes') THEN
        PERFORM desk.refuse('KL102', 'Your session has ended; sign in again. What you typed is kept.');
    END IF;
    SELECT o.token, o.session_id, o.staff_id, o.role, o.team, o.expires_at
    INTO token, session_id, staff_id, role, team, expires_at
    FROM desk.open_session(_person.staff_id) o;
    UPDATE desk.sessions s SET signed_in_at = _issued_at, expires_at = least(s.expires_at, _issued_at + interval '12 hours')
    WHERE s.session_id = sign_in.session_id RETURNING s.expires_at INTO expires_at;
    PERFORM desk.note((session_id, staff_id, role, team)::desk.person, 'signed_in', 'person', staff_id);
END $$;

-- Sign out of every tab of the same sign-in. Signing out twice is no harm.
CREATE FUNCTION desk.sign_out(_token text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _session desk.sessions;
BEGIN
    SELECT * INTO _session FROM desk.sessions s WHERE s.token_sha256 = sha256(convert_to(_token, 'UTF8'));
    UPDATE desk.sessions s SET revoked_at = clock_timestamp()
    WHERE s.revoked_at IS NULL AND (s.session_id = _session.session_id
        OR s.staff_id = _session.staff_id AND s.signed_in_at = _session.signed_in_at);
    IF FOUND THEN
        PERFORM desk.note((_session.session_id, _session.staff_id, NULL, NULL)::desk.person, 'signed_out', 'person',
                          _session.staff_id);
    END IF;
END $$;

-- Add a person, or change what they are. A changed role ends their sessions by itself; one who leaves is out at once.
CREATE FUNCTION desk.set_staff(_staff_id text, _name text, _role text, _team text, _sign_in text, _is_active boolean)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO desk.staff AS p (staff_id, name, role, team, sign_in, is_active)
    VALUES (_staff_id, _name, _role, _team, _sign_in, _is_active)
    ON CONFLICT (staff_id) DO UPDATE SET name = excluded.name, role = excluded.role, team = excluded.team,
        sign_in = excluded.sign_in, is_active = excluded.is_active
    WHERE (p.name, p.role, p.team, p.sign_in, p.is_active)
        IS DISTINCT FROM (excluded.name, excluded.role, excluded.team, excluded.sign_in, excluded.is_active);
END $$;

-- looking people up ----------------------------------------------------------------------------------------------------

-- How often one person may do what shows personal data. A row that is missing is no limit.
CREATE TABLE desk.lookup_limits (
    act        text PRIMARY KEY CHECK (act IN ('searched', 'saw', 'revealed')),
    per_minute integer NOT NULL CHECK (per_minute > 0),
    per_hour   integer NOT NULL CHECK (per_hour > 0)
);
INSERT INTO desk.lookup_limits VALUES ('searched', 40, 400), ('saw', 20, 240), ('revealed', 10, 60);

CREATE FUNCTION desk.require_patience(_me desk.person, _act text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _limit desk.lookup_limits;
    _done  record;
BEGIN
    SELECT * INTO _limit FROM desk.lookup_limits l WHERE l.act = _act;
    SELECT count(*) FILTER (WHERE a.happened_at > clock_timestamp() - interval '1 minute') AS minute, count(*) AS hour INTO _done
    FROM desk.audit a
    WHERE a.staff_id = _me.staff_id AND a.act = _act AND a.subject_kind = 'customer'
        AND a.happened_at > clock_timestamp() - interval '1 hour';
    IF _done.minute >= _limit.per_minute OR _done.hour >= _limit.per_hour THEN
        PERFORM desk.refuse(
            'KL701', format('You have looked up more than one person may (%s a minute, %s an hour); wait a little.',
                            _limit.per_minute, _limit.per_hour),
            jsonb_build_object('per_minute', _limit.per_minute, 'per_hour', _limit.per_hour), 'an administrator');
    END IF;
END $$;

-- Who reached a limit within one hour: for an administrator to ask why.
CREATE VIEW desk.lookup_alerts AS
    SELECT a.staff_id, a.act, date_trunc('hour', a.happened_at) AS hour, count(*) AS times, l.per_hour
    FROM desk.audit a JOIN desk.lookup_limits l ON l.act = a.act
    WHERE a.subject_kind = 'customer'
    GROUP BY 1, 2, 3, l.per_hour HAVING count(*) >= l.per_hour;

CREATE FUNCTION desk.masked_phone(_phone text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN '•••' || right(_phone, 3);
CREATE FUNCTION desk.masked_email(_email text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN left(_email, 1) || '•••@' || split_part(_email, '@', 2);
CREATE FUNCTION desk.masked_name(_name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT string_agg(left(word, 1) || '.', ' ') FROM regexp_split_to_table(trim(_name), '\s+') word);

-- Up to 20 customers on one number (ani), of one account, of one contact, or by what was typed (search): account,
-- last digits, beginnings of words of the name. Written down with whom it found.
CREATE FUNCTION desk.find_customers(_by text, _key text, _account_like text, _digits_like text)
    RETURNS TABLE (customer_id text, name text, phone text, region text, joined_on date, plan text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_custom_plan AS $$  -- a plan for any text at all could use no index
#variable_conflict use_column
DECLARE
    _me   desk.person := desk.me();
    _hits text[];
    _day  date := (desk.business_clock() AT TIME ZONE coalesce((SELECT c.time_zone FROM desk.company c), 'UTC'))::date;
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    PERFORM desk.require_patience(_me, 'searched');
    CASE _by
    WHEN 'ani' THEN
        _hits := ARRAY(SELECT c.customer_id FROM crm.customers c WHERE c.phone = _key LIMIT 50);
    WHEN 'account' THEN
        _hits := ARRAY(SELECT c.customer_id FROM crm.customers c WHERE c.customer_id = _key);
        IF cardinality(_hits) = 0 THEN
            _hits := ARRAY(SELECT d.customer_id FROM desk.directory d WHERE upper(d.customer_id) = upper(_key) LIMIT 50);
        END IF;
    WHEN 'contact' THEN
        _hits := ARRAY(SELECT k.customer_id FROM crm.contacts k WHERE k.contact_id = _key AND k.customer_id IS NOT NULL);
    WHEN 'search' THEN
        _hits := ARRAY(
            (SELECT d.customer_id FROM desk.directory d WHERE upper(d.customer_id) LIKE upper(_account_like) LIMIT 50)
            UNION
            (SELECT d.customer_id FROM desk.directory d WHERE d.phone_reverse LIKE _digits_like LIMIT 50)
            UNION
            (SELECT d.customer_id FROM desk.directory d
             WHERE d.words @@ to_tsquery('simple', (SELECT string_agg(word || ':*', ' & ')
                                                    FROM unnest(string_to_array(trim(desk.fold(_key)), ' ')) word))
             LIMIT 200));
    END CASE;
    RETURN QUERY
    WITH found AS (
        SELECT c.customer_id, c.name, desk.masked_phone(c.phone) AS phone, c.region, c.joined_on,
               (SELECT s.plan FROM crm.subscriptions s
                WHERE s.customer_id = c.customer_id AND s.started_on <= _day AND (s.ended_on IS NULL OR s.ended_on > _day)
                ORDER BY s.monthly_price DESC, s.subscription_id LIMIT 1) AS plan
        FROM crm.customers c WHERE c.customer_id = ANY (_hits))
    SELECT f.* FROM found f ORDER BY f.plan IS NULL, f.name, f.customer_id LIMIT 20;
    PERFORM desk.note(_me, 'searched', 'customer', CASE WHEN cardinality(_hits) = 1 THEN _hits[1] END,
                      jsonb_build_object('by', _by, 'found', cardinality(_hits)));
END $$;

-- Take a caller on the line: the open case of mine where there is one, else a new one; NULL when nobody has this account.
CREATE FUNCTION desk.open_case(_customer_id text, _opened_by text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me   desk.person := desk.me();
    _case uuid;
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    SELECT c.case_id INTO _case FROM desk.cases c
    WHERE c.staff_id = _me.staff_id AND c.customer_id = _customer_id AND c.closed_at IS NULL
        AND c.opened_at > now() - interval '60 minutes'
    ORDER BY c.opened_at DESC LIMIT 1;
    IF FOUND THEN
        RETURN _case;
    END IF;
    PERFORM desk.require_patience(_me, 'saw');
    IF NOT EXISTS (SELECT FROM crm.customers c WHERE c.customer_id = _customer_id) THEN
        RETURN NULL;
    END IF;
    INSERT INTO desk.cases (staff_id, customer_id, opened_by) VALUES (_me.staff_id, _customer_id, _opened_by)
    RETURNING case_id INTO _case;
    PERFORM desk.note(_me, 'saw', 'customer', _customer_id, jsonb_build_object('case', _case, 'by', _opened_by));
    RETURN _case;
END $$;

-- The customers I have to do with now: on my line, held for a call back, first in the queue of those to ring, or asked
-- about by my team.
CREATE FUNCTION desk.my_callers() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(t.customer_id) FROM desk.session_person() p CROSS JOIN LATERAL (
        SELECT c.customer_id FROM desk.cases c
        WHERE c.staff_id = (p).staff_id AND c.opened_at > now() - interval '12 hours'
            AND (c.closed_at IS NULL OR c.closed_at > now() - interval '1 hour')
        UNION ALL
        SELECT h.customer_id FROM desk.callback_holds h WHERE h.staff_id = (p).staff_id
        UNION ALL
        (SELECT k.customer_id FROM desk.callback_candidates k LEFT JOIN desk.callback_holds h USING (customer_id)
         WHERE h.customer_id IS NULL
             OR (h.staff_id IS NULL OR h.expires_at <= clock_timestamp()) AND h.free_from <= clock_timestamp()
         ORDER BY k.is_shown DESC, k.gain DESC LIMIT 100)
        UNION ALL
        SELECT r.customer_id FROM desk.approval_requests r
        WHERE (p).role = 'supervisor' AND r.team = ANY (desk.my_teams()) AND r.requested_at > now() - interval '2 hours') t
    WHERE (p).role IN ('agent', 'supervisor')
$$;

-- One personal detail of a caller in full: asked for with a reason, and written down.
CREATE FUNCTION desk.reveal(_customer_id text, _field text, _reason text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person := desk.me();
    _found text;
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    IF NOT coalesce(_customer_id = ANY (desk.my_callers()), false) THEN
        PERFORM desk.refuse('KL702', 'They are not on your line; open their case first.');
    ELSIF length(trim(coalesce(_reason, ''))) < 3 THEN
        PERFORM desk.refuse('KL703', 'Say in a few words what you need it for.');
    END IF;
    PERFORM desk.require_patience(_me, 'revealed');
    SELECT CASE _field WHEN 'phone' THEN c.phone WHEN 'email' THEN c.email END INTO _found
    FROM crm.customers c WHERE c.customer_id = _customer_id;
    PERFORM desk.note(_me, 'revealed', 'customer', _customer_id, jsonb_build_object('field', _field, 'reason', left(_reason, 200)));
    RETURN _found;
END $$;

-- Take one to ring, if nobody has them. Who holds another keeps to that one first.
CREATE FUNCTION desk.take_callback(_customer_id text, _minutes integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.me();
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    WITH taken AS (
        INSERT INTO desk.callback_holds AS h (customer_id, staff_id, taken_at, expires_at)
        SELECT k.customer_id, _me.staff_id, clock_timestamp(), clock_timestamp() + make_interval(mins => _minutes)
        FROM desk.callback_candidates k
        WHERE k.customer_id = _customer_id
            AND NOT EXISTS (SELECT FROM desk.callback_holds o
                            WHERE o.staff_id = _me.staff_id AND o.expires_at > clock_timestamp())
        ON CONFLICT (customer_id) DO UPDATE
        SET staff_id = excluded.staff_id, taken_at = excluded.taken_at, expires_at = excluded.expires_at
        WHERE (h.staff_id IS NULL OR h.expires_at <= clock_timestamp()) AND h.free_from <= clock_timestamp()
        RETURNING h.customer_id, h.staff_id)
    INSERT INTO desk.callback_events (customer_id, staff_id, what, gain)
    SELECT t.customer_id, t.staff_id, 'taken', k.gain FROM taken t LEFT JOIN desk.callback_candidates k USING (customer_id);
END $$;

-- What came of one I hold, once: it rests, waits till a day, or goes back to the queue; from when they may be rung again.
-- The same said a moment ago by the same person is answered like the first time; NULL when it is not mine.
CREATE FUNCTION desk.finish_callback(_customer_id text, _what text, _until timestamptz, _rest_days integer,
                                     _again_hours integer, _most_misses integer) RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me   desk.person := desk.me();
    _free timestamptz;
BEGIN
    PERFORM desk.require_role(_me, 'agent', 'supervisor');
    UPDATE desk.callback_holds h
    SET staff_id = NULL, taken_at = NULL, expires_at = NULL,
        misses = CASE _what WHEN 'no_answer' THEN h.misses + 1 WHEN 'snoozed' THEN h.misses WHEN 'released' THEN h.misses ELSE 0 END,
        free_from = CASE
            WHEN _what = 'released' THEN clock_timestamp()
            WHEN _what = 'snoozed' THEN _until
            WHEN _what = 'no_answer' AND (h.misses + 1) % _most_misses <> 0
                THEN clock_timestamp() + make_interval(hours => _again_hours)
            ELSE clock_timestamp() + make_interval(days => _rest_days) END
    WHERE h.customer_id = _customer_id AND h.staff_id = _me.staff_id
    RETURNING h.free_from INTO _free;
    IF FOUND THEN
        INSERT INTO desk.callback_events (customer_id, staff_id, what, gain, until)
        SELECT _customer_id, _me.staff_id, _what, (SELECT k.gain FROM desk.callback_candidates k WHERE k.customer_id = _customer_id),
               CASE WHEN _what = 'snoozed' THEN _until END;
        RETURN _free;
    END IF;
    SELECT h.free_from INTO _free
    FROM desk.callback_events e JOIN desk.callback_holds h USING (customer_id)
    WHERE e.customer_id = _customer_id AND e.staff_id = _me.staff_id AND e.what = _what
        AND e.until IS NOT DISTINCT FROM _until AND h.staff_id IS NULL
        AND e.happened_at > clock_timestamp() - interval '1 minute'
    ORDER BY e.event_id DESC LIMIT 1;
    RETURN _free;
END $$;

-- what each may read of the company ------------------------------------------------------------------------------------

-- Whether I am somebody who reads the masked book.
CREATE FUNCTION desk.may_read_masked() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT (p).role IN ('leader', 'finance', 'analyst', 'administrator') FROM desk.session_person() p), false)
$$;

-- Make the views people read the contract through; again after a view of crm was dropped and made anew.
CREATE FUNCTION desk.make_reading_views() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _name text;
    _of_caller constant text := ' WHERE t.customer_id = ANY ((SELECT desk.my_callers())::text[])';
    _columns text;
BEGIN
    FOREACH _name IN ARRAY ARRAY['customers', 'subscriptions', 'invoices', 'contacts', 'usage', 'change_events', 'concessions'] LOOP
        EXECUTE format('DROP VIEW IF EXISTS caller.%1$I, masked.%1$I', _name);
        CONTINUE WHEN to_regclass('crm.' || _name) IS NULL;
        BEGIN
            _columns := CASE _name
                WHEN 'customers' THEN 't.customer_id, t.name, desk.masked_phone(t.phone) AS phone, desk.masked_email(t.email) AS email, '
                    't.joined_on, t.segment, t.region, t.language, t.currency, t.is_vulnerable, t.is_do_not_offer, t.attributes'
                ELSE 't.*' END;
            EXECUTE format('CREATE VIEW caller.%1$I WITH (security_barrier) AS SELECT %2$s FROM crm.%1$I t %3$s',
                           _name, _columns, CASE WHEN _name <> 'change_events' THEN _of_caller ELSE '' END);
            _columns := CASE _name
                WHEN 'customers' THEN 't.customer_id, desk.masked_name(t.name) AS name, NULL::text AS phone, NULL::text AS email, '
                    't.joined_on, t.segment, t.region, t.language, t.currency, t.is_vulnerable, t.is_do_not_offer, '
                    '(SELECT coalesce(jsonb_object_agg(e.key, e.value), ''{}'') FROM jsonb_each(t.attributes) e '
                    'WHERE jsonb_typeof(e.value) IN (''number'', ''boolean'')) AS attributes'
                WHEN 'contacts' THEN 't.contact_id, t.customer_id, t.started_at, t.ended_at, t.channel, t.direction, t.queue, '
                    't.reason, t.agent_id, t.is_resolved, t.is_escalated, t.csat, NULL::text AS notes'
                ELSE 't.*' END;
            EXECUTE format('CREATE VIEW masked.%1$I WITH (security_barrier) AS SELECT %2$s FROM crm.%1$I t '
                           'WHERE (SELECT desk.may_read_masked())', _name, _columns);
            EXECUTE format('GRANT SELECT ON caller.%I TO keepline_agent, keepline_supervisor', _name);
            EXECUTE format('GRANT SELECT ON masked.%I TO keepline_leader, keepline_finance, keepline_analyst, keepline_admin', _name);
        EXCEPTION WHEN undefined_column OR undefined_function THEN
            RAISE NOTICE '%', SQLERRM;  -- `check` says what their view lacks; what mends it calls this again
        END;
    END LOOP;
END $$;
SELECT desk.make_reading_views();

-- The reasons people call for, the commonest first: counted by `sync`, so that no card counts them.
CREATE TABLE desk.contact_reasons (
    reason   text PRIMARY KEY,
    contacts bigint NOT NULL,
    as_of    timestamptz NOT NULL
);

-- which rows each may read of the desk's own tables ---------------------------------------------------------------------

-- Agents their own, supervisors their teams', the others what their role is for. One policy a role, each on one indexed
-- column, its function asked once a statement (the subselect).
ALTER TABLE desk.ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.ledger FOR SELECT TO keepline_agent
    USING (staff_id = (SELECT desk.my_id('agent')) OR customer_id = ANY ((SELECT desk.my_callers())::text[]));
CREATE POLICY supervisor ON desk.ledger FOR SELECT TO keepline_supervisor
    USING (team = ANY ((SELECT desk.my_teams())::text[]) OR customer_id = ANY ((SELECT desk.my_callers())::text[]));
CREATE POLICY book ON desk.ledger FOR SELECT TO keepline_leader, keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.ledger TO keepline_batch USING (true);

ALTER TABLE desk.decisions ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.decisions FOR SELECT TO keepline_agent USING (staff_id = (SELECT desk.my_id('agent')));
CREATE POLICY supervisor ON desk.decisions FOR SELECT TO keepline_supervisor
    USING (team = ANY ((SELECT desk.my_teams())::text[]) OR staff_id = (SELECT desk.my_id('supervisor')));
CREATE POLICY book ON desk.decisions FOR SELECT TO keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.decisions TO keepline_batch USING (true);

ALTER TABLE desk.decision_rungs ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_decision ON desk.decision_rungs FOR SELECT TO keepline_agent, keepline_supervisor, keepline_finance
    USING (EXISTS (SELECT FROM desk.decisions d WHERE d.decision_id = decision_rungs.decision_id));
CREATE POLICY job ON desk.decision_rungs TO keepline_batch USING (true);
ALTER TABLE desk.decision_answers ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_decision ON desk.decision_answers FOR SELECT TO keepline_agent, keepline_supervisor, keepline_finance
    USING (EXISTS (SELECT FROM desk.decisions d WHERE d.decision_id = decision_answers.decision_id));
CREATE POLICY job ON desk.decision_answers TO keepline_batch USING (true);

ALTER TABLE desk.approval_requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.approval_requests FOR SELECT TO keepline_agent USING (requested_by = (SELECT desk.my_id('agent')));
CREATE POLICY supervisor ON desk.approval_requests FOR SELECT TO keepline_supervisor
    USING (team = ANY ((SELECT desk.my_teams())::text[]) OR requested_by = (SELECT desk.my_id('supervisor')));
CREATE POLICY book ON desk.approval_requests FOR SELECT TO keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.approval_requests TO keepline_batch USING (true);
ALTER TABLE desk.approval_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_request ON desk.approval_history FOR SELECT TO keepline_agent, keepline_supervisor, keepline_finance
    USING (EXISTS (SELECT FROM desk.approval_requests r WHERE r.approval_id = approval_history.approval_id));
CREATE POLICY job ON desk.approval_history TO keepline_batch USING (true);
ALTER TABLE desk.approvals ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_request ON desk.approvals FOR SELECT TO keepline_agent, keepline_supervisor, keepline_finance
    USING (EXISTS (SELECT FROM desk.approval_requests r WHERE r.approval_id = approvals.approval_id));
CREATE POLICY job ON desk.approvals TO keepline_batch USING (true);

ALTER TABLE desk.agent_counters ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON desk.agent_counters FOR SELECT TO keepline_agent, keepline_supervisor
    USING (staff_id = (SELECT desk.my_id('agent', 'supervisor')));
CREATE POLICY book ON desk.agent_counters FOR SELECT TO keepline_finance USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.agent_counters TO keepline_batch USING (true);

-- The people of my teams, by key.
CREATE FUNCTION desk.my_people() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(s.staff_id) FROM desk.staff s WHERE s.team = ANY (desk.my_teams())
$$;

RESET ROLE;

ALTER TABLE desk.cases ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.cases TO keepline_agent USING (staff_id = (SELECT desk.my_id('agent')));
CREATE POLICY supervisor ON desk.cases TO keepline_supervisor
    USING (staff_id = (SELECT desk.my_id('supervisor')) OR staff_id = ANY ((SELECT desk.my_people())::text[]))
    WITH CHECK (staff_id = (SELECT desk.my_id('supervisor')));
CREATE POLICY job ON desk.cases TO keepline_batch, keepline_owner USING (true);

ALTER TABLE desk.scores ENABLE ROW LEVEL SECURITY;
CREATE POLICY caller ON desk.scores FOR SELECT TO keepline_agent, keepline_supervisor
    USING (customer_id = ANY ((SELECT desk.my_callers())::text[]));
CREATE POLICY book ON desk.scores FOR SELECT TO keepline_leader, keepline_finance, keepline_analyst
    USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.scores TO keepline_batch, keepline_owner USING (true);

ALTER TABLE desk.cancel_intents ENABLE ROW LEVEL SECURITY;
CREATE POLICY agent ON desk.cancel_intents FOR SELECT TO keepline_agent USING (staff_id = (SELECT desk.my_id('agent')));
CREATE POLICY supervisor ON desk.cancel_intents FOR SELECT TO keepline_supervisor
    USING (staff_id = ANY ((SELECT desk.my_people())::text[]));
CREATE POLICY book ON desk.cancel_intents FOR SELECT TO keepline_leader, keepline_finance, keepline_analyst
    USING ((SELECT desk.may_read_masked()));
CREATE POLICY job ON desk.cancel_intents TO keepline_batch, keepline_owner USING (true);
ALTER TABLE desk.save_stages ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_intent ON desk.save_stages FOR SELECT
    TO keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst
    USING (EXISTS (SELECT FROM desk.cancel_intents i WHERE i.intent_id = save_stages.intent_id));
CREATE POLICY job ON desk.save_stages TO keepline_batch, keepline_owner USING (true);
ALTER VIEW desk.save_outcomes SET (security_invoker = true);

-- keepline_owner's functions read and write these for callers that may not.
GRANT SELECT, INSERT, UPDATE ON desk.callback_holds TO keepline_owner;
GRANT SELECT ON desk.callback_candidates TO keepline_owner;
GRANT SELECT, INSERT ON desk.callback_events TO keepline_owner;
