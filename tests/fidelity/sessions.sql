-- (Run with psql's variable superuser, 0 or 1: a few things only a superuser may make.)
-- Values and definitions whose text or meaning depends on the settings of the session that writes or reads them. Run as
-- superuser, on a server with its default settings and in a UTF8 database; then the tests give the source's or the
-- target's database other settings (DateStyle, IntervalStyle, and so on) and clone: nothing may differ.
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SET IntervalStyle = 'postgres';
SET lc_monetary = 'C';
SET lc_numeric = 'C';
CREATE SCHEMA ses;
CREATE SCHEMA ses_other;
SET search_path = ses;

-- DateStyle: the fourth of March is the third of April where day and month change places. Also in definitions.
CREATE TABLE dates (d date DEFAULT '2024-03-04', t timestamp DEFAULT '2024-03-04 05:06:07.891', z timestamptz DEFAULT '2024-03-04 05:06:07+00', da date[] DEFAULT '{2024-03-04,2024-04-03}', r daterange DEFAULT '[2024-03-04,2024-04-03)', m tstzmultirange,
  CONSTRAINT dates_check CHECK (d >= '2001-02-03' AND z > '2001-02-03 04:05:06+00' AND t <> '2001-02-03 00:00:00'));
INSERT INTO dates VALUES (DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, '{[2024-03-04 00:00+00,2024-04-03 00:00+00)}'), ('2024-12-11', '2024-12-11 10:09:08', '2024-12-11 10:09:08+00', NULL, NULL, NULL), ('infinity', '-infinity', 'infinity', '{infinity}', 'empty', '{}');
CREATE INDEX dates_partial ON dates (t) WHERE d > '2024-03-04' AND z < '2024-04-03 00:00+00';
CREATE VIEW dates_view AS SELECT d = '2024-03-04'::date AS same, '2024-03-04'::text AS text, date '2024-04-03' AS later FROM dates;
CREATE MATERIALIZED VIEW dates_as_text AS SELECT to_char(t, 'YYYY-MM-DD') AS t, d - date '2024-03-04' AS days FROM dates WHERE isfinite(d) AND isfinite(t);
CREATE TABLE date_parts (d date, t timestamptz) PARTITION BY RANGE (d, t);
CREATE TABLE date_parts_1 PARTITION OF date_parts FOR VALUES FROM ('2024-03-04', '2024-03-04 00:00+00') TO ('2024-05-06', MAXVALUE);
CREATE TABLE date_parts_2 PARTITION OF date_parts DEFAULT;
INSERT INTO date_parts SELECT date '2024-01-01' + n, timestamptz '2024-01-01 00:00+00' + n * interval '1 day' FROM generate_series(0, 200, 10) n;
CREATE FUNCTION with_date(d date DEFAULT '2024-03-04') RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';
CREATE TYPE with_dates AS (d date, i interval);
CREATE TABLE composites (w with_dates, ws with_dates[], t text);
INSERT INTO composites VALUES (ROW('2024-03-04', '-1 year +2 days'), ARRAY[ROW('2024-04-03', '1 day -01:00')::with_dates], '2024-03-04');

-- IntervalStyle: mixed signs are read in another way in the SQL style; in defaults, checks, indexes and partitions too.
CREATE TABLE intervals (i interval DEFAULT '-1 year -2 mons +3 days -04:05:06', ia interval[] DEFAULT '{-1 days +02:03:04,1 mon}', CHECK (i <> '-1 days +02:03:04'), CHECK (i < '1000 years'));
INSERT INTO intervals VALUES (DEFAULT, DEFAULT), ('-1 days +02:03:04.5', '{1 year -1 mon}'), ('1 year 2 mons', NULL), ('-00:00:01', '{}');
CREATE INDEX intervals_index ON intervals (i) WHERE i > '-1 mons +2 days';
CREATE VIEW intervals_view AS SELECT i + '-1 days +02:03:04'::interval AS later FROM intervals;

-- array_nulls: NULL within an array is the word NULL when it is off.
CREATE TABLE nulls (a text[] DEFAULT '{NULL,"NULL"}', b int[] DEFAULT '{1,NULL}', c text[] CHECK (c <> '{NULL}'));
INSERT INTO nulls VALUES (DEFAULT, DEFAULT, '{x,NULL}'), ('{null,"null",a}', '{NULL}', ARRAY['NULL', NULL]);

-- standard_conforming_strings, backslash_quote, escape_string_warning: backslashes and quotes in every place that holds a literal.
CREATE TABLE backslashes (a text DEFAULT 'C:\new\temp\x41', b text DEFAULT '\', c text DEFAULT 'it''s \'' too', CONSTRAINT backslashes_check CHECK (a !~ '\d\\' AND b <> '\n' AND c LIKE '%\%' ESCAPE '!'), d text GENERATED ALWAYS AS (a || '\t') STORED, e bytea DEFAULT '\x5c27', f text[] DEFAULT '{"\\\\",a\\b}');
INSERT INTO backslashes DEFAULT VALUES;
INSERT INTO backslashes (a, b, c) VALUES ('\N', '\.', E'\\%\t');
CREATE INDEX backslashes_index ON backslashes ((replace(a, '\', '\\'))) WHERE b <> '\\';
CREATE VIEW backslashes_view AS SELECT '\' AS one, '\\' AS two, E'\\' AS one_too, 'a\''''b' AS quotes, a ~ '^\w+\s*$' AS matches FROM backslashes;
CREATE MATERIALIZED VIEW backslashes_mat AS SELECT '\n\\' || a AS a, regexp_replace(a, '\\', '\\\\', 'g') AS r FROM backslashes;
CREATE RULE backslashes_rule AS ON UPDATE TO backslashes WHERE NEW.a = '\' DO INSTEAD NOTHING;
CREATE POLICY backslashes_policy ON backslashes USING (a <> '\''\');
CREATE FUNCTION backslashes_sql(a text DEFAULT '\') RETURNS text LANGUAGE sql AS 'SELECT ''\n'' || $1';
CREATE FUNCTION backslashes_plpgsql() RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN '\' || E'\\' || 'it''s'; END$$;
CREATE FUNCTION backslashes_atomic(a text DEFAULT '\') RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT '\n' || a || E'\\'; END;
\if :superuser
CREATE FUNCTION backslashes_setting() RETURNS text LANGUAGE sql SET "ses.path" = 'C:\new' SET search_path = 'ses', 'a\b' AS 'SELECT 1::text';
\endif
CREATE TYPE backslashes_enum AS ENUM ('\', 'a\nb', '''');
CREATE DOMAIN backslashes_domain AS text DEFAULT '\' CHECK (VALUE <> '\\') CHECK (VALUE ~ '^[^\n]*$');
CREATE TABLE backslashes_typed (e backslashes_enum DEFAULT '\', d backslashes_domain); INSERT INTO backslashes_typed VALUES (DEFAULT, '\x'), ('a\nb', ''), ('''', '\');
CREATE TABLE backslashes_parts (a text) PARTITION BY LIST (a); CREATE TABLE backslashes_parts_1 PARTITION OF backslashes_parts FOR VALUES IN ('\', '\\', '\n', ''''); INSERT INTO backslashes_parts VALUES ('\'), ('\\'), ('\n'), ('''');
CREATE AGGREGATE backslashes_aggregate(text) (SFUNC = textcat, STYPE = text, INITCOND = '\');
CREATE FUNCTION backslashes_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER backslashes BEFORE UPDATE ON backslashes FOR EACH ROW WHEN (NEW.a = '\') EXECUTE FUNCTION backslashes_trigger('\', 'a\\b', '''', E'\n');
\if :superuser
CREATE FOREIGN DATA WRAPPER ses_wrapper OPTIONS (path '\', "quoted" 'it''s\'); CREATE SERVER ses_server FOREIGN DATA WRAPPER ses_wrapper OPTIONS (path 'C:\new');
\endif
CREATE STATISTICS backslashes_statistics ON (a || '\'), b FROM backslashes;
COMMENT ON TABLE backslashes IS 'C:\new \'' and E''\\'''; COMMENT ON COLUMN backslashes.a IS '\';
CREATE TEXT SEARCH DICTIONARY backslashes_dictionary (TEMPLATE = simple, STOPWORDS = 'english');
SELECT lo_from_bytea(600001, '\x5c'); COMMENT ON LARGE OBJECT 600001 IS 'a\nb\';
CREATE PUBLICATION ses_publication FOR TABLE backslashes_parts_1 WHERE (a <> '\' AND a <> '''') WITH (publish = 'insert');

-- transform_null_equals: "x = NULL" is never true, and must not become "x IS NULL" when it is read again.
CREATE TABLE null_equals (a int, b text, CONSTRAINT equals_null CHECK (a = NULL OR a > 0 OR a IS NULL), CHECK ((b = NULL) IS NULL));
INSERT INTO null_equals VALUES (1, 'x'), (NULL, NULL), (3, NULL);
CREATE VIEW null_equals_view AS SELECT a, a = NULL AS never, (NULL = b) IS NULL AS always FROM null_equals WHERE (a = NULL) IS NULL;
CREATE MATERIALIZED VIEW null_equals_mat AS SELECT a, a = NULL AS never FROM null_equals;
CREATE INDEX null_equals_index ON null_equals (a) WHERE (b = NULL) IS NULL;
CREATE INDEX null_equals_expression ON null_equals ((a = NULL));
CREATE RULE null_equals_rule AS ON DELETE TO null_equals WHERE OLD.a = NULL DO INSTEAD NOTHING;
CREATE POLICY null_equals_policy ON null_equals USING (a = NULL OR true);
CREATE TRIGGER null_equals BEFORE UPDATE ON null_equals FOR EACH ROW WHEN (NEW.a = NULL) EXECUTE FUNCTION backslashes_trigger();
CREATE TABLE null_equals_generated (a int, g bool GENERATED ALWAYS AS (a = NULL) STORED, d bool DEFAULT (1 = NULL)); INSERT INTO null_equals_generated (a) VALUES (1), (NULL);
CREATE DOMAIN null_equals_domain AS int CHECK ((VALUE = NULL) IS NULL); CREATE TABLE null_equals_domains (d null_equals_domain); INSERT INTO null_equals_domains VALUES (1), (NULL);
CREATE FUNCTION null_equals_atomic(a int) RETURNS bool LANGUAGE sql RETURN (a = NULL) IS NULL;

-- xmloption: documents with a DOCTYPE are refused as content, fragments as documents, in rows and in literals.
CREATE TABLE xmls (x xml); SET xmloption = document; INSERT INTO xmls VALUES ('<!DOCTYPE r [<!ELEMENT r ANY>]><r/>'), ('<?xml version="1.0"?><r>doc</r>'); SET xmloption = content; INSERT INTO xmls VALUES ('<a/><b/>'), ('text'), (''), ('a &amp; b');
CREATE TABLE xml_defaults (x xml DEFAULT '<a/>text<b/>', y xml DEFAULT XMLPARSE(CONTENT 'x<y/>'), z xml[] DEFAULT '{text,<a/>}'); INSERT INTO xml_defaults DEFAULT VALUES;
CREATE VIEW xml_view AS SELECT XMLPARSE(DOCUMENT '<a/>') AS d, 'fragment<a/>'::xml AS c, x IS DOCUMENT AS is FROM xmls; CREATE MATERIALIZED VIEW xml_mat AS SELECT x, x IS DOCUMENT AS d FROM xmls;

-- bytea_output, extra_float_digits: bytes as escapes, floats cut short. In matviews and definitions too.
CREATE TABLE bytes (b bytea DEFAULT '\x00ff5c27', ba bytea[] DEFAULT '{"\\x00","\\x5c"}', CHECK (b <> '\xdeadbeef')); INSERT INTO bytes VALUES (DEFAULT, DEFAULT), (E'\\\\', '{}'), (E'\\000\\377''', NULL); CREATE INDEX ON bytes (b) WHERE b > '\x5c';
CREATE TABLE floats (f float8 DEFAULT 0.30000000000000004, r real DEFAULT 0.30000001192092896, p point DEFAULT '(0.1,0.30000000000000004)', fa float8[] DEFAULT '{0.1,0.30000000000000004}', CHECK (f <> 0.30000000000000010::float8));
INSERT INTO floats VALUES (0.1 + 0.2::float8, 1.0000001, '(1e-300,3.141592653589793)', '{NaN,Infinity,2.2250738585072014e-308}'), (DEFAULT, DEFAULT, DEFAULT, DEFAULT), (9007199254740993, 16777217, NULL, NULL);
CREATE INDEX ON floats (r) WHERE f > 0.30000000000000004::float8; CREATE VIEW floats_view AS SELECT f + 0.30000000000000004::float8 AS f, 1.0000001::real AS r FROM floats;
CREATE MATERIALIZED VIEW floats_mat AS SELECT f, r, f * 3 AS three FROM floats; CREATE FUNCTION floats_default(f float8 DEFAULT 0.30000000000000004) RETURNS float8 LANGUAGE sql AS 'SELECT $1';

-- lc_monetary, lc_numeric: money is written with the locale's marks; to_char with L, D, G in views and functions.
CREATE TABLE moneys (m money DEFAULT 1234.56, ma money[] DEFAULT '{"1,234.50",-0.01}'); INSERT INTO moneys VALUES (DEFAULT, DEFAULT), ('-1,234,567.89', '{}'), (0, NULL); CREATE INDEX ON moneys (m) WHERE m > '1,000.00'::money;
CREATE MATERIALIZED VIEW numbers_mat AS SELECT to_char(1234567.891, '9G999G999D999') AS n, to_char(5.5, 'FML9D9') AS l, 1234.5::numeric AS v; CREATE VIEW moneys_view AS SELECT m + '1,234.50'::money AS m FROM moneys;

-- TimeZone: rows, and literals in checks, defaults, indexes, partitions, rules and policies; conversions that a session's zone decides.
CREATE TABLE zones (z timestamptz DEFAULT '2024-03-31 02:30:00+02', k timetz DEFAULT '05:06:07+05:30', d date GENERATED ALWAYS AS ((z AT TIME ZONE 'Europe/Berlin')::date) STORED, CHECK (z > '1999-12-31 23:59:59.999999+00'), CONSTRAINT zones_far CHECK (z < timestamptz 'infinity' OR z IS NOT NULL));
INSERT INTO zones (z, k) VALUES (DEFAULT, DEFAULT), ('2024-10-27 00:30:00+00', '24:00:00-15:59'), ('2024-10-27 01:30:00+00', '00:00+00'), ('infinity', NULL);
CREATE INDEX zones_partial ON zones (z) WHERE z > '2024-03-31 01:00:00+00' AND k < '12:00:00+03'; CREATE POLICY zones_policy ON zones USING (z > '2024-03-04 05:06:07+00');
CREATE TABLE zone_parts (z timestamptz) PARTITION BY RANGE (z); CREATE TABLE zone_parts_1 PARTITION OF zone_parts FOR VALUES FROM ('2024-03-04 00:00:00+00') TO ('2024-03-05 00:00:00+00'); CREATE TABLE zone_parts_2 PARTITION OF zone_parts FOR VALUES FROM ('2024-03-05 00:00:00+00') TO (MAXVALUE); INSERT INTO zone_parts VALUES ('2024-03-04 23:59:59.999999+00'), ('2024-03-05 00:00:00+00');
CREATE MATERIALIZED VIEW zones_mat AS SELECT z AT TIME ZONE 'UTC' AS utc, z - timestamptz '2024-03-04 00:00:00+00' AS since FROM zones WHERE isfinite(z);
-- row_security: rows that a policy hides from who is neither superuser nor owner.
CREATE TABLE rows (a int); INSERT INTO rows SELECT generate_series(1, 100); CREATE POLICY half ON rows USING (a % 2 = 0); ALTER TABLE rows ENABLE ROW LEVEL SECURITY; CREATE MATERIALIZED VIEW rows_mat AS SELECT count(*) AS n FROM rows;
\if :superuser
ALTER TABLE rows FORCE ROW LEVEL SECURITY;  -- of an owner, the clone would be refused
\endif

-- default_tablespace, default_table_access_method, default_toast_compression: a table that names none of them.
CREATE TABLE defaulted (a int PRIMARY KEY, t text, u text COMPRESSION lz4, v text COMPRESSION pglz, w text); ALTER TABLE defaulted ALTER w SET STORAGE EXTERNAL; INSERT INTO defaulted SELECT n, repeat('t' || n, 9000), repeat('u' || n, 9000), repeat('v' || n, 9000), repeat('w', 9000) FROM generate_series(1, 10) n; CREATE INDEX ON defaulted (length(t));

-- search_path: functions used in checks, indexes, defaults and materialized views that name things without a schema;
-- and objects that have the name of one in pg_catalog: where ses came first they would be taken instead.
CREATE FUNCTION ses_other.helper(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE FUNCTION uses_path(int) RETURNS int LANGUAGE plpgsql IMMUTABLE SET search_path = ses_other AS 'BEGIN RETURN helper($1); END';
CREATE TABLE paths (a int CHECK (uses_path(a) > 0), b int DEFAULT uses_path(41)); INSERT INTO paths VALUES (1, DEFAULT); CREATE INDEX ON paths (uses_path(a)); CREATE MATERIALIZED VIEW paths_mat AS SELECT uses_path(a) AS p FROM paths;
CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''shadow'''; CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT ''2000-01-01 00:00+00''::timestamptz';
CREATE TYPE int4 AS ENUM ('not a number'); CREATE DOMAIN text AS varchar(3); CREATE TABLE pg_class (relname pg_catalog.text); INSERT INTO ses.pg_class VALUES ('shadow'); CREATE OPERATOR = (LEFTARG = pg_catalog.int4, RIGHTARG = pg_catalog.int4, FUNCTION = int4ne);
CREATE VIEW shadows AS SELECT ses.lower('X'::pg_catalog.text) AS own, pg_catalog.lower('X'::pg_catalog.text) AS real, 1 OPERATOR(ses.=) 1 AS own_equals, 1 OPERATOR(pg_catalog.=) 1 AS equals, relname FROM ses.pg_class;
CREATE MATERIALIZED VIEW shadows_mat AS SELECT * FROM shadows; CREATE TABLE shadow_types (a ses.int4, b ses.text, c pg_catalog.int4, d pg_catalog.text CHECK (ses.lower(d) = 'shadow'::pg_catalog.text), e timestamptz DEFAULT ses.now(), CHECK (c OPERATOR(ses.=) 99)); INSERT INTO shadow_types VALUES ('not a number', 'abc', 1, 'long text');
CREATE INDEX ON shadow_types (ses.lower(d)); CREATE TABLE ses_other.pg_class (a pg_catalog.int4); CREATE FUNCTION ses_other.lower(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql AS 'SELECT pg_catalog.lower($1)';

-- check_function_bodies: a body that cannot be checked; quote_all_identifiers: options that are stored as text with their names.
SET check_function_bodies = off; CREATE FUNCTION broken() RETURNS int LANGUAGE sql AS 'SELECT a FROM not_there'; SET check_function_bodies = on;
CREATE TEXT SEARCH DICTIONARY quoted_dictionary (TEMPLATE = pg_catalog.simple, STOPWORDS = english, ACCEPT = false);
-- client_min_messages, default_transaction_isolation, statement_timeout, lock_timeout, idle_in_transaction_session_timeout:
-- nothing to see in the rows; a table that takes a while, which a short timeout would end.
CREATE TABLE takes_a_while (a int, t pg_catalog.text); INSERT INTO takes_a_while SELECT n, repeat(md5(n::pg_catalog.text), 20) FROM generate_series(1, 20000) n; CREATE INDEX ON takes_a_while (md5(t), a);
-- synchronize_seqscans, session_replication_role: triggers that fire when they should not.
CREATE TABLE fired (a int); INSERT INTO fired VALUES (1); CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER fires BEFORE INSERT ON fired FOR EACH ROW EXECUTE FUNCTION fires(); ALTER TABLE fired ENABLE REPLICA TRIGGER fires;
-- default_text_search_config: functions of full text with no configuration named, in a view and a generated column with one.
CREATE TABLE searched (t pg_catalog.text, v tsvector GENERATED ALWAYS AS (to_tsvector('english', t)) STORED); INSERT INTO searched VALUES ('the running foxes'); CREATE VIEW searched_view AS SELECT to_tsvector(t) AS v, plainto_tsquery('x') AS q FROM searched;
