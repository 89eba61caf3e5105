-- Functions, procedures, aggregates, operators, casts, collations, conversions, text search. Run as fidelity_owner.
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
CREATE SCHEMA fun;
CREATE SCHEMA "fun Other";
SET search_path = fun;

-- Functions in SQL: as a string, as a body that is parsed when it is made, which therefore depends on what it names.
CREATE TABLE base (id int PRIMARY KEY, name text, grp text, amount numeric);
INSERT INTO base SELECT n, 'name ' || n, 'g' || n % 5, n * 1.5 FROM generate_series(1, 100) n;
CREATE FUNCTION sql_string(a int, b text DEFAULT 'it''s \ $$ "x"', c int[] DEFAULT '{1,NULL}') RETURNS text LANGUAGE sql STABLE PARALLEL SAFE COST 5 AS $f$ SELECT $1 || b || '$$' || array_length(c, 1) -- a comment
$f$;
CREATE FUNCTION sql_return(a int) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN a * 2 + 1;
CREATE FUNCTION sql_atomic(a int) RETURNS TABLE (id int, "Name %" text) LANGUAGE sql STABLE BEGIN ATOMIC
  SELECT b.id, b.name FROM base b WHERE b.id > a; SELECT b.id, upper(b.name) FROM base b WHERE b.id > sql_return(a) ORDER BY b.id; END;
CREATE PROCEDURE sql_atomic_procedure(a int, INOUT n bigint DEFAULT NULL) LANGUAGE sql BEGIN ATOMIC UPDATE base SET amount = amount + a WHERE id < 0; SELECT count(*) FROM base; END;
-- This body names a column outside of GROUP BY, which is right only as long as the primary key is there: the function
-- has to come after the key, although functions come before tables.
CREATE FUNCTION needs_primary_key() RETURNS SETOF text LANGUAGE sql STABLE BEGIN ATOMIC SELECT name || count(*) FROM base GROUP BY id; END;
-- Functions that call each other, as strings, and one that is used in a table's default, which uses the table's type.
CREATE FUNCTION ping(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE OR REPLACE FUNCTION pong(int) RETURNS int LANGUAGE sql AS 'SELECT fun.ping($1 - 1)';
CREATE OR REPLACE FUNCTION ping(int) RETURNS int LANGUAGE sql AS 'SELECT CASE WHEN $1 > 0 THEN fun.pong($1) ELSE 0 END';
CREATE FUNCTION of_row(base) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.name || ''!''';
CREATE FUNCTION returns_rows() RETURNS SETOF base LANGUAGE sql STABLE ROWS 77 AS 'SELECT * FROM fun.base';
CREATE FUNCTION returns_type(base.id%TYPE) RETURNS base.name%TYPE LANGUAGE sql AS 'SELECT ''x''';
CREATE FUNCTION next_id() RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN (SELECT coalesce(max(id), 0) + 1 FROM fun.uses_itself); END';
CREATE TABLE uses_itself (id int DEFAULT next_id(), t text);
INSERT INTO uses_itself (t) VALUES ('first');
INSERT INTO uses_itself (t) VALUES ('second');
CREATE FUNCTION of_uses_itself(uses_itself) RETURNS int LANGUAGE sql AS 'SELECT $1.id';
-- Bodies with quotes of every kind, backslashes, newlines of every kind, non-ASCII, and what looks like a dump's end.
CREATE FUNCTION body_quotes() RETURNS text LANGUAGE plpgsql AS $outer$
DECLARE "Odd $1" text := 'quote '' backslash \ percent % dollar $inner$ ';
BEGIN
  -- größe 名前; $_$ and $function$ and $$ and $1
  EXECUTE $inner$ SELECT $$nested$$ $inner$ INTO "Odd $1";
	RETURN E'tab\there\\' || "Odd $1" || '
\.
\N
-- not the end;
';
END $outer$;
CREATE FUNCTION body_backslashes() RETURNS text LANGUAGE sql AS 'SELECT ''\\ \n \x'' || E''\\n''';
CREATE FUNCTION body_carriage() RETURNS text LANGUAGE plpgsql AS E'BEGIN\r\n  RETURN ''a\rb\r\n'';\r\nEND';
CREATE FUNCTION body_empty() RETURNS void LANGUAGE sql AS '';
SELECT format('CREATE FUNCTION body_long() RETURNS text LANGUAGE plpgsql AS %L', 'BEGIN RETURN ''x''; END; ' || repeat(E'-- a long body $a$ ''\n', 20000)) \gexec
CREATE FUNCTION body_broken() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT a FROM no_such_table); END';
SET check_function_bodies = off;
CREATE FUNCTION body_broken_sql() RETURNS int LANGUAGE sql AS 'SELECT no_such_column FROM no_such_table';
SET check_function_bodies = on;
-- Properties: security, volatility, strictness, parallel safety, cost, rows, settings, of which some are lists.
CREATE FUNCTION properties(int) RETURNS SETOF int LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL RESTRICTED COST 123.5 ROWS 456
  SET search_path = fun, "fun Other", "$user", public SET work_mem = '7MB' SET application_name = 'it''s \ "x"' SET DateStyle = 'SQL, DMY' AS 'BEGIN RETURN NEXT $1; END';
CREATE FUNCTION properties_list(int) RETURNS int LANGUAGE sql SET search_path = fun, "fun Other", "a,b", "$user" SET application_name = '' SET TimeZone = 'UTC' SET extra_float_digits FROM CURRENT AS 'SELECT $1';
CREATE FUNCTION properties_empty_path() RETURNS int LANGUAGE sql SET search_path = '' AS 'SELECT 1';
-- Arguments: of all modes, with defaults of all kinds, variadic, polymorphic, without names, of arrays and pseudo-types.
CREATE FUNCTION arguments_out(IN a int, OUT b int, INOUT c text, OUT d date) LANGUAGE plpgsql AS 'BEGIN b := a; d := ''2024-03-04''; END';
CREATE FUNCTION arguments_table(a int) RETURNS TABLE ("Col A" int, "order" text[]) LANGUAGE sql AS 'SELECT 1, ARRAY[''x'']';
CREATE FUNCTION arguments_variadic(text, VARIADIC ints int[] DEFAULT '{}') RETURNS int LANGUAGE sql AS 'SELECT count(*)::int FROM unnest($2)';
CREATE FUNCTION arguments_any(anyelement, anyarray, anycompatible DEFAULT 5) RETURNS anyarray LANGUAGE sql AS 'SELECT $2 || $1';
CREATE FUNCTION arguments_multirange(anymultirange, OUT anyrange) LANGUAGE sql AS 'SELECT range_merge($1)';
CREATE FUNCTION arguments_defaults(a timestamptz DEFAULT '2024-03-04 05:06:07+00', b interval DEFAULT '-1 year +2 days', c text DEFAULT NULL, d base DEFAULT NULL, e int DEFAULT sql_return(4), f text DEFAULT CURRENT_USER) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION arguments_record() RETURNS SETOF record LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION arguments_cursor(refcursor) RETURNS refcursor LANGUAGE plpgsql AS 'BEGIN OPEN $1 FOR SELECT 1; RETURN $1; END';
CREATE FUNCTION "fun Other"."Odd % Function"("in" int, "A ""b""" text DEFAULT '%') RETURNS int LANGUAGE sql AS 'SELECT "in"';
CREATE PROCEDURE procedure_plain(a int, OUT c int, INOUT b text DEFAULT 'x') LANGUAGE plpgsql AS 'BEGIN c := a; END';
CREATE PROCEDURE procedure_settings() LANGUAGE plpgsql SECURITY DEFINER SET search_path = fun AS 'BEGIN NULL; END';
-- A window function of one's own can only be of language C or internal: it is in superuser.sql. A trigger function's
-- use in two schemas, and a function that was moved, whose dependants keep it.
CREATE FUNCTION moved_away(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE VIEW uses_moved AS SELECT moved_away(1) AS two;
ALTER FUNCTION moved_away(int) SET SCHEMA "fun Other";
ALTER FUNCTION sql_string(int, text, int[]) OWNER TO fidelity_owner;
COMMENT ON FUNCTION sql_string(int, text, int[]) IS 'a comment of a function';
COMMENT ON PROCEDURE procedure_plain(int, int, text) IS 'a comment of a procedure';

-- Aggregates: ordinary with all parts, moving, ordered-set, hypothetical, variadic, with initial values and a sort operator.
CREATE FUNCTION sum_step(state numeric, v numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT coalesce($1, 0) + coalesce($2, 0)';
CREATE FUNCTION sum_back(state numeric, v numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT $1 - coalesce($2, 0)';
CREATE FUNCTION sum_final(state numeric) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT ''sum '' || $1';
CREATE AGGREGATE sum_text(numeric) (SFUNC = sum_step, STYPE = numeric, SSPACE = 64, FINALFUNC = sum_final, FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = sum_step, INITCOND = '0', MSFUNC = sum_step, MINVFUNC = sum_back, MSTYPE = numeric, MSSPACE = 32, MFINALFUNC = sum_final, MFINALFUNC_MODIFY = SHAREABLE, MINITCOND = '0.00', PARALLEL = SAFE);
CREATE AGGREGATE least_one(int) (SFUNC = int4smaller, STYPE = int, SORTOP = OPERATOR(pg_catalog.<));
CREATE AGGREGATE count_all(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '5');
CREATE FUNCTION list_step(text, VARIADIC text[]) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || array_to_string($2, ''|'')';
CREATE AGGREGATE list_all(VARIADIC text[]) (SFUNC = list_step, STYPE = text, INITCOND = 'it''s \ {"');
CREATE FUNCTION keep_step(anyarray, anyelement) RETURNS anyarray LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $2';
CREATE FUNCTION keep_final(anyarray, float8, anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS 'SELECT $1[1 + floor($2 * (array_length($1, 1) - 1))::int]';
CREATE AGGREGATE nth_part(float8 ORDER BY anyelement) (SFUNC = keep_step, STYPE = anyarray, INITCOND = '{}', FINALFUNC = keep_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE);
CREATE FUNCTION place_step(bigint, int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE FUNCTION place_final(bigint, int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 * coalesce($2, 1)';
CREATE AGGREGATE place_of(int ORDER BY int) (SFUNC = place_step, STYPE = bigint, INITCOND = '0', FINALFUNC = place_final, HYPOTHETICAL);
CREATE FUNCTION agg_two(text, int, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || coalesce($2 || $3, '''')';
CREATE AGGREGATE "fun Other"."Agg %"(a int, "b b" text) (SFUNC = fun.agg_two, STYPE = text, INITCOND = '');
COMMENT ON AGGREGATE sum_text(numeric) IS 'a comment of an aggregate';
COMMENT ON AGGREGATE nth_part(float8 ORDER BY anyelement) IS 'of an ordered-set aggregate';
COMMENT ON AGGREGATE count_all(*) IS 'of an aggregate of no argument';
CREATE VIEW uses_aggregates AS SELECT grp, sum_text(amount) AS s, nth_part(0.5) WITHIN GROUP (ORDER BY id) AS n, count_all(*) AS c, place_of(3) WITHIN GROUP (ORDER BY id) AS p, list_all(VARIADIC ARRAY[name, grp] ORDER BY id) FILTER (WHERE id < 10) AS l, "fun Other"."Agg %"(id, name ORDER BY id DESC) AS o FROM base GROUP BY grp;
CREATE MATERIALIZED VIEW keeps_aggregates AS SELECT * FROM uses_aggregates;

-- Operators: both kinds, with commutators and negators that name each other before they exist, with selectivity.
CREATE TYPE box_size AS (w int, h int);
CREATE FUNCTION box_less(box_size, box_size) RETURNS bool LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1.w * $1.h < $2.w * $2.h';
CREATE FUNCTION box_more(box_size, box_size) RETURNS bool LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1.w * $1.h > $2.w * $2.h';
CREATE FUNCTION box_not_less(box_size, box_size) RETURNS bool LANGUAGE sql IMMUTABLE STRICT AS 'SELECT NOT $1.w * $1.h < $2.w * $2.h';
CREATE FUNCTION box_same(box_size, box_size) RETURNS bool LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1.w * $1.h = $2.w * $2.h';
CREATE FUNCTION box_double(box_size) RETURNS box_size LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ROW($1.w * 2, $1.h * 2)::fun.box_size';
CREATE OPERATOR <# (LEFTARG = box_size, RIGHTARG = box_size, FUNCTION = box_less, COMMUTATOR = OPERATOR(fun.>#), NEGATOR = >=#, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR ># (LEFTARG = box_size, RIGHTARG = box_size, FUNCTION = box_more, COMMUTATOR = <#);
CREATE OPERATOR >=# (LEFTARG = box_size, RIGHTARG = box_size, FUNCTION = box_not_less, NEGATOR = <#);
CREATE OPERATOR =# (LEFTARG = box_size, RIGHTARG = box_size, FUNCTION = box_same, COMMUTATOR = =#, HASHES, MERGES);
CREATE OPERATOR "fun Other".!!# (RIGHTARG = fun.box_size, FUNCTION = fun.box_double);
-- A shell operator: named as a negator, and never made.
CREATE OPERATOR <>## (LEFTARG = box_size, RIGHTARG = box_size, FUNCTION = box_less, NEGATOR = <=##);
COMMENT ON OPERATOR <# (box_size, box_size) IS 'a comment of an operator';
COMMENT ON OPERATOR "fun Other".!!# (NONE, fun.box_size) IS 'of a prefix operator in another schema';
CREATE TABLE uses_operator (a box_size, CHECK (a ># ROW(0, 0)::box_size), CHECK ((OPERATOR("fun Other".!!#) a) >=# a));
CREATE INDEX ON uses_operator ((a <# ROW(3, 3)::box_size));
CREATE VIEW views_operator AS SELECT OPERATOR("fun Other".!!#) a AS twice FROM uses_operator WHERE a =# ROW(2, 2)::box_size;
INSERT INTO uses_operator VALUES (ROW(2, 2)), (ROW(1, 5));

-- Casts: by a function, by input and output, for assignment, implicit; used in a default and a view.
CREATE FUNCTION box_to_int(box_size) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1.w * $1.h';
CREATE FUNCTION text_to_box(text) RETURNS box_size LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ROW(length($1), 1)::fun.box_size';
CREATE CAST (box_size AS int) WITH FUNCTION box_to_int(box_size);
CREATE CAST (text AS box_size) WITH FUNCTION text_to_box(text) AS ASSIGNMENT;
CREATE CAST (jsonb AS box_size) WITH INOUT AS IMPLICIT;
CREATE DOMAIN cast_domain AS int;
COMMENT ON CAST (box_size AS int) IS 'a comment of a cast';
CREATE TABLE uses_cast (a int DEFAULT ROW(3, 4)::box_size::int, b box_size DEFAULT 'text'::text);
INSERT INTO uses_cast DEFAULT VALUES;
CREATE VIEW views_cast AS SELECT b::int AS size FROM uses_cast;

-- Collations: of libc, of ICU with rules that are not the default, not deterministic; used where they decide an order.
CREATE COLLATION libc_c (PROVIDER = libc, LC_COLLATE = 'C', LC_CTYPE = 'POSIX');
CREATE COLLATION icu_numeric (PROVIDER = icu, LOCALE = 'en-u-kn-true');
CREATE COLLATION icu_any_case (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE COLLATION "fun Other"."Copied %" FROM pg_catalog."de-x-icu";
COMMENT ON COLLATION icu_numeric IS 'numbers in text by their value';
CREATE TABLE collated (a text COLLATE icu_numeric PRIMARY KEY, b text COLLATE icu_any_case UNIQUE, c text COLLATE "fun Other"."Copied %");
INSERT INTO collated VALUES ('a10', 'X', 'ä'), ('a9', 'y', 'z'), ('A1', 'Z', 'a');
CREATE INDEX ON collated (c COLLATE libc_c, lower(b COLLATE "en-x-icu"));
CREATE VIEW collated_view AS SELECT a COLLATE "C" AS a, b FROM collated ORDER BY a COLLATE icu_numeric;
-- Partition bounds under a collation that is not deterministic: the partition of a row is the collation's to say.
CREATE TABLE collated_parts (k text COLLATE icu_any_case, v int) PARTITION BY HASH (k);
CREATE TABLE collated_parts_0 PARTITION OF collated_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE collated_parts_1 PARTITION OF collated_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO collated_parts SELECT CASE n % 2 WHEN 0 THEN 'Key' ELSE 'kEY' END || n / 2, n FROM generate_series(1, 60) n;

-- Conversions, by functions that are there; and one that is a default.
CREATE CONVERSION utf8_to_latin FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
CREATE DEFAULT CONVERSION "fun Other"."Latin to UTF8" FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION utf8_to_latin IS 'a comment of a conversion';

-- Text search: dictionaries with options, chains of them, a configuration with words of other kinds left out.
CREATE TEXT SEARCH DICTIONARY dict_simple (TEMPLATE = simple, STOPWORDS = english, ACCEPT = false);
CREATE TEXT SEARCH DICTIONARY dict_snow (TEMPLATE = snowball, LANGUAGE = german);
CREATE TEXT SEARCH DICTIONARY "fun Other"."Dict '%'" (TEMPLATE = extensions.intdict_template, MAXLEN = 4, REJECTLONG = true);
CREATE TEXT SEARCH DICTIONARY dict_synonym (TEMPLATE = synonym, SYNONYMS = synonym_sample, CASESENSITIVE = true);
CREATE TEXT SEARCH DICTIONARY dict_ispell (TEMPLATE = ispell, DICTFILE = ispell_sample, AFFFILE = ispell_sample, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION config_empty (PARSER = "default");
CREATE TEXT SEARCH CONFIGURATION config_german (COPY = german);
ALTER TEXT SEARCH CONFIGURATION config_german ALTER MAPPING FOR word, asciiword WITH "fun Other"."Dict '%'", dict_simple, dict_snow, extensions.unaccent, simple;
ALTER TEXT SEARCH CONFIGURATION config_german DROP MAPPING FOR url, email, "float";
ALTER TEXT SEARCH CONFIGURATION config_empty ADD MAPPING FOR asciiword, numword WITH dict_synonym, dict_ispell;
COMMENT ON TEXT SEARCH DICTIONARY dict_simple IS 'a comment of a dictionary';
COMMENT ON TEXT SEARCH CONFIGURATION config_german IS 'a comment of a configuration';
CREATE TABLE searched (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('fun.config_german', t)) STORED);
CREATE INDEX ON searched USING gin (to_tsvector('fun.config_german'::regconfig, t));
INSERT INTO searched (t) VALUES ('Die Häuser der Straße 123456'), ('the house');
-- Comments on what has not had any yet: types, domains, attributes, ranges, enums, columns of types and of views.
CREATE TYPE commented_enum AS ENUM ('a');
CREATE TYPE commented_range AS RANGE (SUBTYPE = int);
CREATE DOMAIN commented_domain AS text;
COMMENT ON TYPE box_size IS 'a comment of a composite type';
COMMENT ON COLUMN box_size.w IS 'a comment of an attribute';
COMMENT ON TYPE commented_enum IS 'of an enum'; COMMENT ON TYPE commented_range IS 'of a range'; COMMENT ON DOMAIN commented_domain IS 'of a domain';
COMMENT ON SCHEMA "fun Other" IS 'of a schema'; COMMENT ON VIEW views_cast IS 'of a view'; COMMENT ON COLUMN views_cast.size IS 'of a view''s column';
COMMENT ON MATERIALIZED VIEW keeps_aggregates IS 'of a materialized view'; COMMENT ON COLUMN keeps_aggregates.grp IS 'of its column';
COMMENT ON TABLE base IS E'several\nlines\r\n; -- with what ends them \\. $$ '' "'; COMMENT ON COLUMN base.id IS ''; COMMENT ON COLUMN base.name IS '\N';
SELECT format('COMMENT ON COLUMN base.amount IS %L', repeat('a very long comment ', 5000)) \gexec
