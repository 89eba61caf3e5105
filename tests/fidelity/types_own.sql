-- Types of the user's own, reg* types, and values that are stored outside the row. Run as fidelity_owner.
SET client_min_messages = warning;
CREATE SCHEMA own;
CREATE SCHEMA "own Quoted";
SET search_path = own, extensions, public;

-- Enums: values added in between sort by a number that is not whole, one renamed, labels with quotes, none at all.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
ALTER TYPE mood ADD VALUE 'fine' BEFORE 'happy';
ALTER TYPE mood ADD VALUE 'between' BEFORE 'fine';
ALTER TYPE mood ADD VALUE 'first' BEFORE 'sad';
ALTER TYPE mood ADD VALUE 'it''s "last", \N' AFTER 'happy';
ALTER TYPE mood ADD VALUE '';
ALTER TYPE mood RENAME VALUE 'ok' TO 'okay';
CREATE TYPE no_value AS ENUM ();
CREATE TYPE "own Quoted"."En um" AS ENUM ('größe', E'new\nline', E'tab\t', '{}', ',', 'NULL', ' ', '\');
CREATE TABLE moods (m mood DEFAULT 'okay', ms mood[] DEFAULT '{okay,"it''s \"last\", \\N"}', q "own Quoted"."En um", qs "own Quoted"."En um"[]);
INSERT INTO moods (m, ms) SELECT m, ARRAY[m, NULL, 'sad'] FROM unnest(enum_range(NULL::mood)) m;
INSERT INTO moods (q, qs) SELECT q, enum_range(NULL::"own Quoted"."En um") FROM unnest(enum_range(NULL::"own Quoted"."En um")) q;
CREATE TABLE has_no_value (n no_value);
INSERT INTO has_no_value VALUES (NULL);

-- Domains: over domains, over arrays, composites, ranges and enums, with checks that have names, a default, a collation.
CREATE DOMAIN positive AS int CONSTRAINT above_zero CHECK (VALUE > 0);
CREATE DOMAIN small_positive AS positive DEFAULT 7 CONSTRAINT below_hundred CHECK (VALUE < 100) CONSTRAINT not_thirteen CHECK (VALUE <> 13);
CREATE DOMAIN required AS text COLLATE "C" DEFAULT 'it''s' NOT NULL CHECK (VALUE <> '\') CHECK (length(VALUE) < 100);
CREATE DOMAIN short_text AS varchar(5);
CREATE DOMAIN int_list AS int[] CHECK (array_length(VALUE, 1) < 5);
CREATE DOMAIN mood_domain AS mood CHECK (VALUE <> 'sad');
CREATE TYPE pair AS (x int, "Y y" text COLLATE "C");
CREATE DOMAIN pair_domain AS pair CHECK ((VALUE).x > 0);
CREATE DOMAIN range_domain AS int4range CHECK (NOT isempty(VALUE));
CREATE DOMAIN numeric_domain AS numeric(10,3);
CREATE DOMAIN no_check AS bytea;
-- A domain whose check calls a function that reads a table: the function and its table come first.
CREATE TABLE allowed (v text PRIMARY KEY);
INSERT INTO allowed VALUES ('yes'), ('maybe');
CREATE FUNCTION is_allowed(text) RETURNS bool LANGUAGE sql STABLE AS 'SELECT $1 IS NULL OR EXISTS (SELECT FROM own.allowed WHERE v = $1)';
CREATE DOMAIN allowed_text AS text CHECK (own.is_allowed(VALUE)) NOT NULL DEFAULT 'yes';
CREATE TABLE domains (a positive, b small_positive, c required, d short_text, e int_list, f mood_domain, g pair_domain, h range_domain, i positive[], j small_positive[], k int_list[], l pair_domain[], m numeric_domain, n no_check, o allowed_text);
INSERT INTO domains (a, e, f, g, h, i, j, k, l, d, m, n) VALUES (1, '{1,NULL}', 'happy', ROW(1, 'a'), '[1,)', '{1,NULL,3}', '{{7,8},{9,10}}', ARRAY['{1}', NULL]::int_list[], ARRAY[ROW(1, ',"')]::pair_domain[], 'abc', 1.5, '\x00'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-- A domain's constraint that is not valid, with rows that break it: it has to come after the rows.
CREATE DOMAIN not_valid_domain AS int CONSTRAINT valid_one CHECK (VALUE < 1000);
CREATE TABLE not_valid_rows (a not_valid_domain, b not_valid_domain[]);
INSERT INTO not_valid_rows VALUES (-5, '{-6,7}');
ALTER DOMAIN not_valid_domain ADD CONSTRAINT not_valid_one CHECK (VALUE > 0) NOT VALID;
COMMENT ON CONSTRAINT not_valid_one ON DOMAIN not_valid_domain IS 'of a constraint that is not valid';
COMMENT ON CONSTRAINT above_zero ON DOMAIN positive IS 'of a domain';

-- Composites: nested, with arrays of themselves' parts, with a dropped attribute, empty, of a table's row.
CREATE TYPE inner_type AS (a int, b text, c mood, d positive);
CREATE TYPE outer_type AS (i inner_type, "is" inner_type[], t text, p pair_domain);
CREATE TYPE no_attribute AS ();
CREATE TYPE changed_type AS (a int, gone text, b text);
ALTER TYPE changed_type DROP ATTRIBUTE gone;
ALTER TYPE changed_type ADD ATTRIBUTE c timestamptz;
CREATE TABLE composites (a inner_type, b outer_type, c outer_type[], d changed_type, e no_attribute);
INSERT INTO composites VALUES (ROW(1, 'a', 'happy', 5), ROW(ROW(2, E'q"\\,()\n', 'sad', 6), ARRAY[ROW(3, NULL, NULL, NULL)::inner_type, NULL], '', NULL), NULL, ROW(1, 'x', '2024-03-04 05:06:07+00'), ROW()),
  (ROW(NULL, NULL, NULL, NULL), NULL, ARRAY[ROW(ROW(7, '', 'fine', 8), '{}', NULL, ROW(1, '{"}'))]::outer_type[], NULL, NULL), (NULL, ROW(NULL, NULL, NULL, NULL), '{}', ROW(NULL, '', NULL), NULL);

-- Ranges over own types: with a difference function, with a collation, an operator class, own multirange names.
CREATE FUNCTION text_difference(text, text) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT (length($1) - length($2))::float8';
CREATE TYPE text_range AS RANGE (SUBTYPE = text, COLLATION = "C", SUBTYPE_DIFF = text_difference);
CREATE TYPE float_range AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi, MULTIRANGE_TYPE_NAME = "Many Floats");
CREATE TYPE pattern_range AS RANGE (SUBTYPE = text, SUBTYPE_OPCLASS = text_pattern_ops);
CREATE TYPE "own Quoted"."Mood Range" AS RANGE (SUBTYPE = mood, MULTIRANGE_TYPE_NAME = "own Quoted"."Mood Ranges");
CREATE TYPE pair_range AS RANGE (SUBTYPE = pair);
CREATE TYPE positive_range AS RANGE (SUBTYPE = positive);
CREATE TABLE own_ranges (a text_range, b text_multirange, c float_range, d "Many Floats", e pattern_range, f "own Quoted"."Mood Range", g "own Quoted"."Mood Ranges", h pair_range, k positive_range[]);
INSERT INTO own_ranges VALUES ('["a,b","c""d")', '{["",a),[b,)}', '[0.1,0.30000000000000004]', '{[0.1,0.2],(1,Infinity)}', '(,\\\\]', '[sad,happy]', '{[first,sad],["it''s \"last\", \\N",]}', pair_range(ROW(1, 'a,'), ROW(2, 'b"\'), '[]'), '{"[1,5)",empty}'), ('empty', '{}', NULL, NULL, 'empty', '(,)', '{}', '(,)', '{}');

-- reg* types: they hold an OID, which another server gives to another object; each value is the name of something made here.
CREATE FUNCTION reg_function(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION "Reg Function"() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION int_concat(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 10 + $2';
CREATE OPERATOR ||# (LEFTARG = int, RIGHTARG = int, FUNCTION = int_concat);
CREATE TEXT SEARCH DICTIONARY reg_dictionary (TEMPLATE = pg_catalog.simple);
CREATE TEXT SEARCH CONFIGURATION "Reg Config" (COPY = english);
CREATE COLLATION reg_collation (LOCALE = 'C');
CREATE TABLE reg_target (a int CONSTRAINT reg_target_key PRIMARY KEY, b text);
CREATE INDEX "Reg Index" ON reg_target (b);
CREATE VIEW reg_view AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW reg_matview AS SELECT 1 AS one;
CREATE TABLE regs (i int, c regclass, t regtype, p regprocedure, f regproc, o regoperator, oo regoper, n regnamespace, r regrole, co regcollation, g regconfig, d regdictionary);
INSERT INTO regs VALUES (1, 'own.reg_target', 'own.mood', 'own.reg_function(int,text)', 'own.reg_function', 'own.||#(int,int)', 'own.||#', 'own', 'fidelity_reader', 'own.reg_collation', 'own."Reg Config"', 'own.reg_dictionary'),
  (2, 'pg_class', 'int', 'pg_catalog.now()', 'now', '+(int,int)', 'pg_catalog.||/', 'pg_catalog', '"Fidelity Quoted ""Role"""', '"C"', 'simple', 'simple'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), (5, 'own.reg_view', 'own.mood[]', 'own."Reg Function"()', 'own."Reg Function"', '-(NONE,int)', NULL, '"own Quoted"', NULL, 'pg_catalog."default"', NULL, NULL),
  (6, NULL, 'own."Many Floats"', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (7, 'own.regs', 'own.regs', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-- In a domain, an array, a composite, a range and a default.
CREATE DOMAIN reg_domain AS regclass;
CREATE TYPE reg_composite AS (c regclass, t regtype[]);
CREATE TABLE regs_within (d reg_domain, a regtype[], c reg_composite, cs reg_composite[], e regclass DEFAULT 'own.reg_target', f regprocedure DEFAULT 'own.reg_function(int,text)');
INSERT INTO regs_within VALUES ('own.reg_target', '{own.mood,integer,NULL}', ROW('own.regs', '{own.pair}'), ARRAY[ROW('own.reg_view', NULL)::reg_composite], DEFAULT, DEFAULT);

-- Large values in every storage and compression, some of them equal to others, beside columns that are not long.
CREATE TABLE toasted (i int PRIMARY KEY, plain text, external text, extended text, main text, pg text COMPRESSION pglz, lz text COMPRESSION lz4, j jsonb, a int[], c pair, b bytea);
ALTER TABLE toasted ALTER plain SET STORAGE PLAIN, ALTER external SET STORAGE EXTERNAL, ALTER extended SET STORAGE EXTENDED, ALTER main SET STORAGE MAIN, ALTER b SET STORAGE EXTERNAL, ALTER b SET COMPRESSION lz4;
INSERT INTO toasted SELECT n, repeat('p', 500 + n), repeat('e' || n, 4000), repeat('x' || n, 40000), repeat('m' || n, 4000), repeat('g' || n, 20000), repeat('l' || n, 20000),
  jsonb_build_object('k', repeat('j', 20000), 'n', n), ARRAY(SELECT g FROM generate_series(1, 5000) g), ROW(n, repeat('c', 20000))::pair, decode(repeat(md5(n::text), 500), 'hex') FROM generate_series(1, 20) n;
-- Values that do not compress, of 3 MB, and their parts changed later.
INSERT INTO toasted (i, extended, lz) SELECT 100, string_agg(md5(g::text), '' ORDER BY g), string_agg(md5((-g)::text), '' ORDER BY g) FROM generate_series(1, 100000) g;
UPDATE toasted SET external = external || 'changed', main = NULL WHERE i % 5 = 0;

-- Types of extensions: their text form is the extension's own.
CREATE TABLE extension_types (i int, h hstore, c citext, l ltree, lq lquery, cu cube, se seg, isbn isbn13, e extensions.earth, o extensions.lo, ca citext[], ha hstore[]);
INSERT INTO extension_types VALUES (1, '"a b"=>"c\"d", k=>NULL, e=>""', 'CaSe', 'Top.Science', '*.Sci*{1,2}', '(0.1,0.30000000000000004),(1,2)', '1.50 .. 2.0', '978-0-393-04002-9', ll_to_earth(1, 2), NULL, '{A,a,NULL}', ARRAY['a=>1', NULL]::hstore[]), (2, '', '', '', NULL, '()', '<7', NULL, NULL, NULL, '{}', '{}'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
