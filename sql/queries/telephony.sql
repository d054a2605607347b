-- What the telephone system says of calls: their end, their wrap-up codes.

-- end_call --
-- A call has ended, with its wrap-up code or without.
SELECT outcome, code, sentence, facts, who_can_lift, key
FROM desk.end_call(%(event)s::text, %(contact)s::text, %(agent)s::text, %(wrap_up)s::text, %(ended_at)s::timestamptz)

-- close_by_contacts --
-- One row per open case whose call came in as a contact row that has ended.
SELECT case_id, contact_id, outcome, sentence FROM desk.close_by_contacts(%(after)s::interval)

-- keep_contact --
-- Keep which call my open case is.
SELECT desk.keep_contact(%(token)s::text, %(case_id)s::uuid, %(contact)s::text)

-- codes --
-- What each wrap-up code means.
SELECT code, outcome FROM desk.wrap_up_codes ORDER BY code

-- set_code --
-- Give a wrap-up code its meaning, or another one.
INSERT INTO desk.wrap_up_codes (code, outcome) VALUES (%(code)s, %(outcome)s)
ON CONFLICT (code) DO UPDATE SET outcome = excluded.outcome RETURNING code
