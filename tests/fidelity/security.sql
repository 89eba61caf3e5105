-- Row-level security, privileges, owners, default privileges, sequences, large objects, publications, foreign tables.
-- Run as fidelity_owner.
SET client_min_messages = warning;
CREATE SCHEMA sec;
CREATE SCHEMA "sec Other" ;
SET search_path = sec, extensions;

-- Row-level security: policies of each command and kind, for several roles, forced on the owner too, off and on.
CREATE TABLE rows (id int PRIMARY KEY, owner text, level int);
INSERT INTO rows SELECT n, CASE n % 3 WHEN 0 THEN 'fidelity_owner' WHEN 1 THEN 'fidelity_app' ELSE 'it''s' END, n % 10 FROM generate_series(1, 90) n;
CREATE FUNCTION may_see(int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT $1 < 5';
CREATE POLICY all_rows ON rows USING (owner = CURRENT_USER) WITH CHECK (owner = CURRENT_USER AND level < 5);
CREATE POLICY "Select % ""Policy""" ON rows AS RESTRICTIVE FOR SELECT TO fidelity_app, "Fidelity Quoted ""Role""" USING (sec.may_see(level) OR owner = 'it''s \');
CREATE POLICY for_insert ON rows FOR INSERT TO PUBLIC WITH CHECK (EXISTS (SELECT FROM sec.rows r WHERE r.id = rows.id - 1));
CREATE POLICY for_update ON rows AS PERMISSIVE FOR UPDATE TO fidelity_writer USING (true) WITH CHECK (level IS NOT NULL);
CREATE POLICY for_delete ON rows FOR DELETE TO CURRENT_USER USING (false);
COMMENT ON POLICY all_rows ON rows IS 'a comment of a policy';
ALTER TABLE rows ENABLE ROW LEVEL SECURITY;
-- Policies that are there but off, security without a policy (which shows no row to others), and both on a partition.
CREATE TABLE rows_off (a int); INSERT INTO rows_off VALUES (1); CREATE POLICY p ON rows_off USING (a > 100);
CREATE TABLE rows_none (a int); INSERT INTO rows_none VALUES (1); ALTER TABLE rows_none ENABLE ROW LEVEL SECURITY;
CREATE TABLE rows_parts (a int, b text) PARTITION BY LIST (a);
CREATE TABLE rows_parts_1 PARTITION OF rows_parts FOR VALUES IN (1);
CREATE TABLE rows_parts_2 PARTITION OF rows_parts FOR VALUES IN (2);
INSERT INTO rows_parts VALUES (1, 'x'), (2, 'y');
CREATE POLICY of_parent ON rows_parts USING (a > 1);
CREATE POLICY of_leaf ON rows_parts_1 USING (b = 'z');
ALTER TABLE rows_parts ENABLE ROW LEVEL SECURITY;
ALTER TABLE rows_parts_1 ENABLE ROW LEVEL SECURITY;
-- A policy that uses a view made late, and one that reads the table itself.
CREATE VIEW grouped AS SELECT id, owner, count(*) AS n FROM rows GROUP BY id;
CREATE TABLE rows_by_view (id int); INSERT INTO rows_by_view VALUES (1);
CREATE POLICY by_view ON rows_by_view USING (id IN (SELECT id FROM sec.grouped));

-- Privileges: of tables, columns, sequences, functions, types, schemas; with the right to grant; to everybody; the
-- owner's own taken away; none left at all, which is not the same as none ever given.
CREATE TABLE granted (a int, b text, "c %" int);
CREATE SEQUENCE granted_sequence;
CREATE VIEW granted_view AS SELECT a FROM granted;
GRANT SELECT, INSERT ON granted TO fidelity_app WITH GRANT OPTION;
GRANT ALL ON granted TO "Fidelity Quoted ""Role""";
GRANT SELECT ON granted TO PUBLIC;
GRANT UPDATE (a, "c %"), REFERENCES (a), INSERT (b) ON granted TO fidelity_writer;
GRANT SELECT (b) ON granted TO fidelity_reader WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE granted_sequence TO fidelity_writer; GRANT SELECT, UPDATE ON SEQUENCE granted_sequence TO PUBLIC;
GRANT SELECT, DELETE ON granted_view TO fidelity_reader;
CREATE TABLE revoked_some (a int); REVOKE INSERT, TRUNCATE ON revoked_some FROM fidelity_owner; GRANT TRIGGER ON revoked_some TO fidelity_app;
CREATE TABLE revoked_again (a int); GRANT SELECT ON revoked_again TO fidelity_app; REVOKE SELECT ON revoked_again FROM fidelity_app;
CREATE FUNCTION open_to_all(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION closed(int, text DEFAULT ',') RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION closed_to_owner() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE granted_procedure(int) LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE AGGREGATE granted_aggregate(int) (SFUNC = int4pl, STYPE = int);
REVOKE ALL ON FUNCTION closed(int, text) FROM PUBLIC; GRANT EXECUTE ON FUNCTION closed(int, text) TO fidelity_app WITH GRANT OPTION;
REVOKE ALL ON FUNCTION closed_to_owner() FROM PUBLIC, fidelity_owner;
REVOKE EXECUTE ON PROCEDURE granted_procedure(int) FROM PUBLIC; GRANT EXECUTE ON PROCEDURE granted_procedure(int) TO fidelity_writer;
REVOKE EXECUTE ON FUNCTION granted_aggregate(int) FROM PUBLIC; GRANT EXECUTE ON FUNCTION granted_aggregate(int) TO "Fidelity Quoted ""Role""";
CREATE TYPE granted_type AS ENUM ('a'); CREATE DOMAIN granted_domain AS int; CREATE TYPE granted_composite AS (a int); CREATE TYPE granted_range AS RANGE (SUBTYPE = int);
REVOKE USAGE ON TYPE granted_type FROM PUBLIC; GRANT USAGE ON TYPE granted_type TO fidelity_app WITH GRANT OPTION;
REVOKE USAGE ON DOMAIN granted_domain FROM PUBLIC; GRANT USAGE ON TYPE granted_range, granted_composite TO fidelity_reader;
GRANT USAGE ON SCHEMA sec TO fidelity_reader, fidelity_app WITH GRANT OPTION; GRANT USAGE, CREATE ON SCHEMA "sec Other" TO "Fidelity Quoted ""Role""";
GRANT USAGE ON SCHEMA sec TO PUBLIC;
-- Privileges of a materialized view that is read when it is filled, of partitions that differ from their parent's, and of
-- a partitioned table.
GRANT SELECT ON rows_parts TO fidelity_reader; GRANT INSERT ON rows_parts_1 TO fidelity_writer;

-- Owners other than the database's: a schema with all in it, and single things in it; by membership, without a superuser.
CREATE SCHEMA sec_owned; ALTER SCHEMA sec_owned OWNER TO fidelity_other;
CREATE TABLE sec_owned.t (a int PRIMARY KEY, b serial, c text); INSERT INTO sec_owned.t (a, c) VALUES (1, 'x'), (2, 'y');
CREATE INDEX t_c ON sec_owned.t (c);
CREATE VIEW sec_owned.v AS SELECT a FROM sec_owned.t;
CREATE MATERIALIZED VIEW sec_owned.m AS SELECT a FROM sec_owned.t;
CREATE SEQUENCE sec_owned.s; CREATE TYPE sec_owned.e AS ENUM ('x'); CREATE DOMAIN sec_owned.d AS int CHECK (VALUE > 0); CREATE TYPE sec_owned.c AS (a int);
CREATE FUNCTION sec_owned.f(int) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT $1'; CREATE PROCEDURE sec_owned.p() LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE AGGREGATE sec_owned.agg(int) (SFUNC = int4pl, STYPE = int); CREATE OPERATOR sec_owned.+# (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE COLLATION sec_owned.col (LOCALE = 'C'); CREATE TEXT SEARCH DICTIONARY sec_owned.dict (TEMPLATE = simple); CREATE TEXT SEARCH CONFIGURATION sec_owned.conf (COPY = simple);
CREATE STATISTICS sec_owned.stat ON a, c FROM sec_owned.t; CREATE TABLE sec_owned.parts (a int) PARTITION BY LIST (a); CREATE TABLE sec_owned.parts_1 PARTITION OF sec_owned.parts FOR VALUES IN (1);
INSERT INTO sec_owned.parts VALUES (1);
GRANT SELECT ON sec_owned.t TO fidelity_app;
ALTER TABLE sec_owned.t OWNER TO fidelity_other; ALTER VIEW sec_owned.v OWNER TO fidelity_other; ALTER MATERIALIZED VIEW sec_owned.m OWNER TO fidelity_other; ALTER SEQUENCE sec_owned.s OWNER TO fidelity_other;
ALTER TYPE sec_owned.e OWNER TO fidelity_other; ALTER DOMAIN sec_owned.d OWNER TO fidelity_other; ALTER TYPE sec_owned.c OWNER TO fidelity_other; ALTER FUNCTION sec_owned.f(int) OWNER TO fidelity_other;
ALTER PROCEDURE sec_owned.p() OWNER TO fidelity_other; ALTER AGGREGATE sec_owned.agg(int) OWNER TO fidelity_other; ALTER OPERATOR sec_owned.+# (int, int) OWNER TO fidelity_other; ALTER COLLATION sec_owned.col OWNER TO fidelity_other;
ALTER TEXT SEARCH DICTIONARY sec_owned.dict OWNER TO fidelity_other; ALTER TEXT SEARCH CONFIGURATION sec_owned.conf OWNER TO fidelity_other; ALTER STATISTICS sec_owned.stat OWNER TO fidelity_other;
ALTER TABLE sec_owned.parts OWNER TO fidelity_other;
GRANT USAGE ON SCHEMA sec_owned TO fidelity_reader; GRANT SELECT (a), UPDATE ON sec_owned.t TO fidelity_reader WITH GRANT OPTION; REVOKE EXECUTE ON FUNCTION sec_owned.f(int) FROM PUBLIC;

-- Sequences: every type, direction and state: called never, called once, at an end, cycled, with a cache, of a dropped
-- and of an owning column, owned by a column that does not use it.
CREATE SEQUENCE s_plain;
CREATE SEQUENCE s_called; SELECT nextval('s_called') FROM generate_series(1, 42);
CREATE SEQUENCE s_small AS smallint MAXVALUE 100 CYCLE; SELECT setval('s_small', 100);
CREATE SEQUENCE s_int AS int INCREMENT 5 MINVALUE -10 START 3; SELECT setval('s_int', 8, false);
CREATE SEQUENCE s_down INCREMENT -3 MAXVALUE 1000 MINVALUE -1000 START 999; SELECT nextval('s_down') FROM generate_series(1, 3);
CREATE SEQUENCE s_at_end MAXVALUE 3; SELECT nextval('s_at_end') FROM generate_series(1, 3);
CREATE SEQUENCE s_at_least INCREMENT -1 MINVALUE -9223372036854775808; SELECT setval('s_at_least', -9223372036854775808);
CREATE SEQUENCE s_largest MINVALUE 9223372036854775806; SELECT setval('s_largest', 9223372036854775807);
CREATE SEQUENCE s_cycled MINVALUE 5 MAXVALUE 7 CYCLE; SELECT nextval('s_cycled') FROM generate_series(1, 5);
CREATE SEQUENCE s_cache CACHE 20; SELECT nextval('s_cache');
CREATE SEQUENCE s_restarted START 77; SELECT nextval('s_restarted'); ALTER SEQUENCE s_restarted RESTART;
CREATE SEQUENCE s_restart_with; ALTER SEQUENCE s_restart_with RESTART WITH 500;
CREATE SEQUENCE s_zero MINVALUE 0 START 0; CREATE SEQUENCE s_one_called; SELECT setval('s_one_called', 1, true);
CREATE UNLOGGED SEQUENCE s_unlogged; SELECT nextval('s_unlogged');
CREATE SEQUENCE "sec Other"."S %s ""Quoted""" INCREMENT 2; SELECT setval('"sec Other"."S %s ""Quoted"""', 9);
CREATE TABLE s_owner (a int, b int, c serial); CREATE SEQUENCE s_owned OWNED BY s_owner.a; SELECT setval('s_owned', 55); INSERT INTO s_owner VALUES (1, 2);
CREATE SEQUENCE "sec Other".s_free; ALTER TABLE s_owner ALTER b SET DEFAULT nextval('"sec Other".s_free'); ALTER SEQUENCE s_owner_c_seq OWNED BY NONE;
CREATE TABLE s_renamed (a serial); ALTER SEQUENCE s_renamed_a_seq RENAME TO "Renamed %"; ALTER TABLE s_renamed RENAME TO s_renamed_table; SELECT nextval('"Renamed %"') FROM generate_series(1, 9);
CREATE TABLE s_moved (a serial, i int GENERATED ALWAYS AS IDENTITY (START 30)); ALTER TABLE s_moved SET SCHEMA "sec Other"; INSERT INTO "sec Other".s_moved DEFAULT VALUES;
CREATE UNLOGGED TABLE s_unlogged_table (a bigserial, b int GENERATED BY DEFAULT AS IDENTITY); INSERT INTO s_unlogged_table DEFAULT VALUES;
COMMENT ON SEQUENCE s_plain IS 'a comment of a sequence'; COMMENT ON SEQUENCE s_owner_c_seq IS 'of one that was a serial''s';

-- Large objects: of several owners, with privileges, comments, no byte, one byte, 5 MB, holes; referred to by a table.
SELECT lo_create(424242);
SELECT lo_from_bytea(424243, '\x00');
SELECT lo_from_bytea(424244, decode(string_agg(md5(n::text), '' ORDER BY n), 'hex')) FROM generate_series(1, 327680) n;
SELECT lo_from_bytea(424245, 'begin'); SELECT lo_put(424245, 3000000, 'after a hole of 3 MB');
SELECT lo_from_bytea(424246, decode(repeat('00', 100000), 'hex'));
SELECT lo_from_bytea(424247, convert_to('größe', 'UTF8'));
SELECT lo_from_bytea(4294967295, 'the largest number');
SELECT lo_from_bytea(424248, decode(repeat('5c', 2048), 'hex')); SELECT lo_put(424248, 2048, '\x5c27');
SELECT lo_from_bytea(430000 + n, convert_to('object ' || n, 'UTF8')) FROM generate_series(1, 50) n;
ALTER LARGE OBJECT 424243 OWNER TO fidelity_other; ALTER LARGE OBJECT 424247 OWNER TO "Fidelity Quoted ""Role""";
GRANT SELECT ON LARGE OBJECT 424244, 424243 TO fidelity_reader; GRANT SELECT, UPDATE ON LARGE OBJECT 424242 TO fidelity_writer WITH GRANT OPTION; GRANT SELECT ON LARGE OBJECT 424245 TO PUBLIC;
REVOKE UPDATE ON LARGE OBJECT 424246 FROM fidelity_owner;
COMMENT ON LARGE OBJECT 424242 IS 'an empty large object''s comment'; COMMENT ON LARGE OBJECT 424243 IS E'two\nlines \\';
CREATE TABLE holds_objects (o oid, l extensions.lo); INSERT INTO holds_objects VALUES (424242, 424243), (4294967295, 424244);

-- Publications that a plain owner may make: of tables, with columns, conditions, options, of partitions by their root.
CREATE TABLE published (a int PRIMARY KEY, b text, "c %" int, at timestamptz);
CREATE TABLE published_parts (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE published_parts_1 PARTITION OF published_parts FOR VALUES FROM (0) TO (10);
CREATE PUBLICATION fidelity_tables FOR TABLE published, published_parts WITH (publish = 'insert, truncate', publish_via_partition_root);
CREATE PUBLICATION "Fidelity Columns ""%""" FOR TABLE published (a, "c %"), ONLY rows_off WHERE (a > 3) WITH (publish = 'insert');
CREATE PUBLICATION fidelity_where FOR TABLE published WHERE (a > 5 AND b <> 'it''s \' AND at > '2024-03-04 05:06:07+02') WITH (publish = 'insert');
CREATE PUBLICATION fidelity_leaf FOR TABLE published_parts_1; CREATE PUBLICATION fidelity_empty WITH (publish = '');
ALTER PUBLICATION fidelity_leaf OWNER TO fidelity_owner; COMMENT ON PUBLICATION fidelity_where IS 'a comment of a publication';

-- Foreign servers, mappings and tables, which are definitions without rows here; columns' options and constraints.
CREATE SERVER fidelity_server TYPE 'a type' VERSION '1.0 ''x''' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere', dbname 'it''s % "x"', port '1', fetch_size '77');
CREATE SERVER "Fidelity %s ""Server""" FOREIGN DATA WRAPPER postgres_fdw;
CREATE USER MAPPING FOR CURRENT_USER SERVER fidelity_server OPTIONS (user 'bob', password 'secret''s'); CREATE USER MAPPING FOR PUBLIC SERVER fidelity_server;
GRANT USAGE ON FOREIGN SERVER fidelity_server TO fidelity_app WITH GRANT OPTION;
CREATE FOREIGN TABLE foreign_table (a int OPTIONS (column_name 'A %') NOT NULL, b text COLLATE "C" DEFAULT 'it''s', c int GENERATED ALWAYS AS (a * 2) STORED, CONSTRAINT foreign_check CHECK (a > 0)) SERVER fidelity_server OPTIONS (schema_name 's', table_name 't "x"', updatable 'false');
ALTER FOREIGN TABLE foreign_table ALTER a SET STATISTICS 33, ALTER b SET (n_distinct = 5);
CREATE TABLE local_parts (a int, b text) PARTITION BY LIST (a); CREATE TABLE local_parts_1 PARTITION OF local_parts FOR VALUES IN (1); CREATE FOREIGN TABLE local_parts_2 PARTITION OF local_parts FOR VALUES IN (2) SERVER fidelity_server; INSERT INTO local_parts VALUES (1, 'local');
CREATE TABLE local_parent (a int); INSERT INTO local_parent VALUES (1); CREATE FOREIGN TABLE foreign_child (z int) INHERITS (local_parent) SERVER fidelity_server;
CREATE VIEW on_foreign AS SELECT a FROM foreign_table; CREATE MATERIALIZED VIEW mat_on_foreign AS SELECT a FROM foreign_table WITH NO DATA;
COMMENT ON SERVER fidelity_server IS 'a comment of a server'; COMMENT ON FOREIGN TABLE foreign_table IS 'of a foreign table'; COMMENT ON COLUMN foreign_table.a IS 'of its column';
GRANT SELECT ON foreign_table TO fidelity_reader;

-- Default privileges, last: they would change what is made after them, on the target too if they came too early.
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO fidelity_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO fidelity_reader;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO "Fidelity Quoted ""Role""" WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA sec, "sec Other" GRANT INSERT, UPDATE ON TABLES TO fidelity_writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA sec GRANT EXECUTE ON FUNCTIONS TO fidelity_app;
ALTER DEFAULT PRIVILEGES FOR ROLE fidelity_other GRANT SELECT ON TABLES TO fidelity_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE fidelity_other IN SCHEMA sec_owned GRANT DELETE ON TABLES TO fidelity_app;
