-- Properties of the database itself, and settings of roles in it. Run last, as superuser, connected to the database.
SET client_min_messages = warning;
COMMENT ON DATABASE :"DBNAME" IS E'a comment of a database: it''s "quoted", \\ and\nof two lines';
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO fidelity_app WITH GRANT OPTION;
GRANT CREATE ON DATABASE :"DBNAME" TO "Fidelity Quoted ""Role""";
REVOKE TEMPORARY ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO PUBLIC;
-- Settings: a number with a unit, a list of names of which some need quoting, one that is empty, texts with quotes and
-- backslashes, one of a name that no server knows, and a name that is written in mixed case.
ALTER DATABASE :"DBNAME" SET work_mem = '7MB';
ALTER DATABASE :"DBNAME" SET statement_timeout = 3600000;
ALTER DATABASE :"DBNAME" SET search_path = "$user", public, extensions, "Odd ""Schema""", "with,comma";
ALTER DATABASE :"DBNAME" SET "custom.guc" = 'it''s \ "x", y';
ALTER DATABASE :"DBNAME" SET "custom.Other_Empty" = '';
ALTER DATABASE :"DBNAME" SET temp_tablespaces = '';
ALTER DATABASE :"DBNAME" SET default_text_search_config = 'pg_catalog.german';
ALTER DATABASE :"DBNAME" SET application_name = 'größe %s ''quoted''';
ALTER DATABASE :"DBNAME" SET enable_seqscan = on;
ALTER DATABASE :"DBNAME" SET plan_cache_mode = force_custom_plan;
ALTER DATABASE :"DBNAME" SET random_page_cost = 1.1;
-- Settings that a session of the clone must not take over: they change how values and definitions are written and read.
ALTER DATABASE :"DBNAME" SET DateStyle = 'SQL, DMY';
ALTER DATABASE :"DBNAME" SET IntervalStyle = 'sql_standard';
ALTER DATABASE :"DBNAME" SET TimeZone = 'Asia/Kolkata';
ALTER DATABASE :"DBNAME" SET bytea_output = 'escape';
ALTER DATABASE :"DBNAME" SET extra_float_digits = 0;
ALTER DATABASE :"DBNAME" SET standard_conforming_strings = off;
ALTER DATABASE :"DBNAME" SET escape_string_warning = off;
ALTER DATABASE :"DBNAME" SET transform_null_equals = on;
ALTER DATABASE :"DBNAME" SET array_nulls = off;
ALTER DATABASE :"DBNAME" SET xmloption = document;
ALTER DATABASE :"DBNAME" SET quote_all_identifiers = on;
ALTER DATABASE :"DBNAME" SET default_transaction_isolation = 'serializable';
ALTER DATABASE :"DBNAME" SET row_security = on;
ALTER DATABASE :"DBNAME" SET session_replication_role = origin;
-- Settings of roles in this database, of one whose name needs quoting, and of the owner.
ALTER ROLE fidelity_app IN DATABASE :"DBNAME" SET search_path = "App Schema", public;
ALTER ROLE fidelity_app IN DATABASE :"DBNAME" SET work_mem = '9MB';
ALTER ROLE "Fidelity Quoted ""Role""" IN DATABASE :"DBNAME" SET "custom.guc" = '\';
ALTER ROLE fidelity_owner IN DATABASE :"DBNAME" SET lock_timeout = '1min';
ALTER ROLE fidelity_owner IN DATABASE :"DBNAME" SET DateStyle = 'German';
