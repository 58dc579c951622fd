-- A role for each service, none of them a superuser. Safe to run again: what is there stays, and what an earlier
-- version has made as another role is handed over. `invigil db upgrade` gives the rights on tables (index/roles.py).

DO $$
DECLARE
    role_name text;
    thing record;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['invigil_migrate', 'invigil_api', 'invigil_worker', 'invigil_trainer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role_name);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());

    -- The tables are the migration's, and the engine of jobs has a schema that is the worker's alone.
    CREATE SCHEMA IF NOT EXISTS dbos;
    ALTER SCHEMA dbos OWNER TO invigil_worker;
    ALTER SCHEMA public OWNER TO invigil_migrate;
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    GRANT USAGE ON SCHEMA public TO invigil_api, invigil_worker, invigil_trainer;

    FOR thing IN
        SELECT c.oid::regclass AS name, n.nspname AS schema
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'dbos') AND c.relkind IN ('r', 'v', 'p')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %I', thing.name,
            CASE thing.schema WHEN 'dbos' THEN 'invigil_worker' ELSE 'invigil_migrate' END);
    END LOOP;
    FOR thing IN
        SELECT p.oid::regprocedure AS name, n.nspname AS schema
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('public', 'dbos') AND p.prokind = 'f'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %I', thing.name,
            CASE thing.schema WHEN 'dbos' THEN 'invigil_worker' ELSE 'invigil_migrate' END);
    END LOOP;
END $$;
