-- What the company's database is found to hold: its catalogue, its state, its models.

-- state --
-- How far this database has been set up.
SELECT EXISTS (SELECT FROM desk.company)   AS has_company,
       (SELECT source FROM desk.company)   AS source,
       EXISTS (SELECT FROM desk.directory) AS has_directory,
       (SELECT bool_and(EXISTS (SELECT FROM desk.model_versions AS m
                                WHERE m.kind = kinds.kind AND m.status IN ('current', 'refused')))
        FROM unnest(ARRAY['risk', 'survival', 'why', 'effect']) AS kinds (kind)) AS has_models,
       EXISTS (SELECT FROM desk.scores)
           OR NOT EXISTS (SELECT FROM desk.model_versions WHERE kind = 'risk' AND status = 'current') AS has_scores,
       EXISTS (SELECT FROM desk.data_profiles) AS has_night;

-- customers --
-- Whether the company has a single customer.
SELECT EXISTS (SELECT FROM crm.customers) AS has_customers;

-- moment --
-- "Now" of this company, the zone its days are days in, and its day.
SELECT as_of, time_zone, (as_of AT TIME ZONE time_zone)::date AS today
FROM (SELECT coalesce((SELECT data_until FROM desk.company), now()) AS as_of,
             coalesce((SELECT time_zone FROM desk.company), 'UTC')  AS time_zone) AS company;

-- relations --
-- Every relation in the schema: its kind, its definition, which of our roles may not read it.
SELECT c.relname                                                                              AS name,
       c.relkind::text                                                                        AS kind,
       CASE WHEN c.relkind IN ('v', 'm') THEN rtrim(pg_get_viewdef(c.oid, true), E';\n ') END AS definition,
       ARRAY(SELECT r.rolname::text FROM pg_roles AS r
             WHERE r.rolname IN ('keepline_batch', 'keepline_owner') AND NOT has_table_privilege(r.oid, c.oid, 'SELECT')
             UNION ALL
             SELECT 'people at the desk' WHERE to_regclass('caller.' || c.relname) IS NULL)  AS unreadable_by
FROM pg_class AS c
WHERE c.relnamespace = to_regnamespace(%(schema)s) AND c.relkind IN ('v', 'm', 'r', 'p', 'f');

-- columns --
-- Every column in the schema, in its relation's order: the name of its type, and the type as SQL writes it.
SELECT c.relname AS relation, a.attname AS name, t.typname AS type, format_type(a.atttypid, a.atttypmod) AS sql_type
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS t ON t.oid = coalesce(nullif((SELECT typbasetype FROM pg_type WHERE oid = a.atttypid), 0), a.atttypid)
WHERE c.relnamespace = to_regnamespace(%(schema)s) AND c.relkind IN ('v', 'm', 'r', 'p', 'f')
ORDER BY c.relname, a.attnum;

-- table_size --
-- How many rows a table is thought to have.
SELECT reltuples::bigint AS rows
FROM pg_class
WHERE relname = %(name)s AND relnamespace = to_regnamespace(quote_ident(%(schema)s));

-- models --
-- Of each kind of model: the current version, whether its bytes are those that were registered, the newest refusal.
SELECT kinds.kind,
       m.model_version,
       m.data_as_of,
       encode(sha256(m.artifact), 'hex') = m.sha256                               AS is_intact,
       (SELECT refusal FROM desk.model_versions AS r
        WHERE r.kind = kinds.kind AND r.model_version > coalesce(m.model_version, 0) AND r.status = 'refused'
        ORDER BY r.model_version DESC LIMIT 1)                                    AS refusal
FROM unnest(ARRAY['risk', 'survival']) AS kinds (kind)
LEFT JOIN desk.model_versions AS m ON m.kind = kinds.kind AND m.status = 'current';

-- set_aside --
-- Files of which rows were set aside, newest import of each path, worst first.
SELECT path, file_id, rows_read, rows_set_aside, reason
FROM (SELECT DISTINCT ON (f.path) f.path, f.file_id, f.rows_read, f.rows_set_aside,
             (SELECT reason FROM feed.set_aside AS s WHERE s.file_id = f.file_id
              GROUP BY reason ORDER BY count(*) DESC, reason LIMIT 1) AS reason
      FROM feed.files AS f
      ORDER BY f.path, f.file_id DESC) AS newest
WHERE rows_set_aside > 0
ORDER BY rows_set_aside DESC, path
LIMIT 50;
