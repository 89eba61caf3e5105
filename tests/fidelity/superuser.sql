-- The superuser's part, run after the owner's files in the same database. It needs psql's variable tablespace: the name
-- of a tablespace that the caller made on each server.
SET client_min_messages = warning;
CREATE SCHEMA sup;
CREATE SCHEMA "sup Other" AUTHORIZATION fidelity_app;
SET search_path = sup, extensions;

-- Table access methods: without them a table goes to the default one. Indexes' methods too.
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD "B tree" TYPE INDEX HANDLER bthandler;
COMMENT ON ACCESS METHOD heap2 IS 'a comment of an access method';
CREATE TABLE in_heap2 (a int PRIMARY KEY, b text) USING heap2;
INSERT INTO in_heap2 SELECT n, 'h' || n FROM generate_series(1, 100) n;
CREATE MATERIALIZED VIEW mat_in_heap2 USING heap2 AS SELECT * FROM in_heap2;
CREATE TABLE heap2_parts (a int) PARTITION BY LIST (a);
CREATE TABLE heap2_parts_1 PARTITION OF heap2_parts FOR VALUES IN (1) USING heap2;
CREATE TABLE heap2_parts_2 PARTITION OF heap2_parts FOR VALUES IN (2);
INSERT INTO heap2_parts VALUES (1), (2);
CREATE TABLE large_in_heap2 (t text) USING heap2;
INSERT INTO large_in_heap2 SELECT string_agg(md5(n::text), '' ORDER BY n) FROM generate_series(1, 10000) n;

-- Tablespaces: of tables, of single indexes, of keys, of partitioned tables (which hold nothing), of views' rows.
CREATE TABLE in_space (a int PRIMARY KEY USING INDEX TABLESPACE :"tablespace", b text) TABLESPACE :"tablespace";
INSERT INTO in_space SELECT n, 's' || n FROM generate_series(1, 100) n;
CREATE INDEX in_space_b ON in_space (b);
CREATE TABLE index_in_space (a int, b int UNIQUE USING INDEX TABLESPACE :"tablespace");
CREATE INDEX index_in_space_a ON index_in_space (a) TABLESPACE :"tablespace";
CREATE TABLE parts_in_space (a int PRIMARY KEY USING INDEX TABLESPACE :"tablespace") PARTITION BY RANGE (a) TABLESPACE :"tablespace";
CREATE TABLE parts_in_space_1 PARTITION OF parts_in_space FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_in_space_2 PARTITION OF parts_in_space FOR VALUES FROM (10) TO (20) TABLESPACE pg_default;
INSERT INTO parts_in_space VALUES (1), (11);
CREATE MATERIALIZED VIEW mat_in_space TABLESPACE :"tablespace" AS SELECT a FROM in_space;
CREATE INDEX ON mat_in_space (a) TABLESPACE :"tablespace";

-- Base types with functions of language internal: text and binary forms are those of another type.
CREATE TYPE base_int;
CREATE FUNCTION base_int_in(cstring) RETURNS base_int LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION base_int_out(base_int) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION base_int_recv(internal) RETURNS base_int LANGUAGE internal IMMUTABLE STRICT AS 'int4recv';
CREATE FUNCTION base_int_send(base_int) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
CREATE TYPE base_int (INPUT = base_int_in, OUTPUT = base_int_out, RECEIVE = base_int_recv, SEND = base_int_send, INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4, STORAGE = plain, CATEGORY = 'N', PREFERRED = false, DEFAULT = '42', DELIMITER = ';', COLLATABLE = false);
-- A type with no binary form at all: a copy in binary would fail.
CREATE TYPE base_text;
CREATE FUNCTION base_text_in(cstring) RETURNS base_text LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION base_text_out(base_text) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE base_text (INPUT = base_text_in, OUTPUT = base_text_out, INTERNALLENGTH = VARIABLE, STORAGE = extended, LIKE = text, COLLATABLE = true, CATEGORY = 'S');
CREATE TYPE shell_type;
COMMENT ON TYPE base_int IS 'a comment of a base type';
CREATE FUNCTION base_int_less(base_int, base_int) RETURNS bool LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'int4lt';
CREATE FUNCTION base_int_less_equal(base_int, base_int) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION base_int_equal(base_int, base_int) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION base_int_more_equal(base_int, base_int) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE FUNCTION base_int_more(base_int, base_int) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION base_int_compare(base_int, base_int) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION base_int_hash(base_int) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE OPERATOR < (LEFTARG = base_int, RIGHTARG = base_int, FUNCTION = base_int_less, COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR <= (LEFTARG = base_int, RIGHTARG = base_int, FUNCTION = base_int_less_equal, COMMUTATOR = >=, NEGATOR = >);
CREATE OPERATOR = (LEFTARG = base_int, RIGHTARG = base_int, FUNCTION = base_int_equal, COMMUTATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR >= (LEFTARG = base_int, RIGHTARG = base_int, FUNCTION = base_int_more_equal, COMMUTATOR = <=, NEGATOR = <);
CREATE OPERATOR > (LEFTARG = base_int, RIGHTARG = base_int, FUNCTION = base_int_more, COMMUTATOR = <, NEGATOR = <=);
-- Operator families and classes: default ones, loose members of a family, a class that is not the default one.
CREATE OPERATOR FAMILY base_family USING btree;
CREATE OPERATOR CLASS base_int_ops DEFAULT FOR TYPE base_int USING btree FAMILY base_family AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 base_int_compare(base_int, base_int);
CREATE OPERATOR CLASS "Hash %" DEFAULT FOR TYPE base_int USING hash AS OPERATOR 1 =, FUNCTION 1 base_int_hash(base_int);
CREATE OPERATOR CLASS by_absolute FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
CREATE OPERATOR FAMILY "sup Other".empty_family USING gin;
ALTER OPERATOR FAMILY base_family USING btree ADD FUNCTION 4 (base_int, base_int) btequalimage(oid);
COMMENT ON OPERATOR CLASS base_int_ops USING btree IS 'a comment of an operator class';
COMMENT ON OPERATOR FAMILY base_family USING btree IS 'a comment of an operator family';
CREATE TABLE based (a base_int PRIMARY KEY, b base_text, c base_int[], d base_int DEFAULT '7', e base_text COLLATE "C");
INSERT INTO based VALUES ('1', 'text \ " \N', '{1;NULL;3}', '-5', ''), ('-2147483648', NULL, NULL, NULL, E'\n');
CREATE INDEX ON based USING hash (d);
CREATE INDEX by_own_class ON in_heap2 USING btree (a by_absolute);
CREATE TYPE base_range AS RANGE (SUBTYPE = base_int);
CREATE TABLE based_range (r base_range); INSERT INTO based_range VALUES ('[1,5]');
CREATE OPERATOR CLASS int_b_tree DEFAULT FOR TYPE int USING "B tree" AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);

-- Casts that change nothing but the type; functions of C and internal, window functions, with planner support.
CREATE CAST (base_text AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS base_text) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (base_int AS int) WITHOUT FUNCTION;
COMMENT ON CAST (base_text AS text) IS 'of a cast that changes nothing';
CREATE FUNCTION in_c(internal) RETURNS internal LANGUAGE c STRICT AS '$libdir/hstore', 'hstore_subscript_handler';
CREATE FUNCTION window_function() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE AS 'window_row_number';
CREATE FUNCTION any_count("any") RETURNS int LANGUAGE internal AS 'pg_num_nulls';
CREATE FUNCTION supported(text, text) RETURNS bool LANGUAGE internal IMMUTABLE STRICT SUPPORT textlike_support LEAKPROOF AS 'textlike';
CREATE FUNCTION custom_setting() RETURNS int LANGUAGE sql SET "custom.setting" = 'it''s \ "x"' SET "custom.empty" = '' AS 'SELECT 1';
CREATE VIEW uses_window AS SELECT window_function() OVER (ORDER BY a) AS n FROM in_heap2;
-- Languages: another one on the handlers of PL/pgSQL, trusted and not, with an owner and privileges.
-- The handlers are functions of our own: a dump makes a language without its extension only then.
CREATE FUNCTION other_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION other_inline(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION other_validator(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE TRUSTED LANGUAGE pl_other HANDLER other_handler INLINE other_inline VALIDATOR other_validator;
CREATE LANGUAGE "PL ""Untrusted""" HANDLER other_handler;
CREATE FUNCTION in_other_language(int) RETURNS int LANGUAGE pl_other AS 'BEGIN RETURN $1; END';
ALTER LANGUAGE pl_other OWNER TO fidelity_app;
REVOKE USAGE ON LANGUAGE pl_other FROM PUBLIC; GRANT USAGE ON LANGUAGE pl_other TO fidelity_reader WITH GRANT OPTION;
COMMENT ON LANGUAGE pl_other IS 'a comment of a language';
-- Transforms, for a language of one's own and a type of an extension.
CREATE FUNCTION from_hstore(internal) RETURNS internal LANGUAGE c IMMUTABLE STRICT AS '$libdir/hstore', 'hstore_subscript_handler';
CREATE TRANSFORM FOR hstore LANGUAGE pl_other (FROM SQL WITH FUNCTION from_hstore(internal));
COMMENT ON TRANSFORM FOR hstore LANGUAGE pl_other IS 'a comment of a transform';
CREATE FUNCTION with_transform(hstore) RETURNS int TRANSFORM FOR TYPE hstore LANGUAGE pl_other AS 'BEGIN RETURN 1; END';
-- Text search parsers and templates.
CREATE TEXT SEARCH PARSER own_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE own_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY own_dictionary (TEMPLATE = own_template, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION own_configuration (PARSER = own_parser);
ALTER TEXT SEARCH CONFIGURATION own_configuration ADD MAPPING FOR asciiword, word WITH own_dictionary;
COMMENT ON TEXT SEARCH PARSER own_parser IS 'of a parser'; COMMENT ON TEXT SEARCH TEMPLATE own_template IS 'of a template';

-- Foreign data wrappers with and without handler, with options, mappings and grants.
CREATE FOREIGN DATA WRAPPER no_handler OPTIONS (debug 'true', "o % ""x""" 'it''s');
CREATE FOREIGN DATA WRAPPER "Other Wrapper" HANDLER extensions.postgres_fdw_handler;
CREATE SERVER no_handler_server TYPE 't' VERSION 'v' FOREIGN DATA WRAPPER no_handler OPTIONS (a 'b');
CREATE USER MAPPING FOR fidelity_app SERVER no_handler_server OPTIONS (x 'y');
CREATE FOREIGN TABLE no_handler_table (a int OPTIONS (o 'p')) SERVER no_handler_server;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE file_table (line text) SERVER files OPTIONS (filename '/etc/hostname', format 'text', delimiter E'\x01');
GRANT USAGE ON FOREIGN DATA WRAPPER no_handler TO fidelity_writer WITH GRANT OPTION;
COMMENT ON FOREIGN DATA WRAPPER no_handler IS 'a comment of a wrapper';
ALTER SERVER no_handler_server OWNER TO fidelity_owner;
-- A mapping of another role: who is no superuser does not even see its options.
CREATE USER MAPPING FOR "Fidelity Quoted ""Role""" SERVER no_handler_server OPTIONS (user 'x', "o % ""x""" 'its');
COMMENT ON SCHEMA extensions IS 'holds extensions only';

-- Publications of all tables and of schemas; subscriptions, which must never be enabled on the target.
CREATE TABLE published (a int PRIMARY KEY, b text);
CREATE PUBLICATION fidelity_all FOR ALL TABLES WITH (publish = 'insert, delete');
CREATE TABLE public.in_public (a int PRIMARY KEY); INSERT INTO public.in_public VALUES (1);
CREATE PUBLICATION fidelity_schemas FOR TABLES IN SCHEMA sup, "sup Other", TABLE public.in_public WITH (publish_via_partition_root = true);
ALTER PUBLICATION fidelity_all OWNER TO postgres;
CREATE SUBSCRIPTION fidelity_subscription CONNECTION 'host=/nowhere dbname=x password=secret''' PUBLICATION p, "P %" WITH (connect = false, slot_name = NONE, binary = true, streaming = true, synchronous_commit = 'off', two_phase = true, disable_on_error = true);
COMMENT ON SUBSCRIPTION fidelity_subscription IS 'a comment of a subscription';

-- Things of other roles; grants that were made by one who had only the right to grant.
CREATE TABLE app_table (a int PRIMARY KEY, b text); ALTER TABLE app_table OWNER TO fidelity_app; INSERT INTO app_table VALUES (1, 'x');
CREATE TABLE "sup Other".reader_table (a serial, b int); ALTER TABLE "sup Other".reader_table OWNER TO fidelity_reader; INSERT INTO "sup Other".reader_table (b) VALUES (5);
CREATE FUNCTION "sup Other".writer_function() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER FUNCTION "sup Other".writer_function() OWNER TO fidelity_writer;
CREATE TYPE "sup Other".quoted_type AS ENUM ('x'); ALTER TYPE "sup Other".quoted_type OWNER TO "Fidelity Quoted ""Role""";
GRANT USAGE ON SCHEMA sup TO fidelity_app, fidelity_reader, "Fidelity Quoted ""Role""", fidelity_writer;
CREATE TABLE chain (a int, b text); INSERT INTO chain VALUES (1, 'x');
GRANT SELECT, UPDATE ON chain TO fidelity_app WITH GRANT OPTION; GRANT INSERT (b) ON chain TO fidelity_app WITH GRANT OPTION;
SET ROLE fidelity_app;
GRANT SELECT ON chain TO "Fidelity Quoted ""Role""" WITH GRANT OPTION; GRANT INSERT (b) ON chain TO fidelity_writer;
SET ROLE "Fidelity Quoted ""Role""";
GRANT SELECT ON chain TO fidelity_writer;
RESET ROLE;
-- The same right from two grantors, and one of a large object, a function, a schema, a type and a sequence by a grantee.
GRANT SELECT ON chain TO fidelity_writer;
SELECT lo_from_bytea(500001, 'granted by a grantee'); GRANT SELECT ON LARGE OBJECT 500001 TO fidelity_app WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION in_other_language(int) TO fidelity_app WITH GRANT OPTION; CREATE SEQUENCE chain_sequence; GRANT USAGE ON SEQUENCE chain_sequence TO fidelity_app WITH GRANT OPTION;
SET ROLE fidelity_app;
GRANT SELECT ON LARGE OBJECT 500001 TO fidelity_reader; GRANT EXECUTE ON FUNCTION in_other_language(int) TO fidelity_reader; GRANT USAGE ON SEQUENCE chain_sequence TO fidelity_writer;
RESET ROLE;
-- A materialized view whose owner may read what is in it only by a grant: it can be filled only after the grants.
CREATE MATERIALIZED VIEW mat_by_grant AS SELECT a, b FROM chain; ALTER MATERIALIZED VIEW mat_by_grant OWNER TO fidelity_app;
CREATE MATERIALIZED VIEW mat_by_column_grant AS SELECT a FROM app_table; GRANT SELECT (a) ON app_table TO "Fidelity Quoted ""Role"""; ALTER MATERIALIZED VIEW mat_by_column_grant OWNER TO "Fidelity Quoted ""Role""";
-- A foreign key between tables of two owners, by the right to refer.
GRANT REFERENCES (a) ON app_table TO fidelity_writer; CREATE TABLE refers_to_app (a int REFERENCES app_table); ALTER TABLE refers_to_app OWNER TO fidelity_writer; INSERT INTO refers_to_app VALUES (1);
-- Security that is forced on the owner too: a copy by the owner would lose rows, or must fail.
CREATE TABLE forced (a int); INSERT INTO forced VALUES (1), (2); CREATE POLICY one ON forced USING (a = 1); ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; ALTER TABLE forced OWNER TO fidelity_owner;
CREATE TABLE forced_off (a int); INSERT INTO forced_off VALUES (1); ALTER TABLE forced_off FORCE ROW LEVEL SECURITY;

-- Privileges of what initdb and extensions made: only the difference to what they had is kept, in no other place.
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO fidelity_app;
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) FROM PUBLIC;
GRANT SELECT ON pg_catalog.pg_authid TO fidelity_reader;
GRANT SELECT (subconninfo) ON pg_catalog.pg_subscription TO fidelity_writer;
REVOKE EXECUTE ON FUNCTION extensions.hstore_version_diag(hstore) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION extensions.unaccent(text) TO fidelity_app WITH GRANT OPTION;
GRANT USAGE ON TYPE hstore TO fidelity_app WITH GRANT OPTION;
GRANT SELECT ON information_schema.tables TO fidelity_app WITH GRANT OPTION;
GRANT USAGE ON LANGUAGE sql TO fidelity_app WITH GRANT OPTION; REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC; GRANT USAGE ON LANGUAGE plpgsql TO fidelity_owner, fidelity_reader;

-- An object of one's own that was put under an extension: it is made by the extension's script nowhere, so a dump must
-- not rely on it; and a dependency of an index's function on an extension.
CREATE FUNCTION depends_on_extension() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION depends_on_extension() DEPENDS ON EXTENSION hstore;
ALTER MATERIALIZED VIEW mat_in_heap2 DEPENDS ON EXTENSION citext;
ALTER INDEX by_own_class DEPENDS ON EXTENSION pg_trgm;
CREATE FUNCTION trigger_depends() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER depends BEFORE DELETE ON in_heap2 FOR EACH ROW EXECUTE FUNCTION trigger_depends(); ALTER TRIGGER depends ON in_heap2 DEPENDS ON EXTENSION hstore;

-- Default privileges of other roles, and of all schemas.
ALTER DEFAULT PRIVILEGES FOR ROLE fidelity_app GRANT SELECT ON TABLES TO fidelity_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE fidelity_app, "Fidelity Quoted ""Role""" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE "Fidelity Quoted ""Role""" IN SCHEMA "sup Other" GRANT ALL ON TABLES TO fidelity_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO fidelity_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA sup GRANT USAGE ON SEQUENCES TO fidelity_app;

-- The schema public: another owner, comment and privileges than it has in a new database.
COMMENT ON SCHEMA public IS 'not the standard comment';
REVOKE USAGE ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO fidelity_app; GRANT USAGE ON SCHEMA public TO fidelity_owner, PUBLIC;
ALTER SCHEMA public OWNER TO fidelity_other;

-- Event triggers: one of each kind and state. They note what they see in a table, and hinder nothing: where they are
-- made too early on the target, the table has more rows there than on the source. (pg_restore fills materialized views after it has made them: beyond.sql.)
CREATE TABLE seen (what text);
CREATE FUNCTION on_command() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN INSERT INTO sup.seen SELECT TG_EVENT || ' ' || TG_TAG WHERE TG_TAG <> 'REFRESH MATERIALIZED VIEW'; END$$;
COMMENT ON FUNCTION on_command() IS 'a function of event triggers';
CREATE EVENT TRIGGER fidelity_end ON ddl_command_end EXECUTE FUNCTION on_command();
CREATE EVENT TRIGGER "Fidelity % ""Start""" ON ddl_command_start WHEN TAG IN ('CREATE FOREIGN TABLE', 'DROP SEQUENCE') EXECUTE FUNCTION on_command();
CREATE EVENT TRIGGER fidelity_drop ON sql_drop EXECUTE FUNCTION on_command();
CREATE EVENT TRIGGER fidelity_rewrite ON table_rewrite EXECUTE FUNCTION on_command();
CREATE EVENT TRIGGER fidelity_always ON ddl_command_end WHEN TAG IN ('CREATE AGGREGATE') EXECUTE FUNCTION on_command();
CREATE EVENT TRIGGER fidelity_replica ON ddl_command_end EXECUTE FUNCTION on_command();
CREATE EVENT TRIGGER fidelity_disabled ON ddl_command_start EXECUTE FUNCTION on_command();
ALTER EVENT TRIGGER fidelity_always ENABLE ALWAYS;
ALTER EVENT TRIGGER fidelity_replica ENABLE REPLICA;
ALTER EVENT TRIGGER fidelity_disabled DISABLE;
COMMENT ON EVENT TRIGGER fidelity_end IS 'a comment of an event trigger';
