-- What a person may ask of us: no card numbers kept, nothing kept too long, erased on request, told what is held.
--
-- SQLSTATEs: KL8xx a person's own data

SET LOCAL ROLE keepline_owner;

-- free text ------------------------------------------------------------------------------------------------------------

-- Whether the digits carry a right check digit (ISO/IEC 7812-1, annex B).
CREATE FUNCTION desk.is_luhn_valid(_digits text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN (SELECT sum(CASE WHEN (length(_digits) - place) % 2 = 0 THEN digit::int
                            ELSE digit::int * 2 - CASE WHEN digit::int > 4 THEN 9 ELSE 0 END END) % 10 = 0
            FROM unnest(string_to_array(_digits, NULL)) WITH ORDINALITY u (digit, place));

-- A text with every card number replaced: 13 to 19 digits that pass the Luhn check, in one piece or in groups parted by up
-- to two blanks or dashes, signs nobody sees between. churn.core.masking.without_cards is the same rule; a test compares.
CREATE FUNCTION desk.without_cards(_text text) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    -- Digits of other scripts are looked at as 0-9; each sign stays one sign, so that places are the same in both texts.
    _plain  text := translate(_text, '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९০১২৩৪৫৬৭৮৯๐๑๒๓๔๕๖๗๘๙０１２３４５６７８９',
                              '012345678901234567890123456789012345678901234567890123456789');
    _unseen constant text := '[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]*';
    _sign   constant text := '[\t \u00a0\u202f\u2010-\u2015\u2212\uff0d-]';
    _gap    constant text := '^' || _unseen || '(' || _sign || _unseen || '){0,2}$';
    _groups text[];                             -- digits
    _after  text[];                             -- and what stands behind each, up to the next
    _at     integer;                            -- place in the text of the group looked at
    _done   text := '';
    _digits text;
    _i      integer := 1;
    _j      integer;
    _last   integer;
BEGIN
    IF _plain !~ ('[0-9]((' || _sign || '|' || replace(_unseen, '*', '') || ')*[0-9]){12}') THEN
        RETURN _text;
    END IF;
    SELECT array_agg(m[1]), array_agg(m[2]) INTO _groups, _after FROM regexp_matches(_plain, '([0-9]+)([^0-9]*)', 'g') m;
    _at := length(substring(_plain FROM '^[^0-9]*'));
    _done := left(_text, _at);
    WHILE _i <= cardinality(_groups) LOOP
        _digits := '';
        _last := NULL;
        FOR _j IN _i .. cardinality(_groups) LOOP
            EXIT WHEN _j > _i AND _after[_j - 1] !~ _gap OR length(_digits) + length(_groups[_j]) > 19;
            _digits := _digits || _groups[_j];
            IF length(_digits) >= 13 AND desk.is_luhn_valid(_digits) THEN
                _last := _j;
            END IF;
        END LOOP;
        FOR _j IN _i .. coalesce(_last, _i) LOOP
            IF _last IS NULL THEN
                _done := _done || substr(_text, _at + 1, length(_groups[_j]));
            ELSIF _j = _last THEN
                _done := _done || '[card number removed]';
            END IF;
            IF _j = coalesce(_last, _i) THEN
                _done := _done || substr(_text, _at + 1 + length(_groups[_j]), length(_after[_j]));
            END IF;
            _at := _at + length(_groups[_j]) + length(_after[_j]);
        END LOOP;
        _i := coalesce(_last, _i) + 1;
    END LOOP;
    RETURN _done;
END $$;

-- What somebody typed about a customer, without what says who that is: card numbers, e-mail addresses, this customer's
-- own number and name. Reasons stand in rows that are never changed, so it must not get in.
CREATE FUNCTION desk.without_person(_text text, _customer_id text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _text_  text := regexp_replace(desk.without_cards(_text), '[[:alnum:]._%+-]+@[[:alnum:].-]+\.[[:alpha:]]{2,}',
                                   '[e-mail removed]', 'g');
    _name   text;
    _phone  text;
    _word   text;
BEGIN
    SELECT trim(c.name), right(regexp_replace(c.phone, '\D', '', 'g'), 9) INTO _name, _phone
    FROM crm.customers c WHERE c.customer_id = _customer_id;
    IF length(_phone) >= 7 THEN
        _text_ := regexp_replace(_text_, '([+(]?[0-9][0-9() .-]{0,5})?' || array_to_string(string_to_array(_phone, NULL), '[() .-]*'),
                                 '[number removed]', 'g');
    END IF;
    IF length(_name) >= 3 AND _name <> '[erased]' THEN
        _text_ := regexp_replace(_text_, '\m' || regexp_replace(_name, '([^[:alnum:]\s])', '\\\1', 'g') || '\M',
                                 '[name removed]', 'gi');
        -- Words of the name as names are written: "will pay" is left to Will.
        FOR _word IN SELECT w FROM regexp_split_to_table(_name, '\s+') w WHERE length(w) >= 3 LOOP
            _text_ := regexp_replace(_text_, '\m' || regexp_replace(_word, '([^[:alnum:]])', '\\\1', 'g') || '\M',
                                     '[name removed]', 'g');
        END LOOP;
    END IF;
    RETURN _text_;
END $$;

-- Typed columns (the trigger's arguments; of a jsonb column, its "reason") as they may be kept.
CREATE FUNCTION desk.clean_typed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _row      jsonb := to_jsonb(NEW);
    _customer text := coalesce(_row ->> 'customer_id',
                               CASE WHEN _row ->> 'subject_kind' = 'customer' THEN _row ->> 'subject' END,
                               (SELECT d.customer_id FROM desk.decisions d WHERE d.decision_id = (_row ->> 'decision_id')::uuid));
    _column   text;
    _typed    text;
    _clean    text;
    _changed  jsonb := '{}';
BEGIN
    FOREACH _column IN ARRAY TG_ARGV LOOP
        _typed := CASE jsonb_typeof(_row -> _column) WHEN 'object' THEN _row -> _column ->> 'reason' ELSE _row ->> _column END;
        _clean := desk.without_person(_typed, _customer);
        IF _clean <> _typed THEN
            _changed := _changed || jsonb_build_object(_column, CASE jsonb_typeof(_row -> _column)
                WHEN 'object' THEN (_row -> _column) || jsonb_build_object('reason', _clean) ELSE to_jsonb(_clean) END);
        END IF;
    END LOOP;
    RETURN jsonb_populate_record(NEW, _changed);
END $$;
CREATE TRIGGER clean_typed BEFORE INSERT OR UPDATE ON desk.approval_requests
    FOR EACH ROW EXECUTE FUNCTION desk.clean_typed('reason', 'answer_reason');
CREATE TRIGGER clean_typed BEFORE INSERT ON desk.decision_answers
    FOR EACH ROW EXECUTE FUNCTION desk.clean_typed('reason');
CREATE TRIGGER clean_typed BEFORE INSERT ON desk.ledger
    FOR EACH ROW WHEN (NEW.reason IS NOT NULL) EXECUTE FUNCTION desk.clean_typed('reason');
CREATE TRIGGER clean_typed BEFORE INSERT ON desk.refusals
    FOR EACH ROW WHEN (NEW.asked ? 'reason') EXECUTE FUNCTION desk.clean_typed('asked');
CREATE TRIGGER clean_typed BEFORE INSERT ON desk.audit
    FOR EACH ROW WHEN (NEW.detail ? 'reason') EXECUTE FUNCTION desk.clean_typed('detail');
RESET ROLE;
CREATE TRIGGER clean_typed BEFORE INSERT OR UPDATE OF what_is_broken ON desk.cases
    FOR EACH ROW WHEN (NEW.what_is_broken IS NOT NULL) EXECUTE FUNCTION desk.clean_typed('what_is_broken');
SET LOCAL ROLE keepline_owner;

-- erasure --------------------------------------------------------------------------------------------------------------

-- Whose data are gone, and stay gone: no import, search, score or callback brings them back.
CREATE TABLE desk.erasures (
    customer_id text PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('request', 'retention')),
    reason      text NOT NULL CHECK (length(reason) BETWEEN 3 AND 500),
    erased_by   text NOT NULL,
    erased_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL desk.make_append_only('desk.erasures');

CREATE FUNCTION desk.is_erased(_customer_id text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = _customer_id)
$$;

-- What an erasure leaves of tables with a customer_id: rows that are kept, and why. Rows of any other table are deleted.
CREATE TABLE desk.kept_tables (
    table_name text PRIMARY KEY,                -- schema.table
    blanked    jsonb NOT NULL DEFAULT '{}',     -- column → what stands there afterwards
    why        text NOT NULL
);
INSERT INTO desk.kept_tables VALUES
    ('feed.customers', '{"name": "[erased]", "phone": null, "email": null, "language": null, "attributes": {}, "is_vulnerable": false}',
     'The key of accounts and the ledger; nothing in it says who it was.'),
    ('feed.contacts', '{"notes": null}', 'That somebody called, when and why, is counted in reports.'),
    ('feed.subscriptions', '{}', 'Accounts: what was sold.'),
    ('feed.invoices', '{}', 'Accounts: what was billed and paid.'),
    ('feed.concessions', '{}', 'Accounts: what was given before.'),
    ('desk.cases', '{"what_is_broken": null}', 'Decisions refer to the call they were made in.'),
    ('desk.decisions', '{}', 'Receipt of a money decision: facts under a key, no name, number, address or note.'),
    ('desk.ledger', '{}', 'Accounts: never changed.'),
    ('desk.ledger_customers', '{}', 'The key a grant locks.'),
    ('desk.approval_requests', '{}', 'Who asked for money and who said yes; reasons are kept without what says who it was.'),
    ('desk.approvals', '{}', 'Who said yes.'),
    ('desk.cancel_intents', '{}', 'Saves and losses are counted from it.'),
    ('desk.callback_events', '{}', 'What was done, ever.'),
    ('desk.erasures', '{}', 'That it was erased, so that it stays so.');

-- Every table of feed and desk with rows about customers ($1), and which rows: by customer, else by call or contact.
CREATE FUNCTION desk.tables_of_customers() RETURNS TABLE (name text, key text, of_them text) LANGUAGE sql STABLE AS $$
    SELECT format('%I.%I', n.nspname, c.relname), k.key, CASE k.key
        WHEN 'customer_id' THEN 't.customer_id = ANY ($1)'
        WHEN 'case_id' THEN 't.case_id IN (SELECT k.case_id FROM desk.cases k WHERE k.customer_id = ANY ($1))'
        ELSE 't.contact_id IN (SELECT k.contact_id FROM crm.contacts k WHERE k.customer_id = ANY ($1))' END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (SELECT a.attname::text AS key FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attname IN ('customer_id', 'case_id', 'contact_id') AND NOT a.attisdropped
                        ORDER BY array_position(ARRAY['customer_id', 'case_id', 'contact_id'], a.attname::text) LIMIT 1) k
    WHERE n.nspname IN ('feed', 'desk') AND c.relkind IN ('r', 'p')
$$;

-- Rows set aside on import that hold one of these values.
CREATE FUNCTION desk.blank_set_aside(_values text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    _rows bigint;
BEGIN
    UPDATE feed.set_aside s SET value = NULL, row = '{}'
    WHERE s.row <> '{}' AND EXISTS (SELECT FROM jsonb_each_text(s.row) e WHERE trim(e.value) = ANY (_values));
    GET DIAGNOSTICS _rows = ROW_COUNT;
    RETURN _rows;
END $$;

-- Erase these customers wherever a table names them; rows touched by table.
CREATE FUNCTION desk.erase_all(_customers text[], _kind text, _reason text, _by text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    _table   record;
    _rows    bigint;
    _touched jsonb := '{}';
    _values  text[];
BEGIN
    -- Whoever fills these waits, and then sees the erasure: nothing is put back behind it.
    LOCK TABLE feed.customers, desk.directory, desk.scores IN SHARE ROW EXCLUSIVE MODE;
    INSERT INTO desk.erasures (customer_id, kind, reason, erased_by)
    SELECT DISTINCT c, _kind, desk.without_cards(_reason), _by FROM unnest(_customers) c;
    SELECT array_agg(v) INTO _values FROM (
        SELECT unnest(_customers) v UNION
        SELECT unnest(ARRAY[c.phone, c.email, c.name]) FROM crm.customers c WHERE c.customer_id = ANY (_customers)) t
    WHERE length(v) > 0;
    FOR _table IN
        SELECT c.name, c.of_them, k.blanked, k.table_name IS NOT NULL AS is_kept
        FROM desk.tables_of_customers() c LEFT JOIN desk.kept_tables k ON k.table_name = c.name
        WHERE k.table_name IS NULL OR k.blanked <> '{}'
        ORDER BY c.key <> 'contact_id', c.key <> 'case_id', c.name  -- what hangs on a contact or call before these
    LOOP
        IF _table.is_kept THEN
            EXECUTE format('UPDATE %s t SET (%2$s) = (SELECT %2$s FROM jsonb_populate_record(NULL::%1$s, $2)) WHERE %3$s',
                           _table.name, (SELECT string_agg(format('%I', k), ', ') FROM jsonb_object_keys(_table.blanked) k),
                           _table.of_them)
            USING _customers, _table.blanked;
        ELSE
            EXECUTE format('DELETE FROM %s t WHERE %s', _table.name, _table.of_them) USING _customers;
        END IF;
        GET DIAGNOSTICS _rows = ROW_COUNT;
        _touched := _touched || CASE WHEN _rows > 0 THEN jsonb_build_object(_table.name, _rows) ELSE '{}' END;
    END LOOP;
    _rows := desk.blank_set_aside(_values);
    RETURN _touched || CASE WHEN _rows > 0 THEN jsonb_build_object('feed.set_aside', _rows) ELSE '{}' END;
END $$;

-- Erase one on request. Asking again is no harm. facts: rows by table, and whether the company's own system must erase too.
CREATE FUNCTION desk.erase_one(_me desk.person, _by text, _customer_id text, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql AS $$
DECLARE
    _rows jsonb;
BEGIN
    IF length(trim(coalesce(_reason, ''))) NOT BETWEEN 3 AND 500 THEN
        PERFORM desk.refuse('KL802', 'Say in a few words who asked for it and when.');
    ELSIF EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = _customer_id) THEN
        RETURN ('replayed', NULL, NULL, '{}', NULL, _customer_id, NULL, NULL)::desk.verdict;
    ELSIF NOT EXISTS (SELECT FROM crm.customers c WHERE c.customer_id = _customer_id)
        AND NOT EXISTS (SELECT FROM desk.ledger_customers c WHERE c.customer_id = _customer_id) THEN
        PERFORM desk.refuse('KL801', 'There is no customer of this account.');
    END IF;
    _rows := desk.erase_all(ARRAY[_customer_id], 'request', _reason, _by);
    PERFORM desk.note(_me, 'erased', 'customer', _customer_id, jsonb_build_object('by', _by, 'rows', _rows));
    RETURN ('done', NULL, NULL, jsonb_build_object('rows', _rows, 'source_too', NOT EXISTS (
        SELECT FROM desk.company c WHERE c.source = 'simulated')), NULL, _customer_id, NULL, NULL)::desk.verdict;
END $$;

CREATE FUNCTION desk.erase_customer(_token text, _customer_id text, _reason text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    _me    desk.person;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'administrator');
    RETURN desk.erase_one(_me, _me.staff_id, _customer_id, _reason);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('erase_customer', _token, jsonb_build_object('customer_id', _customer_id), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- The same by whoever runs the command line on the server.
CREATE FUNCTION desk.erase_by_job(_customer_id text, _reason text, _by text) RETURNS desk.verdict
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT desk.erase_one(NULL, _by, _customer_id, _reason)
$$;

-- what is held about one -----------------------------------------------------------------------------------------------

-- Every row of every table that names this customer, by table; their notes, receipts and who looked at them among it.
CREATE FUNCTION desk.all_held(_customer_id text, _by text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _table record;
    _rows  jsonb;
    _held  jsonb := '{}';
BEGIN
    FOR _table IN
        SELECT c.name, c.of_them FROM desk.tables_of_customers() c WHERE c.name LIKE 'desk.%'
        UNION ALL
        SELECT format('crm.%I', c.relname), 't.customer_id = ANY ($1)'
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'customer_id'
        WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('v', 'm', 'r')
        UNION ALL VALUES
            ('desk.decision_rungs', 't.decision_id IN (SELECT d.decision_id FROM desk.decisions d WHERE d.customer_id = ANY ($1))'),
            ('desk.decision_answers', 't.decision_id IN (SELECT d.decision_id FROM desk.decisions d WHERE d.customer_id = ANY ($1))'),
            ('desk.approval_history', 't.approval_id IN (SELECT r.approval_id FROM desk.approval_requests r WHERE r.customer_id = ANY ($1))'),
            ('desk.save_stages', 't.intent_id IN (SELECT i.intent_id FROM desk.cancel_intents i WHERE i.customer_id = ANY ($1))'),
            ('desk.audit', 't.subject_kind = ''customer'' AND t.subject = ANY ($1)'),
            ('feed.set_aside', 'EXISTS (SELECT FROM jsonb_each_text(t.row) e WHERE trim(e.value) = ANY ($1))')
        ORDER BY 1
    LOOP
        EXECUTE format('SELECT jsonb_agg(to_jsonb(t)) FROM %s t WHERE %s', _table.name, _table.of_them)
        INTO _rows USING ARRAY[_customer_id];
        _held := _held || CASE WHEN _rows IS NOT NULL THEN jsonb_build_object(_table.name, _rows) ELSE '{}' END;
    END LOOP;
    IF _held = '{}' THEN
        PERFORM desk.refuse('KL801', 'There is no customer of this account.');
    END IF;
    PERFORM desk.note(desk.session_person(), 'exported', 'customer', _customer_id, jsonb_build_object('by', _by, 'what', 'all held'));
    RETURN _held;
END $$;

CREATE FUNCTION desk.held_about(_token text, _customer_id text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    PERFORM desk.require_role(_me, 'administrator');
    RETURN desk.all_held(_customer_id, _me.staff_id);
END $$;

-- retention ------------------------------------------------------------------------------------------------------------

-- How long what is kept. Of several rows for one subject the newest holds; none is ever changed.
CREATE TABLE desk.retention_periods (
    subject   text NOT NULL CHECK (subject IN ('sessions', 'set_aside', 'notes', 'case_texts', 'left_customers', 'look_ups', 'accounts')),
    set_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    days      integer CHECK (days > 0),         -- NULL: kept
    reason    text NOT NULL,
    reference text,
    set_by    text NOT NULL,
    PRIMARY KEY (subject, set_at)
);
CALL desk.make_append_only('desk.retention_periods');
INSERT INTO desk.retention_periods VALUES
    ('sessions', '-infinity', 90, 'Who was signed in when: to look into something that came up lately.', 'GDPR art. 5(1)(e)', 'default'),
    ('set_aside', '-infinity', 90, 'Rows an import could not take: to mend the source, then no more.', 'GDPR art. 5(1)(e)', 'default'),
    ('notes', '-infinity', 730, 'What was said: reasons for leaving are learned from two years.', 'GDPR art. 5(1)(e)', 'default'),
    ('case_texts', '-infinity', 730, 'What was broken, in the agent''s words: as long as notes.', 'GDPR art. 5(1)(e)', 'default'),
    ('left_customers', '-infinity', 2190, 'Claims from a contract may be raised for six years after its end.', 'Limitation Act 1980, s. 5', 'default'),
    ('look_ups', '-infinity', NULL, 'Who saw whom stands in the sealed audit, by key: a row removed is what its seals are there to find.',
     'GDPR art. 5(2)', 'default'),
    ('accounts', '-infinity', NULL, 'Ledger, receipts and approvals are accounts, by key: nothing in them says who it was.',
     'GDPR art. 17(3)(b)', 'default');

CREATE FUNCTION desk.set_retention(_token text, _subject text, _days integer, _reason text, _reference text) RETURNS desk.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me    desk.person;
    _facts text;
    _who   text;
BEGIN
    _me := desk.who(_token);
    PERFORM desk.require_role(_me, 'administrator');
    IF _subject IN ('look_ups', 'accounts') THEN
        PERFORM desk.refuse('KL803', 'Rows of the audit and the ledger are never removed, so they have no period.');
    ELSIF length(trim(coalesce(_reason, ''))) < 3 OR NOT _days BETWEEN 1 AND 36500 THEN
        PERFORM desk.refuse('KL803', 'A period is 1 to 36,500 days and has a reason.');
    END IF;
    INSERT INTO desk.retention_periods (subject, days, reason, reference, set_by) VALUES (_subject, _days, _reason, _reference, _me.staff_id);
    PERFORM desk.note(_me, 'changed', 'retention', _subject, jsonb_build_object('days', _days));
    RETURN desk.done(_subject);
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'KL%' THEN RAISE; END IF;
    GET STACKED DIAGNOSTICS _facts = PG_EXCEPTION_DETAIL, _who = PG_EXCEPTION_HINT;
    RETURN desk.refused('set_retention', _token, jsonb_build_object('subject', _subject, 'days', _days), SQLSTATE, SQLERRM, _facts, _who);
END $$;

-- Remove what has been kept long enough; rows by subject. Rolled back it is a count of what would go. The company's data go
-- by the company's own time, sessions and set-aside rows by the clock. What the company keeps in its own views is its own.
CREATE FUNCTION desk.apply_retention(_by text)
    RETURNS TABLE (subject text, days integer, before timestamptz, affected bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _period record;
    _gone   text[];
    _did    jsonb := '{}';
BEGIN
    FOR _period IN
        SELECT DISTINCT ON (p.subject) p.subject, p.days FROM desk.retention_periods p ORDER BY p.subject, p.set_at DESC
    LOOP
        subject := _period.subject;
        days := _period.days;
        before := CASE WHEN subject IN ('sessions', 'set_aside') THEN clock_timestamp() ELSE desk.business_clock() END
            - make_interval(days => days);
        affected := 0;
        CASE subject
        WHEN 'sessions' THEN
            DELETE FROM desk.sessions s WHERE s.expires_at < before;
            GET DIAGNOSTICS affected = ROW_COUNT;
        WHEN 'set_aside' THEN
            UPDATE feed.set_aside a SET value = NULL, row = '{}' FROM feed.files f
            WHERE f.file_id = a.file_id AND f.imported_at < before AND a.row <> '{}';
            GET DIAGNOSTICS affected = ROW_COUNT;
        WHEN 'notes' THEN
            UPDATE feed.contacts c SET notes = NULL WHERE c.started_at < before AND c.notes IS NOT NULL;
            GET DIAGNOSTICS affected = ROW_COUNT;
        WHEN 'case_texts' THEN
            UPDATE desk.cases c SET what_is_broken = NULL
            WHERE coalesce(c.closed_at, c.opened_at) < before AND c.what_is_broken IS NOT NULL;
            GET DIAGNOSTICS affected = ROW_COUNT;
        WHEN 'left_customers' THEN
            _gone := ARRAY(
                SELECT c.customer_id FROM feed.customers c
                WHERE c.joined_on < before::date AND NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = c.customer_id)
                    AND NOT EXISTS (SELECT FROM feed.subscriptions s WHERE s.customer_id = c.customer_id
                                    AND (s.ended_on IS NULL OR s.ended_on >= before::date)));
            affected := cardinality(_gone);
            IF affected > 0 THEN
                PERFORM desk.erase_all(_gone, 'retention', 'kept long enough after the contract ended', _by);
            END IF;
        ELSE NULL;  -- kept
        END CASE;
        _did := _did || jsonb_build_object(subject, affected);
        RETURN NEXT;
    END LOOP;
    PERFORM desk.note(desk.session_person(), 'retained', 'retention', NULL, jsonb_build_object('by', _by, 'rows', _did));
END $$;

-- what is read without the erased --------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION desk.find_customers(_by text, _key text, _account_like text, _digits_like text)
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
        FROM crm.customers c
        WHERE c.customer_id = ANY (_hits) AND NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = c.customer_id))
    SELECT f.* FROM found f ORDER BY f.plan IS NULL, f.name, f.customer_id LIMIT 20;
    PERFORM desk.note(_me, 'searched', 'customer', CASE WHEN cardinality(_hits) = 1 THEN _hits[1] END,
                      jsonb_build_object('by', _by, 'found', cardinality(_hits)));
END $$;

CREATE OR REPLACE FUNCTION desk.open_case(_customer_id text, _opened_by text) RETURNS uuid
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
    IF NOT EXISTS (SELECT FROM crm.customers c WHERE c.customer_id = _customer_id) OR desk.is_erased(_customer_id) THEN
        RETURN NULL;
    END IF;
    INSERT INTO desk.cases (staff_id, customer_id, opened_by) VALUES (_me.staff_id, _customer_id, _opened_by)
    RETURNING case_id INTO _case;
    PERFORM desk.note(_me, 'saw', 'customer', _customer_id, jsonb_build_object('case', _case, 'by', _opened_by));
    RETURN _case;
END $$;

CREATE OR REPLACE FUNCTION desk.make_reading_views() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _name text;
    _of_caller constant text := ' WHERE t.customer_id = ANY ((SELECT desk.my_callers())::text[])';
    -- What is blanked here may still stand in the company's own views.
    _not_erased constant text := ' AND NOT EXISTS (SELECT FROM desk.erasures e WHERE e.customer_id = t.customer_id)';
    _columns text;
BEGIN
    FOREACH _name IN ARRAY ARRAY['customers', 'subscriptions', 'invoices', 'contacts', 'usage', 'change_events', 'concessions'] LOOP
        EXECUTE format('DROP VIEW IF EXISTS caller.%1$I, masked.%1$I', _name);
        CONTINUE WHEN to_regclass('crm.' || _name) IS NULL;
        BEGIN
            _columns := CASE _name
                WHEN 'customers' THEN 't.customer_id, t.name, desk.masked_phone(t.phone) AS phone, desk.masked_email(t.email) AS email, '
                    't.joined_on, t.segment, t.region, t.language, t.currency, t.is_vulnerable, t.is_do_not_offer, t.attributes'
                -- Notes that came by files are without card numbers; a company's own are cleaned as they are read.
                WHEN 'contacts' THEN 't.contact_id, t.customer_id, t.started_at, t.ended_at, t.channel, t.direction, t.queue, '
                    't.reason, t.agent_id, t.is_resolved, t.is_escalated, t.csat, CASE WHEN '
                    '(SELECT c.source = ''views'' FROM desk.company c) THEN desk.without_cards(t.notes) ELSE t.notes END AS notes'
                ELSE 't.*' END;
            EXECUTE format('CREATE VIEW caller.%1$I WITH (security_barrier) AS SELECT %2$s FROM crm.%1$I t %3$s',
                           _name, _columns, CASE WHEN _name <> 'change_events' THEN _of_caller || _not_erased ELSE '' END);
            _columns := CASE _name
                WHEN 'customers' THEN 't.customer_id, desk.masked_name(t.name) AS name, NULL::text AS phone, NULL::text AS email, '
                    't.joined_on, t.segment, t.region, t.language, t.currency, t.is_vulnerable, t.is_do_not_offer, '
                    '(SELECT coalesce(jsonb_object_agg(e.key, e.value), ''{}'') FROM jsonb_each(t.attributes) e '
                    'WHERE jsonb_typeof(e.value) IN (''number'', ''boolean'')) AS attributes'
                WHEN 'contacts' THEN 't.contact_id, t.customer_id, t.started_at, t.ended_at, t.channel, t.direction, t.queue, '
                    't.reason, t.agent_id, t.is_resolved, t.is_escalated, t.csat, NULL::text AS notes'
                ELSE 't.*' END;
            EXECUTE format('CREATE VIEW masked.%1$I WITH (security_barrier) AS SELECT %2$s FROM crm.%1$I t '
                           'WHERE (SELECT desk.may_read_masked()) %3$s', _name, _columns,
                           CASE WHEN _name = 'customers' THEN _not_erased ELSE '' END);
            EXECUTE format('GRANT SELECT ON caller.%I TO keepline_agent, keepline_supervisor', _name);
            EXECUTE format('GRANT SELECT ON masked.%I TO keepline_leader, keepline_finance, keepline_analyst, keepline_admin', _name);
        EXCEPTION WHEN undefined_column OR undefined_function THEN
            RAISE NOTICE '%', SQLERRM;  -- `check` says what their view lacks; what mends it calls this again
        END;
    END LOOP;
END $$;
SELECT desk.make_reading_views();

RESET ROLE;
