-- Ready mappings: what the database has to read, what is registered, what hangs in crm.

-- schemas --
-- Schemas of the company's own tables: none of the server's, none of ours.
SELECT n.nspname::text AS name, count(*)::int AS tables
FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
WHERE n.nspname !~ '^pg_' AND n.nspname <> ALL (%(not_theirs)s::text[]) AND c.relname !~ '^keepline_'
GROUP BY n.nspname ORDER BY n.nspname

-- tables --
-- Every column of a schema's tables with the name of its type, and whether a mapping may read the table.
SELECT c.relname::text AS table_name, a.attname::text AS column_name,
       t.typname::text AS type, has_table_privilege('keepline_mapper', c.oid, 'SELECT')
           AND has_schema_privilege('keepline_mapper', c.relnamespace, 'USAGE') AS may_read
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = coalesce(nullif((SELECT b.typbasetype FROM pg_type b WHERE b.oid = a.atttypid), 0), a.atttypid)
WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, a.attnum

-- indexes --
-- About how many rows each table of a schema has, and which columns stand first or second in an index.
SELECT c.relname::text AS table_name,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples ELSE pg_relation_size(c.oid) / 100 END::bigint AS rows,
       ARRAY(SELECT DISTINCT a.attname::text FROM pg_index i
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum IN (i.indkey[0], i.indkey[1])
             WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL) AS indexed
FROM pg_class c
WHERE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND c.relkind IN ('r', 'm')

-- register --
-- Put a mapping among those a page may use; its key. Takes the installing login.
SELECT desk.register_mapping(%(title)s, %(chosen)s::jsonb, %(views)s::text[], %(statement)s, %(by)s) AS mapping_id

-- mappings --
-- What is registered, newest first.
SELECT m.mapping_id, m.title, m.chosen, m.views, m.statement, m.sha256, m.registered_at, m.registered_by
FROM desk.mappings m ORDER BY m.mapping_id DESC

-- moves --
-- What crm's views were, newest first: the first row is in force.
SELECT v.move_id, v.mapping_id, v.moved_at, v.moved_by, v.reason, m.title
FROM desk.mapping_moves v LEFT JOIN desk.mappings m USING (mapping_id)
ORDER BY v.move_id DESC LIMIT 50

-- propose --
-- A mapping's views in the schema proposed, for whoever rolls back; by an administrator.
SELECT desk.propose_mapping(%(mapping_id)s)

-- propose_on_host --
-- The same by a command, which takes the installing login.
SELECT desk.hang_views(%(mapping_id)s, 'proposed')

-- rows --
-- Some rows of a proposed view as an administrator may see them.
SELECT r AS row FROM desk.proposed_rows(%(view)s, %(most)s) AS r

-- apply --
-- Hang a mapping in crm, or with no mapping the feed's own views; by an administrator.
SELECT * FROM desk.apply_mapping(%(token)s, %(mapping_id)s::bigint, %(sha256)s::text, %(reason)s)

-- apply_on_host --
-- The same by a command, which takes the installing login.
SELECT desk.move_mapping(NULL, %(by)s, %(mapping_id)s::bigint, %(reason)s)

-- name_company --
-- Whose the tables are, where nobody said so yet.
INSERT INTO desk.company (name, time_zone, phone_region, currency, source)
VALUES (%(name)s, %(time_zone)s, %(phone_region)s, %(currency)s, 'views')
ON CONFLICT DO NOTHING
