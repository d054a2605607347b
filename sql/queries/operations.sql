-- What an operator watches: whether the database is up to date, what happens, how old things are.

-- migrations --
-- Migrations this database has had, by name.
SELECT name, sha256 FROM public.keepline_migrations ORDER BY number

-- activity --
-- Rows of the ledger by kind and refusals by code, each written within the last hour.
SELECT 'ledger' AS subject, kind AS name, count(*) AS times FROM desk.ledger
WHERE recorded_at > clock_timestamp() - interval '1 hour' GROUP BY kind
UNION ALL
SELECT 'refused', code, count(*) FROM desk.refusals
WHERE refused_at > clock_timestamp() - interval '1 hour' GROUP BY code

-- ages --
-- Requests that wait, and in seconds the age of scores, imports and the oldest row not yet sealed; NULL: none.
SELECT (SELECT count(*) FROM desk.approval_requests r
        WHERE r.state = 'asked' AND r.expires_at > clock_timestamp()) AS approvals_waiting,
    extract(epoch FROM clock_timestamp() - (SELECT max(r.as_of) FROM desk.scoring_runs r))::float8 AS scores_seconds,
    extract(epoch FROM clock_timestamp() - (SELECT max(f.imported_at) FROM feed.files f))::float8 AS import_seconds,
    extract(epoch FROM clock_timestamp() - least(
        (SELECT min(t.happened_at) FROM desk.audit_trail t WHERE t.source = 'audit' AND t.id > coalesce((
            SELECT max(s.ids[cardinality(s.ids)]) FROM desk.seals s WHERE s.table_name = 'audit'), 0)),
        (SELECT min(t.happened_at) FROM desk.audit_trail t WHERE t.source = 'ledger' AND t.id > coalesce((
            SELECT max(s.ids[cardinality(s.ids)]) FROM desk.seals s WHERE s.table_name = 'ledger'), 0)),
        (SELECT min(t.happened_at) FROM desk.audit_trail t WHERE t.source = 'refusals' AND t.id > coalesce((
            SELECT max(s.ids[cardinality(s.ids)]) FROM desk.seals s WHERE s.table_name = 'refusals'), 0))
    ))::float8 AS unsealed_seconds

-- lead --
-- Whether this process does the housekeeping of this minute.
SELECT pg_try_advisory_xact_lock(%(lock)s::bigint) AS leads
