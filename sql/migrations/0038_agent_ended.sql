-- The agent's word on how a call ended stands above what the telephone system said before: nothing they write is lost.

ALTER TABLE desk.cases ADD COLUMN agent_ended_at timestamptz;
-- Of the calls closed before, nobody knows by whom: they stay as they are.
UPDATE desk.cases SET agent_ended_at = closed_at WHERE closed_at IS NOT NULL;
