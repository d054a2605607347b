-- Who signs in, who looked at what, and whether what was written down still is as it was.

-- sign_in --
-- Sign in whom a provider vouches for; the token is shown this one time.
SELECT token, session_id, staff_id, role, team, expires_at
FROM desk.sign_in(%(subject)s::text, %(issued_at)s::timestamptz, %(name)s::text, %(role)s::text, %(team)s::text)

-- sign_out --
-- End every session of one sign-in.
SELECT desk.sign_out(%(token)s::text)

-- is_here --
-- Whether the session of this transaction still stands.
SELECT (p).staff_id IS NOT NULL AS is_here FROM desk.session_person() p

-- staff --
-- The staff list, those who left included.
SELECT staff_id, name, role, team, sign_in, is_active FROM desk.staff ORDER BY is_active DESC, role, staff_id

-- set_staff --
-- Add a person, or change what they are.
SELECT desk.set_staff(%(staff_id)s::text, %(name)s::text, %(role)s::text, %(team)s::text, %(sign_in)s::text, %(is_active)s::boolean)

-- note_view --
-- What a page shows of many people, or gives away as a file, written down.
SELECT desk.note_view(%(act)s::text, %(page)s::text, %(detail)s::jsonb)

-- seal --
-- Seal what was written down since the last time; how many rows.
SELECT desk.seal_audit() AS sealed

-- verify --
-- One row per thing that is not as it was sealed; none when all is well.
SELECT seal_id, table_name, id, problem FROM desk.verify_audit()

-- roots --
-- The newest seals first: what to keep off this host.
SELECT seal_id, table_name, encode(root, 'hex') AS root, sealed_at, cardinality(ids) AS rows FROM desk.seals ORDER BY seal_id DESC LIMIT %(most)s::int

-- has_root --
-- Whether a root kept elsewhere is in the chain.
SELECT EXISTS (SELECT FROM desk.seals WHERE root = decode(%(root)s::text, 'hex')) AS is_there

-- trail --
-- What was done, seen or refused, newest first, by person, act, subject and days.
SELECT source, id, happened_at, staff_id, act, subject_kind, subject, detail, request_id
FROM desk.audit_trail
WHERE (%(staff_id)s::text IS NULL OR staff_id = %(staff_id)s::text) AND (%(act)s::text IS NULL OR act = %(act)s::text)
    AND (%(subject)s::text IS NULL OR subject = %(subject)s::text)
    AND happened_at >= %(since)s::timestamptz AND happened_at < %(until)s::timestamptz
ORDER BY happened_at DESC, source, id DESC LIMIT %(most)s::int

-- alerts --
-- Who reached a limit of looking people up, newest first.
SELECT staff_id, act, hour, times, per_hour FROM desk.lookup_alerts ORDER BY hour DESC, times DESC LIMIT 50
