-- Database roles. Run before every migration; running it again changes nothing.
-- Nobody logs in as one of these: the app's login is a member and takes one role per transaction (SET LOCAL ROLE).

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'keepline_owner',       -- owns schemas, tables and functions; no page ever runs as it
        'keepline_batch',       -- imports, synchronises, trains, scores
        'keepline_agent',       -- one caller at a time
        'keepline_supervisor',  -- the team's cases and approvals
        'keepline_leader',      -- trends, masked
        'keepline_finance',     -- spend and policy, masked
        'keepline_analyst',     -- pseudonymous features and models
        'keepline_admin',       -- people, sources, audit
        'keepline_mapper',      -- owns crm's views: reads what a mapping needs of the company's tables, nothing else
        'keepline_report'       -- the company's own reporting tools: reads schema report, nothing else
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of the same server was set up at the same moment
            END;
        END IF;
    END LOOP;
    -- Only who is of a role may make objects that role's. The embedded server's app login never is.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT keepline_mapper TO %I', current_user);
    END IF;
END
$$;
