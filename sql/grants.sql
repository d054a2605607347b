-- Who may touch what. Run after every migration; running it again changes nothing.
-- Anything not granted here is refused by the database.

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO keepline_owner, keepline_batch, keepline_agent, keepline_supervisor, '
                   'keepline_leader, keepline_finance, keepline_analyst, keepline_admin', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO keepline_batch', current_database());
END
$$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA crm, desk TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO keepline_batch, keepline_agent, keepline_supervisor;
GRANT SELECT ON desk.company TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;
GRANT SELECT ON desk.staff TO
    keepline_batch, keepline_agent, keepline_supervisor, keepline_leader, keepline_finance, keepline_analyst, keepline_admin;

-- Jobs: fill feed, read the company, write models and scores.
GRANT USAGE ON SCHEMA feed TO keepline_batch, keepline_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA feed TO keepline_batch;
GRANT TRUNCATE ON ALL TABLES IN SCHEMA feed TO keepline_batch;
GRANT SELECT ON feed.files, feed.set_aside TO keepline_admin;
GRANT INSERT, UPDATE, DELETE ON desk.company, desk.staff TO keepline_batch;
GRANT SELECT, INSERT, UPDATE, DELETE ON desk.directory, desk.scores, desk.model_versions TO keepline_batch;
GRANT TRUNCATE ON desk.directory, desk.scores TO keepline_batch;

-- The desk: read one caller, remember who was on screen.
GRANT SELECT ON desk.directory, desk.scores, desk.model_versions TO keepline_agent, keepline_supervisor;
GRANT SELECT, INSERT, UPDATE ON desk.cases TO keepline_agent, keepline_supervisor;

-- Models: the analyst and the administrator see them; promotion is a person's act.
GRANT SELECT ON desk.model_versions TO keepline_analyst, keepline_leader, keepline_finance, keepline_admin;
