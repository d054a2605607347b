-- Other systems: keys a service signs in with, the telephone system's word on how a call ended, and what was granted put out
-- for billing in the same transaction as the ledger's row.
--
-- SQLSTATEs: KL88x the telephone system · KL89x keys and requests of services

SET LOCAL ROLE keepline_owner;

-- keys -----------------------------------------------------------------------------------------------------------------

-- A service signs in with a key as a member of staff of its own, so that role, row-level security, authority and limits are
-- those of a person. The key itself is nowhere in the database: 256 random bits, kept as a digest.
CREATE TABLE desk.api_keys (
    key_id      text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{8}$'), -- the part of the key that may be shown
    key_sha256  bytea NOT NULL UNIQUE CHECK (length(key_sha256) = 32),
    staff_id    text NOT NULL CHECK (staff_id ~ '^api:[a-z0-9-]{1,40}$'), -- never a person's
    role        text NOT NULL CHECK (role IN ('agent', 'supervisor', 'finance')),
    made_by     text NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz,                    -- NULL: until it is revoked
    revoked_by  text,
    revoked_at  timestamptz,
    CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
);
CREATE INDEX api_keys_staff ON desk.api_keys (staff_id);
ALTER TABLE desk.sessions ADD COLUMN key_id text REFERENCES desk.api_keys; -- NULL: a person's

-- Make a key for a service, and the service's own line in the staff list where it is missing.
CREATE FUNCTION desk.make_api_key(_key_id text, _sha256 bytea, _staff_id text, _name text, _role text, _team text,
                                  _expires_at timestamptz, _by text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _found desk.staff;
BEGIN
    INSERT INTO desk.staff (staff_id, name, role, team) VALUES (_staff_id, _name, _role, _team) ON CONFLICT DO NOTHING;
    SELECT * INTO _found FROM desk.staff s WHERE s.staff_id = _staff_id;
    IF (_found.role, _found.team, _found.is_active, _found.sign_in) IS DISTINCT FROM (_role, _team, true, NULL::text) THEN
        PERFORM desk.refuse('KL892', format('%s is there already, as %s of team %s%s; name another service.', _staff_id,
                                            _found.role, coalesce(_found.team, '(none)'),
                                            CASE WHEN _found.is_active THEN '' ELSE ', and has left' END));
    END IF;
    INSERT INTO desk.api_keys (key_id, key_sha256, staff_id, role, made_by, expires_at)
    VALUES (_key_id, _sha256, _staff_id, _role, _by, _expires_at);
    PERFORM desk.note(NULL, 'made_key', 'key', _key_id,
                      jsonb_build_object('service', _staff_id, 'role', _role, 'team', _team, 'by', _by, 'expires_at', _expires_at));
END $$;

-- Take a key back: it signs nobody in any more, and whoever is in by it is out. Twice is no harm; false: no such key.
CREATE FUNCTION desk.revoke_api_key(_key_id text, _by text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE desk.api_keys k SET revoked_at = clock_timestamp(), revoked_by = _by
    WHERE k.key_id = _key_id AND k.revoked_at IS NULL;
    IF FOUND THEN
        PERFORM desk.note(NULL, 'revoked_key', 'key', _key_id, jsonb_build_object('by', _by));
    END IF;
    UPDATE desk.sessions s SET revoked_at = clock_timestamp() WHERE s.key_id = _key_id AND s.revoked_at IS NULL;
    RETURN EXISTS (SELECT FROM desk.api_keys k WHERE k.key_id = _key_id);
END $$;

-- Sign a service in by the digest of its key. One sentence whatever is wrong with it: nobody learns which keys there are.
CREATE FUNCTION desk.open_key_session(_sha256 bytea, OUT token text, OUT session_id bigint, OUT staff_id text, OUT role text,
                                      OUT team text, OUT expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _key desk.api_keys;
BEGIN
    SELECT k.* INTO _key FROM desk.api_keys k JOIN desk.staff p ON p.staff_id = k.staff_id
    WHERE k.key_sha256 = _sha256 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
        AND p.is_active AND p.role = k.role
    FOR SHARE OF k;  -- a key that is being revoked is waited for
    IF NOT FOUND THEN
        PERFORM desk.refuse('KL891', 'This key is not valid: it is unknown, expired or revoked.');
    END IF;
    SELECT o.* INTO token, session_id, staff_id, role, team, expires_at FROM desk.open_session(_key.staff_id) o;
    UPDATE desk.sessions s
    SET key_id = _key.key_id, expires_at = least(s.expires_at, coalesce(_key.expires_at, s.expires_at))
    WHERE s.session_id = open_key_session.session_id RETURNING s.expires_at INTO expires_at;
    PERFORM desk.note((session_id, staff_id, role, team)::desk.person, 'signed_in', 'key', _key.key_id);
END $$;

-- requests -------------------------------------------------------------------------------------------------------------

-- A key of a request, and the digest of what was asked under it: the same again is answered again, anything else refused.
CREATE TABLE desk.api_requests (
    staff_id   text NOT NULL,
    key        uuid NOT NULL,
    act        text NOT NULL,
    sha256     bytea NOT NULL CHECK (length(sha256) = 32),
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (staff_id, key)
);

-- Claim a key for a request of mine; whether it is new.
CREATE FUNCTION desk.claim_request(_token text, _key uuid, _act text, _sha256 bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    INSERT INTO desk.api_requests (staff_id, key, act, sha256) VALUES (_me.staff_id, _key, _act, _sha256) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN true;
    ELSIF NOT EXISTS (SELECT FROM desk.api_requests r WHERE r.staff_id = _me.staff_id AND r.key = _key AND r.act = _act
                          AND r.sha256 = _sha256) THEN
        PERFORM desk.refuse('KL206', 'This key was used for another request; take a fresh one.');
    END IF;
    RETURN false;
END $$;

-- the telephone system's word ----------------------------------------------------------------------------------------------

-- The telephone system's wrap-up codes and what they mean here. The five outcomes themselves need no line.
CREATE TABLE desk.wrap_up_codes (
    code    text PRIMARY KEY CHECK (code = lower(btrim(code)) AND length(code) BETWEEN 1 AND 100),
    outcome text NOT NULL CHECK (outcome IN ('deflected', 'cancelled', 'resolved', 'call_back', 'dropped'))
);

-- Each event that was taken, once. sha256: of all it said.
CREATE TABLE desk.telephony_events (
    event_id    text PRIMARY KEY CHECK (length(event_id) BETWEEN 1 AND 128),
    sha256      bytea NOT NULL CHECK (length(sha256) = 32),
    case_id     uuid NOT NULL REFERENCES desk.cases,
    contact     text NOT NULL,                  -- the call's id in the telephone system
    wrap_up     text,
    ended_at    timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX telephony_events_case ON desk.telephony_events (case_id);

RESET ROLE;
ALTER TABLE desk.cases
    ADD COLUMN contact_id    text CHECK (length(contact_id) BETWEEN 1 AND 128),
    ADD COLUMN call_ended_at timestamptz,
    ADD COLUMN wrap_up       text CHECK (length(wrap_up) <= 100);
CREATE INDEX cases_contact ON desk.cases (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX cases_open ON desk.cases (opened_at) WHERE closed_at IS NULL;
SET LOCAL ROLE keepline_owner;

-- Keep which call of the telephone system an open case of mine is. The first one stays.
CREATE FUNCTION desk.keep_contact(_token text, _case uuid, _contact text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    UPDATE desk.cases c SET contact_id = _contact
    WHERE c.case_id = _case AND c.staff_id = _me.staff_id AND c.closed_at IS NULL AND c.contact_id IS NULL;
END $$;

-- The case an event is about: the one that bears the call's id, else the only one of the agent's that bears none and was
-- open within the last twelve hours.
CREATE FUNCTION desk.case_of_call(_contact text, _agent text, _ended_at timestamptz) RETURNS desk.cases LANGUAGE plpgsql AS $$
DECLARE
    _found desk.cases;
    _many  bigint;
BEGIN
    SELECT * INTO _found FROM desk.cases c WHERE c.contact_id = _contact ORDER BY c.opened_at DESC LIMIT 1 FOR UPDATE;
    IF FOUND THEN
        RETURN _found;
    ELSIF _agent IS NULL THEN
        PERFORM desk.refuse('KL882', 'No case bears this call’s id; say which agent had the call.');
    END IF;
    SELECT count(*) INTO _many
    FROM desk.cases c JOIN desk.staff s USING (staff_id)
    WHERE (s.staff_id = _agent OR lower(s.sign_in) = lower(_agent)) AND c.closed_at IS NULL AND c.contact_id IS NULL
        AND c.opened_at > clock_timestamp() - interval '12 hours' AND c.opened_at <= _ended_at + interval '5 minutes';
    IF _many = 0 THEN
        PERFORM desk.refuse('KL882', 'This agent has no open case that the call could be.');
    ELSIF _many > 1 THEN
        PERFORM desk.refuse('KL883', format('This agent has %s open cases; the call’s id must come with the screen pop.', _many));
    END IF;
    SELECT c.* INTO _found
    FROM desk.cases c JOIN desk.staff s USING (staff_id)
    WHERE (s.staff_id = _agent OR lower(s.sign_in) = lower(_agent)) AND c.closed_at IS NULL AND c.contact_id IS NULL
        AND c.opened_at > clock_timestamp() - interval '12 hours' AND c.opened_at <= _ended_at + interval '5 minutes'
    FOR UPDATE OF c;
    IF NOT FOUND THEN  -- another call took it a moment ago
        PERFORM desk.refuse('KL882', 'This agent has no open case that the call could be.');
    END IF;
    RETURN _found;
END $$;

-- The telephone system says a call has ended, with its wrap-up code or without: with one the case is closed, without the
-- call's end is noted and the agent closes. key: the case. The same event again changes nothing.
CREATE FUNCTION desk.end_call(_event text, _contact text, _agent text, _wrap_up text, _ended_at timestamptz) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _said    bytea := sha256(convert_to(jsonb_build_array(_contact, _agent, _wrap_up, extract(epoch FROM _ended_at))::text, 'UTF8'));
    _before  desk.telephony_events;
    _case    desk.cases;
    _outcome text;
    _now     timestamptz := clock_timestamp();
    _facts   text;
    _who     text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(_event, 32));
    SELECT * INTO _before FROM desk.telephony_events e WHERE e.event_id = _event;
    IF FOUND THEN
        IF _before.sha256 <> _said THEN
            PERFORM desk.refuse('KL881', 'This event’s id was used for another event.');
        END IF;
        RETURN ('replayed', NULL, NULL, NULL, NULL, _before.case_id, NULL, NULL)::desk.verdict;
    END IF;
    IF _ended_at > _now + interval '5 minutes' THEN
        PERFORM desk.refuse('KL885', 'The call would end in the future; mend the clock of the telephone system.');
    END IF;
    IF _wrap_up IS NOT NULL THEN
        SELECT coalesce((SELECT w.outcome FROM desk.wrap_up_codes w WHERE w.code = lower(btrim(_wrap_up))),
                        CASE WHEN lower(btrim(_wrap_up)) IN ('deflected', 'cancelled', 'resolved', 'call_back', 'dropped')
                             THEN lower(btrim(_wrap_up)) END)
        INTO _outcome;
        IF _outcome IS NULL THEN
            PERFORM desk.refuse('KL884', format('The wrap-up code “%s” means nothing here yet; `telephony code` gives it a meaning.',
                                                left(_wrap_up, 60)), '{}', 'an administrator');
        END IF;
    END IF;
    _case := desk.case_of_call(_contact, _agent, _ended_at);
    IF _ended_at < _case.opened_at - interval '5 minutes' THEN
        PERFORM desk.refuse('KL886', 'This call had ended before the case was opened; it belongs to an earlier one.');
    ELSIF _now > coalesce(_case.closed_at, _case.opened_at) + interval '12 hours' THEN
        PERFORM desk.refuse('KL886', 'This comes more than twelve hours late; the case stays as it is.');
    ELSIF _case.closed_at IS NOT NULL AND _outcome IS DISTINCT FROM _case.outcome AND _outcome IS NOT NULL THEN
        PERFORM desk.refuse('KL887', format('The case was closed as “%s” at %s UTC, and this says “%s”; nothing was changed.',
                                            coalesce(_case.outcome, 'not said'),
                                            to_char(_case.closed_at AT TIME ZONE 'UTC', 'HH24:MI'), _outcome));
    END IF;
    UPDATE desk.cases c
    SET contact_id = coalesce(c.contact_id, _contact), call_ended_at = coalesce(c.call_ended_at, _ended_at),
        wrap_up = coalesce(c.wrap_up, left(btrim(_wrap_up), 100)),
        closed_at = coalesce(c.closed_at, CASE WHEN _outcome IS NOT NULL THEN _now END),
        outcome = CASE WHEN c.closed_at IS NULL THEN _outcome ELSE c.outcome END,
        cancelled_at = CASE WHEN c.closed_at IS NULL AND _outcome = 'cancelled' THEN _now ELSE c.cancelled_at END
    WHERE c.case_id = _case.case_id;
    INSERT INTO desk.telephony_events (event_id, sha256, case_id, contact, wrap_up, ended_at)
    VALUES (_event, _said, _case.case_id, _contact, left(btrim(_wrap_up), 100), _ended_at);
    PERFORM desk.note((NULL, _case.staff_id, NULL, NULL)::desk.person, 'call_ended', 'case', _case.case_id::text,
                      jsonb_build_object('event', _event, 'outcome', _outcome));
    RETURN desk.done(_case.case_id::text);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('end_call', '', jsonb_build_object('event', _event, 'contact', _contact, 'agent', _agent,
                        'wrap_up', _wrap_up, 'ended_at', _ended_at), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- Close the open cases whose call came back as a row of crm.contacts, ended: resolved where the row says so, else without an
-- outcome. The row is the case's by the call's id, else by agent, customer and time, when there is only one. A row each.
CREATE FUNCTION desk.close_by_contacts() RETURNS TABLE (case_id uuid, contact_id text, outcome text, sentence text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _found record;
BEGIN
    FOR _found IN
        SELECT c.case_id, c.staff_id, count(*) AS many, max(k.contact_id) AS contact_id, bool_and(k.is_resolved) AS is_resolved,
               max(k.ended_at) AS ended_at
        FROM desk.cases c
        JOIN crm.contacts k ON k.ended_at IS NOT NULL AND k.customer_id = c.customer_id AND CASE
            WHEN c.contact_id IS NOT NULL THEN k.contact_id = c.contact_id
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

-- out to billing -------------------------------------------------------------------------------------------------------

-- One row for each entry of the ledger, written with it by a trigger: neither is there without the other. Readers go by
-- position, which is given afterwards and in the order rows became visible, so that "after the last I saw" misses none.
CREATE TABLE desk.outbox (
    entry_id     bigint PRIMARY KEY,            -- of desk.ledger
    event_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    position     bigint,                        -- NULL: not yet numbered
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead', 'skipped')),
    attempts     smallint NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL DEFAULT now(), -- not tried before
    delivered_at timestamptz,
    last_error   text,
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX outbox_waiting ON desk.outbox (position) WHERE state = 'waiting';
CREATE UNIQUE INDEX outbox_position ON desk.outbox (position) WHERE position IS NOT NULL;
-- What was there before: for whoever reads by position, not sent.
INSERT INTO desk.outbox (entry_id, position, state) SELECT l.entry_id, row_number() OVER (ORDER BY l.entry_id), 'skipped' FROM desk.ledger l;

CREATE FUNCTION desk.put_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO desk.outbox (entry_id) VALUES (NEW.entry_id);
    RETURN NULL;
END $$;
CREATE TRIGGER put_out AFTER INSERT ON desk.ledger FOR EACH ROW EXECUTE FUNCTION desk.put_out();
ALTER TABLE desk.ledger ENABLE ALWAYS TRIGGER put_out;

-- Number what became visible since the last time; how many. One at a time, so that a later number is never seen first.
CREATE FUNCTION desk.number_outbox() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _rows bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7305132);
    UPDATE desk.outbox o SET position = n.position
    FROM (SELECT w.entry_id, row_number() OVER (ORDER BY w.entry_id)
                 + coalesce((SELECT max(p.position) FROM desk.outbox p WHERE p.position IS NOT NULL), 0) AS position
          FROM desk.outbox w WHERE w.state = 'waiting' AND w.position IS NULL) n
    WHERE o.entry_id = n.entry_id;
    GET DIAGNOSTICS _rows = ROW_COUNT;
    RETURN _rows;
END $$;

-- What of an entry billing is told. Amounts in minor units; corrects: the entry it takes back.
CREATE VIEW desk.outbox_events AS
    SELECT o.position, o.event_id, 'concession.' || CASE l.kind WHEN 'grant' THEN 'granted' WHEN 'reversal' THEN 'reversed'
                                                     ELSE 'clawed_back' END AS type,
           l.entry_id, l.reverses AS corrects, l.decision_id AS reference, l.customer_id AS account, l.instrument, l.amount,
           l.currency::text AS currency, l.months, l.schedule, l.booked_on, l.given_at, l.recorded_at,
           o.state, o.attempts, o.next_at, o.last_error
    FROM desk.outbox o JOIN desk.ledger l USING (entry_id)
    WHERE o.position IS NOT NULL;

-- Bookings billing sends back through the API: taken like a file of theirs, once for each key. facts: what became of the rows.
CREATE FUNCTION desk.take_bookings(_token text, _key uuid, _bookings jsonb) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me    desk.person;
    _name  text;
    _file  desk.billing_files;
    _twice integer[];
    _aside integer;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'finance');
    PERFORM pg_advisory_xact_lock(7305117);  -- one import at a time
    _name := format('%s %s', _me.staff_id, _key);
    SELECT * INTO _file FROM desk.billing_files f WHERE f.sha256 = encode(sha256(convert_to(_name, 'UTF8')), 'hex');
    IF NOT FOUND THEN
        SELECT coalesce(array_agg(t.line), '{}') INTO _twice
        FROM (SELECT r.line, r.key, row_number() OVER (PARTITION BY r.key ORDER BY r.line) AS nth
              FROM jsonb_to_recordset(_bookings) AS r (line integer, key text, fault text) WHERE r.fault IS NULL) t
        WHERE t.nth > 1 OR EXISTS (SELECT FROM desk.billing_applied a WHERE a.billing_key = t.key);
        SELECT count(*) INTO _aside FROM jsonb_to_recordset(_bookings) AS r (line integer, fault text)
        WHERE r.fault IS NOT NULL OR r.line = ANY (_twice);
        INSERT INTO desk.billing_files (name, sha256, rows_read, rows_accepted, rows_set_aside)
        VALUES (_name, encode(sha256(convert_to(_name, 'UTF8')), 'hex'), jsonb_array_length(_bookings),
                jsonb_array_length(_bookings) - _aside, _aside)
        RETURNING * INTO _file;
        INSERT INTO desk.billing_set_aside (file_id, line, reason)
        SELECT _file.file_id, r.line, coalesce(r.fault, 'Billing’s number was taken in before.')
        FROM jsonb_to_recordset(_bookings) AS r (line integer, fault text) WHERE r.fault IS NOT NULL OR r.line = ANY (_twice);
        INSERT INTO desk.billing_applied (file_id, line, applied_on, customer_id, entry_id, reference, billing_key, amount, currency)
        SELECT _file.file_id, b.line, b.applied_on, b.account,
               coalesce(b.entry_id, (SELECT l.entry_id FROM desk.ledger l WHERE l.decision_id = b.reference AND l.kind = 'grant')),
               coalesce(b.reference::text, ''), b.key, b.amount, b.currency
        FROM jsonb_to_recordset(_bookings) AS b (line integer, key text, applied_on date, account text, entry_id bigint,
                                                 reference uuid, amount bigint, currency text)
        WHERE NOT EXISTS (SELECT FROM desk.billing_set_aside s WHERE s.file_id = _file.file_id AND s.line = b.line);
        PERFORM desk.note(_me, 'took_in', 'billing', _name, jsonb_build_object('rows', _file.rows_read, 'set_aside', _aside));
    END IF;
    RETURN ('done', NULL, NULL, jsonb_build_object(
        'taken', _file.rows_accepted,
        'set_aside', (SELECT coalesce(jsonb_agg(jsonb_build_object('line', s.line, 'reason', s.reason) ORDER BY s.line), '[]')
                      FROM desk.billing_set_aside s WHERE s.file_id = _file.file_id)),
        NULL, _file.file_id, NULL, NULL)::desk.verdict;
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('take_bookings', _token, jsonb_build_object('key', _key), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- For billing systems that read rather than are told: everything granted and taken back, in the order it became visible.
CREATE VIEW report.outbox AS
    SELECT e.position, e.event_id, e.type, e.entry_id, e.corrects, e.reference, e.account, e.instrument,
           e.amount AS amount_minor, report.in_units(e.amount, e.currency) AS amount, e.currency, e.months, e.schedule,
           e.booked_on, e.given_at, e.recorded_at
    FROM desk.outbox_events e;

RESET ROLE;
