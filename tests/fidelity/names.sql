-- Names that break programs which build SQL, file names, format strings or archive entries of them.
-- Run as fidelity_owner; the file is UTF-8.
SET client_min_messages = warning;
SET client_encoding = 'UTF8';

-- For each odd name a schema, and in it a table, column, index, constraint, sequence, function, type, trigger, policy,
-- view, materialized view, rule, statistics object and comment of that name, with rows; the name is the data too.
CREATE SCHEMA nam;
CREATE TABLE nam.names (i int PRIMARY KEY, n name NOT NULL UNIQUE, why text NOT NULL);
INSERT INTO nam.names VALUES
  (1, 'single ''quote', 'ends a literal'),
  (2, 'double "quote', 'ends an identifier'),
  (3, '""', 'nothing but quotes'),
  (4, '''''', 'nothing but single quotes'),
  (5, E'new\nline', 'ends a line of a TOC list or a comment'),
  (6, E'carriage\rreturn', 'ends a line too'),
  (7, E'tab\tname', 'separates columns of COPY text'),
  (8, E'\n\nleading newlines; DROP TABLE nam.names; --', 'would be a statement after a comment that a newline ended'),
  (9, '100 % of it', 'a format string'),
  (10, '%s %d %n %I %L {} {0}', 'format strings of C, of format() and of fmt'),
  (11, 'größe_ñ_名前', 'not ASCII'),
  (12, E'\U0001F4BE disk', 'beyond the basic plane: four bytes'),
  (13, E'e\u0301 combining', 'a combining character, which must not be normalised'),
  (14, E'\u202Eright to left', 'a control character for direction'),
  (15, 'UPPER', 'upper case is lost without quotes'),
  (16, 'MixedCase', 'as is mixed case'),
  (17, 'select', 'a reserved word'),
  (18, 'user', 'a reserved word that is a function too'),
  (19, 'default', 'a reserved word'),
  (20, 'table', 'a reserved word'),
  (21, 'end', 'a reserved word'),
  (22, 'with space', 'a space'),
  (23, ' leading and trailing ', 'spaces that a trim would take'),
  (24, 'back\slash', 'an escape'),
  (25, '\', 'a backslash alone'),
  (26, '\N', 'NULL in COPY text'),
  (27, '\.', 'the end of COPY text'),
  (28, '1digit', 'a leading digit'),
  (29, '123', 'a number, as an OID would be written'),
  (30, 'semi;colon', 'ends a statement'),
  (31, '$$', 'a dollar quote'),
  (32, '$body$', 'a named dollar quote'),
  (33, '$1', 'a parameter'),
  (34, '--comment', 'a comment'),
  (35, '/* comment', 'a comment that does not end'),
  (36, '*/', 'the end of a comment'),
  (37, 'dot.ted', 'a dot, which separates schema and table'),
  (38, '"quoted.dotted"."twice"', 'looks like a qualified name'),
  (39, 'com,ma', 'a comma, which separates the items of a list'),
  (40, '(paren)', 'parentheses'),
  (41, '{brace}', 'braces of an array'),
  (42, '[bracket]', 'brackets of a subscript'),
  (43, '*', 'a wildcard'),
  (44, '?', 'a pattern of pg_dump, and a parameter'),
  (45, 'a|b', 'alternatives in a pattern'),
  (46, '^a$', 'anchors of a pattern'),
  (47, ':name', 'a psql variable'),
  (48, ':''name''', 'a quoted psql variable'),
  (49, 'a=b', 'a setting or an ACL item'),
  (50, 'a/b', 'a path, and the grantor in an ACL item'),
  (51, '../up', 'a path that leaves its folder'),
  (52, '-', 'an option, and the missing name of a TOC entry'),
  (53, '_', 'an underscore'),
  (54, 'pg_looks_like_system', 'begins as a system name; as a schema it is not allowed'),
  (55, 'null', 'a reserved word that might be taken for a missing value'),
  (56, 'x', 'begins a bit string when a quote follows'),
  (57, 'U&"\0061"', 'an identifier with Unicode escapes'),
  (58, '`backtick`', 'a shell command'),
  (59, '$(touch x)', 'a shell command'),
  (60, '&&', 'a shell operator'),
  (61, E'\u00A0no-break', 'a space that is none'),
  (62, E'\u2028line separator', 'ends a line for some readers'),
  (63, E'bell\x07 and \x1b[31m', 'control characters'),
  (64, repeat('l', 63), 'as long as a name may be'),
  (65, repeat('é', 31) || 'x', 'as long as a name may be, in bytes'),
  (66, repeat('"', 63), 'twice as long when quoted'),
  (67, repeat('''', 63), 'twice as long as a literal'),
  (68, repeat('\', 63), 'twice as long when escaped'),
  (69, 'public', 'a name that a schema has'),
  (70, 'pg_class', 'shadows a catalog where search_path says so'),
  (71, 'İstanbul', 'a letter whose lower case is longer'),
  (72, 'ＦＵＬＬ', 'letters that a locale may fold');

-- The name with a suffix, cut so that both have room in 63 bytes.
CREATE FUNCTION nam.suffixed(n text, suffix text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $suffixed$
BEGIN
  WHILE octet_length(n) > 63 - length(suffix) LOOP n := left(n, -1); END LOOP;
  RETURN n || suffix;
END $suffixed$;

CREATE FUNCTION nam.make(i int, n text, why text) RETURNS void LANGUAGE plpgsql AS $make$
DECLARE
  s text := CASE WHEN n LIKE 'pg\_%' OR n = 'public' THEN 'schema of ' || n ELSE n END;
BEGIN
  EXECUTE format('CREATE SCHEMA %I', s);
  EXECUTE format('CREATE TYPE %1$I.%2$I AS ENUM (%3$L, %4$L)', s, nam.suffixed(n, '_e'), n, why);
  EXECUTE format('CREATE DOMAIN %1$I.%2$I AS text CONSTRAINT %3$I CHECK (VALUE <> %3$L || %3$L)', s, nam.suffixed(n, '_d'), n);
  EXECUTE format('CREATE TYPE %1$I.%2$I AS (%3$I text, b int)', s, nam.suffixed(n, '_c'), n);
  EXECUTE format('CREATE SEQUENCE %I.%I START %s', s, nam.suffixed(n, '_s'), i * 10);
  EXECUTE format('CREATE TABLE %1$I.%2$I (%2$I text DEFAULT %2$L, e %1$I.%3$I, d %1$I.%4$I, c %1$I.%5$I, i int DEFAULT nextval(%6$L),
                  %7$I int GENERATED ALWAYS AS IDENTITY, CONSTRAINT %2$I CHECK (%2$I IS NULL OR %2$I <> %2$L || %2$L),
                  CONSTRAINT %8$I UNIQUE (i), CONSTRAINT %9$I FOREIGN KEY (i) REFERENCES %1$I.%2$I (i))',
                 s, n, nam.suffixed(n, '_e'), nam.suffixed(n, '_d'), nam.suffixed(n, '_c'),
                 format('%I.%I', s, nam.suffixed(n, '_s')), nam.suffixed(n, '_g'), nam.suffixed(n, '_u'), nam.suffixed(n, '_f'));
  EXECUTE format('INSERT INTO %1$I.%2$I (e, d, c) VALUES (%2$L, %2$L, ROW(%2$L, 1)), (%3$L, %3$L, ROW(%3$L, 2))', s, n, why);
  EXECUTE format('INSERT INTO %1$I.%2$I (%2$I) SELECT %2$L || g FROM generate_series(1, 3) g', s, n);
  EXECUTE format('CREATE INDEX %1$I ON %2$I.%3$I (%3$I, (%3$I || %3$L)) WHERE %3$I <> %3$L', nam.suffixed(n, '_i'), s, n);
  EXECUTE format('CREATE STATISTICS %1$I.%2$I ON %3$I, i FROM %1$I.%3$I', s, nam.suffixed(n, '_x'), n);
  EXECUTE format('CREATE FUNCTION %1$I.%2$I(%2$I text DEFAULT %2$L, OUT %3$I text) LANGUAGE sql AS %4$L', s, n, nam.suffixed(n, '_o'),
                 format('SELECT %L', n));
  EXECUTE format('CREATE FUNCTION %1$I.%2$I() RETURNS trigger LANGUAGE plpgsql AS %3$L', s, nam.suffixed(n, '_t'), 'BEGIN RETURN NEW; END');
  EXECUTE format('CREATE TRIGGER %1$I BEFORE UPDATE OF %1$I ON %2$I.%1$I FOR EACH ROW WHEN (OLD.%1$I = %1$L) EXECUTE FUNCTION %2$I.%3$I(%1$L, %4$L)', n, s, nam.suffixed(n, '_t'), why);
  EXECUTE format('CREATE POLICY %1$I ON %2$I.%1$I TO "Fidelity Quoted ""Role""" USING (%1$I <> %1$L)', n, s);
  EXECUTE format('CREATE VIEW %1$I.%2$I AS SELECT %3$I, %3$I || %3$L AS %2$I FROM %1$I.%3$I', s, nam.suffixed(n, '_v'), n);
  EXECUTE format('CREATE MATERIALIZED VIEW %1$I.%2$I AS SELECT * FROM %1$I.%3$I', s, nam.suffixed(n, '_m'), nam.suffixed(n, '_v'));
  EXECUTE format('CREATE RULE %1$I AS ON UPDATE TO %2$I.%3$I DO INSTEAD NOTHING', n, s, nam.suffixed(n, '_v'));
  EXECUTE format('CREATE AGGREGATE %1$I.%2$I(text) (SFUNC = textcat, STYPE = text, INITCOND = %3$L)', s, nam.suffixed(n, '_a'), n);
  EXECUTE format('CREATE TEXT SEARCH CONFIGURATION %1$I.%2$I (COPY = pg_catalog.simple)', s, n);
  EXECUTE format('CREATE TEXT SEARCH DICTIONARY %1$I.%2$I (TEMPLATE = pg_catalog.simple, STOPWORDS = english)', s, n);
  EXECUTE format('ALTER TEXT SEARCH CONFIGURATION %1$I.%2$I ALTER MAPPING FOR word WITH %1$I.%2$I, pg_catalog.simple', s, n);
  EXECUTE format('CREATE COLLATION %1$I.%2$I (LOCALE = %3$L)', s, n, 'C');
  EXECUTE format('COMMENT ON SCHEMA %I IS %L', s, n);
  EXECUTE format('COMMENT ON TABLE %1$I.%2$I IS %2$L', s, n);
  EXECUTE format('COMMENT ON COLUMN %1$I.%2$I.%2$I IS %2$L', s, n);
  EXECUTE format('COMMENT ON INDEX %1$I.%2$I IS %3$L', s, nam.suffixed(n, '_i'), n);
  EXECUTE format('COMMENT ON CONSTRAINT %2$I ON %1$I.%2$I IS %2$L', s, n);
  EXECUTE format('COMMENT ON CONSTRAINT %3$I ON %1$I.%2$I IS %2$L', s, n, nam.suffixed(n, '_f'));
  EXECUTE format('COMMENT ON CONSTRAINT %2$I ON DOMAIN %1$I.%3$I IS %2$L', s, n, nam.suffixed(n, '_d'));
  EXECUTE format('COMMENT ON FUNCTION %1$I.%2$I(text) IS %2$L', s, n);
  EXECUTE format('COMMENT ON TRIGGER %2$I ON %1$I.%2$I IS %2$L', s, n);
  EXECUTE format('COMMENT ON POLICY %2$I ON %1$I.%2$I IS %2$L', s, n);
  EXECUTE format('GRANT SELECT (%2$I) ON %1$I.%2$I TO "Fidelity Quoted ""Role""" WITH GRANT OPTION', s, n);
  EXECUTE format('GRANT USAGE ON SCHEMA %1$I TO fidelity_reader', s);
  EXECUTE format('ALTER TABLE %1$I.%2$I CLUSTER ON %3$I', s, n, nam.suffixed(n, '_u'));
END $make$;

SELECT nam.make(i, n::text, why) FROM nam.names ORDER BY i;

-- Names that differ only in case, in quotes or after the place where a name is cut.
CREATE SCHEMA "nam Case";
CREATE TABLE "nam Case".t (a int);
CREATE TABLE "nam Case"."T" ("a" int, "A" int, "a " int, " a" int, """a""" int);
INSERT INTO "nam Case".t VALUES (1);
INSERT INTO "nam Case"."T" VALUES (1, 2, 3, 4, 5);
-- Names of 63 bytes from which PostgreSQL makes others that are cut: sequence, key, foreign key, array type, TOAST.
SELECT format('CREATE TABLE "nam Case".%1$I (%2$I bigserial PRIMARY KEY, b int REFERENCES "nam Case".%1$I, CHECK (b < 5), UNIQUE (b, %2$I))', repeat('t', 63), repeat('c', 63)) \gexec
SELECT format('CREATE TABLE "nam Case".%1$I (%2$I bigserial PRIMARY KEY, b int REFERENCES "nam Case".%3$I, CHECK (b < 5), UNIQUE (b, %2$I))', repeat('t', 62) || 'u', repeat('c', 63), repeat('t', 63)) \gexec
SELECT format('INSERT INTO "nam Case".%1$I (b) VALUES (NULL), (1)', repeat('t', 63)) \gexec
-- The array type of a table has another name when a type of that name was there first.
CREATE TYPE "nam Case"._taken AS (a int);
CREATE TABLE "nam Case".taken (a int);
CREATE TABLE "nam Case".taken_use (r "nam Case".taken[], s "nam Case"._taken[]);
INSERT INTO "nam Case".taken_use VALUES (ARRAY[ROW(1)::"nam Case".taken], ARRAY[ROW(2)::"nam Case"._taken]);
-- The same table name in several schemas, and an index name and a key name as another table's in another schema.
CREATE SCHEMA "nam Case 2";
CREATE TABLE "nam Case 2".t (a int CONSTRAINT t_key PRIMARY KEY);
CREATE TABLE "nam Case".t_key (a int);
INSERT INTO "nam Case 2".t VALUES (2);
-- A table, its constraint and its column of the same name as a type and a function of the schema.
CREATE TYPE "nam Case 2".same AS ENUM ('same');
CREATE FUNCTION "nam Case 2".same() RETURNS "nam Case 2".same LANGUAGE sql AS 'SELECT ''same''::"nam Case 2".same';
CREATE TABLE "nam Case 2".same_too (same "nam Case 2".same DEFAULT "nam Case 2".same(), CONSTRAINT same CHECK (same = 'same'));
INSERT INTO "nam Case 2".same_too DEFAULT VALUES;
-- Arguments of every mode with odd names, and an overloaded function, which only its arguments tell apart.
CREATE FUNCTION "nam Case"."f(" ("in" int, OUT "out" int, INOUT "in out" text, VARIADIC "var,iadic" "nam Case".taken[]) LANGUAGE sql AS 'SELECT 1, ''x''';
CREATE FUNCTION "nam Case".over(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION "nam Case".over(text) RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION "nam Case".over("nam Case".taken[], "nam Case 2".same) RETURNS int LANGUAGE sql AS 'SELECT 3';
COMMENT ON FUNCTION "nam Case".over(text) IS 'of text';
COMMENT ON FUNCTION "nam Case".over("nam Case".taken[], "nam Case 2".same) IS 'of two';
-- Operators whose names are comments or quotes elsewhere.
CREATE OPERATOR nam.<%> (LEFTARG = text, RIGHTARG = text, FUNCTION = textcat);
CREATE OPERATOR "nam Case".?| (LEFTARG = text, RIGHTARG = text, FUNCTION = textcat);
CREATE OPERATOR "nam Case".@#@ (RIGHTARG = int, FUNCTION = int4um);
COMMENT ON OPERATOR "nam Case".@#@ (NONE, int) IS 'a prefix operator';
