-- A call taken up again after a reload: what was chosen is kept at once. And money written one way, here as in the core.

SET LOCAL ROLE keepline_owner;

-- Minor units as people read them, in the writing of churn.core.money.show: 3550 GBP is £35.50, 3500 JPY is ¥3,500.
CREATE OR REPLACE FUNCTION desk.in_words(_amount bigint, _currency text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN (
        SELECT CASE WHEN _amount < 0 THEN '−' ELSE '' END
               || CASE _currency WHEN 'GBP' THEN '£' WHEN 'EUR' THEN '€' WHEN 'USD' THEN '$' WHEN 'JPY' THEN '¥'
                                 ELSE _currency || ' ' END
               || to_char(abs(_amount) / unit, 'FM999,999,999,999,999,999,990')
               || CASE WHEN abs(_amount) % unit = 0 THEN ''
                       ELSE '.' || lpad((abs(_amount) % unit)::text, digits, '0') END
        FROM (SELECT digits, (10 ^ digits)::bigint AS unit
              FROM (SELECT CASE WHEN _currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX',
                                                   'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
                                WHEN _currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
                                ELSE 2 END AS digits) d) u);

-- What the agent has taken down of an open call: the last word on each. No row: nothing yet.
CREATE TABLE desk.case_notes (
    case_id        uuid PRIMARY KEY REFERENCES desk.cases,
    contact_reason text,
    fault          text CHECK (fault IN ('ours', 'theirs', 'shared', 'none')),
    is_asked       boolean NOT NULL,            -- what would put it right; with neither amount nor kind: they would not say
    ask_amount     bigint CHECK (ask_amount > 0),
    ask_in_kind    text,
    noted_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (is_asked OR num_nonnulls(ask_amount, ask_in_kind) = 0)
);

-- Take down what is known of my call so far.
CREATE FUNCTION desk.note_call(_token text, _case uuid, _contact_reason text, _fault text, _is_asked boolean,
                               _ask_amount bigint, _ask_in_kind text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    IF NOT EXISTS (SELECT FROM desk.cases c WHERE c.case_id = _case AND c.staff_id = _me.staff_id) THEN
        PERFORM desk.refuse('KL202', 'This is not a case of yours; open the caller again.');
    ELSIF EXISTS (SELECT FROM desk.cases c WHERE c.case_id = _case AND c.closed_at IS NOT NULL) THEN
        PERFORM desk.refuse('KL204', 'This call is closed; open the case again.');
    END IF;
    INSERT INTO desk.case_notes (case_id, contact_reason, fault, is_asked, ask_amount, ask_in_kind)
    VALUES (_case, _contact_reason, _fault, _is_asked, _ask_amount, _ask_in_kind)
    ON CONFLICT (case_id) DO UPDATE
    SET contact_reason = excluded.contact_reason, fault = excluded.fault, is_asked = excluded.is_asked,
        ask_amount = excluded.ask_amount, ask_in_kind = excluded.ask_in_kind, noted_at = clock_timestamp();
END $$;

-- What was taken down of a call of mine.
CREATE FUNCTION desk.notes_of(_token text, _case uuid) RETURNS SETOF desk.case_notes
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    _me desk.person := desk.who(_token);
BEGIN
    RETURN QUERY SELECT n.* FROM desk.case_notes n JOIN desk.cases c USING (case_id)
                 WHERE n.case_id = _case AND c.staff_id = _me.staff_id;
END $$;

RESET ROLE;
