-- Services of other systems: their keys, their requests, and what they are told of decisions and cases.

-- make_key --
-- A new key, by its digest, for a service.
SELECT desk.make_api_key(%(key_id)s::text, %(sha256)s::bytea, %(staff_id)s::text, %(name)s::text, %(role)s::text, %(team)s::text,
                         %(expires_at)s::timestamptz, %(by)s::text)

-- keys --
-- Every key with its service, the newest first.
SELECT k.key_id, k.staff_id, k.role, s.team, k.made_by, k.made_at, k.expires_at, k.revoked_at,
       (SELECT max(a.happened_at) FROM desk.audit_trail a
        WHERE a.act = 'signed_in' AND a.subject_kind = 'key' AND a.subject = k.key_id) AS last_used_at
FROM desk.api_keys k JOIN desk.staff s USING (staff_id)
ORDER BY k.made_at DESC, k.key_id

-- revoke_key --
-- Take a key back, and end the sessions it opened.
SELECT desk.revoke_api_key(%(key_id)s::text, %(by)s::text) AS is_there

-- open_session --
-- Sign a service in by the digest of its key; the token is shown this one time.
SELECT token, session_id, staff_id, role, team, expires_at FROM desk.open_key_session(%(sha256)s::bytea)

-- claim --
-- Claim a key for a request of mine; whether it is new.
SELECT desk.claim_request(%(token)s::text, %(key)s::uuid, %(act)s::text, %(sha256)s::bytea) AS is_new

-- decision --
-- One decision of mine with what was given from it, or answered.
SELECT d.decision_id, d.case_id, d.customer_id, d.policy_version, d.currency::text AS currency, d.contact_reason, d.receipt,
       encode(sha256(convert_to(d.receipt::text, 'UTF8')), 'hex') AS receipt_sha256, d.decided_at, d.expires_at,
       (SELECT jsonb_object_agg(r.rung, r.ceiling) FROM desk.decision_rungs r WHERE r.decision_id = d.decision_id) AS ceilings,
       (SELECT l.entry_id FROM desk.ledger l WHERE l.decision_id = d.decision_id AND l.kind = 'grant') AS entry_id,
       (SELECT a.answer FROM desk.decision_answers a WHERE a.decision_id = d.decision_id) AS answer
FROM desk.decisions d WHERE d.decision_id = %(decision_id)s::uuid

-- case --
-- One case of mine and how it ended.
SELECT case_id, opened_at, closed_at, outcome, contact_reason, fault
FROM desk.cases WHERE case_id = %(case_id)s::uuid AND staff_id = %(staff_id)s::text

-- take_bookings --
-- What billing applied, taken in once for each key.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.take_bookings(%(token)s::text, %(key)s::uuid, %(bookings)s::jsonb)
