-- A database in SQL_ASCII with locale C, where the server looks at no byte's meaning. Run as superuser. Every byte must
-- arrive as it is, and no session may convert: client_encoding SQL_ASCII on both sides.
SET client_encoding = 'SQL_ASCII';
SET client_min_messages = warning;
CREATE SCHEMA asc_names;
SET search_path = asc_names;
-- First, bytes that are valid UTF-8: in names, data, defaults, checks, views, bodies, enums, comments.
CREATE TABLE "größe_名前" ("spalte_ñ" text DEFAULT 'größe', "i d" int PRIMARY KEY, CONSTRAINT "prüfung" CHECK ("spalte_ñ" <> 'ß'));
INSERT INTO "größe_名前" VALUES ('größe 名前', 1), (DEFAULT, 2), ('💾', 3);
CREATE INDEX "index_é" ON "größe_名前" (upper("spalte_ñ")) WHERE "spalte_ñ" <> 'é';
CREATE VIEW "sicht_ü" AS SELECT "spalte_ñ" || 'ü' AS "ergebnis_ü" FROM "größe_名前";
CREATE MATERIALIZED VIEW "mat_ü" AS SELECT "spalte_ñ", length("spalte_ñ") AS bytes FROM "größe_名前";
CREATE FUNCTION "funktion_ä"(text DEFAULT 'ä') RETURNS text LANGUAGE sql AS 'SELECT $1 || ''ö''';
CREATE TYPE "aufzählung" AS ENUM ('süß', '苦い');
CREATE TABLE "mit_aufzählung" (a "aufzählung", b "aufzählung"[]); INSERT INTO "mit_aufzählung" VALUES ('süß', '{苦い,süß}');
CREATE DOMAIN "domäne" AS text CHECK (VALUE <> 'ungültig');
CREATE SEQUENCE "folge_é"; SELECT nextval('"folge_é"');
CREATE TABLE parts (a text) PARTITION BY LIST (a); CREATE TABLE "teil_é" PARTITION OF parts FOR VALUES IN ('é', 'è'); INSERT INTO parts VALUES ('é');
COMMENT ON TABLE "größe_名前" IS 'bemerkung: größe'; COMMENT ON COLUMN "größe_名前"."spalte_ñ" IS '名前';
GRANT SELECT ("spalte_ñ") ON "größe_名前" TO fidelity_reader;
SELECT lo_from_bytea(700001, '\xff00fe'); COMMENT ON LARGE OBJECT 700001 IS 'objekt größe';
-- Then bytes that are valid in no encoding, or in another one: single ones, all from 0x80 on, halves of characters.
CREATE TABLE bytes (i int, t text, v varchar(20), c char(5), a text[], j json, x name, q "char");
INSERT INTO bytes VALUES (1, E'\xff', E'\xfe\xff', E'\x80', ARRAY[E'\xff', E'\xc3'], E'"\xff"', E'\xe9', E'\xff'), (2, E'\xc3', E'\xc3\x28', E'\xe4', NULL, NULL, NULL, NULL), (3, E'gr\xf6\xdfe (Latin-1)', E'\x93quoted\x94', E'\xa4', ARRAY[E'\\\xff'], NULL, NULL, NULL), (4, E'\xed\xa0\x80 a surrogate', E'\xf8\x88\x80\x80\x80', NULL, NULL, NULL, NULL, NULL), (5, E'\x93\x5c\x83\x5c Shift-JIS with backslashes', NULL, NULL, NULL, NULL, NULL, NULL), (6, E'\xff\t\xff\n\xff\\N\xff', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO bytes (i, t) SELECT n, chr(n) || 'x' FROM generate_series(128, 255) n;
CREATE TYPE raw AS (a text, b int); CREATE TABLE raws (r raw, h int4range, m text[][]); INSERT INTO raws VALUES (ROW(E'\xff,"\xfe', 1), '[1,2)', ARRAY[ARRAY[E'\xff', 'a'], ARRAY['', E'\x80']]);
CREATE INDEX ON bytes (t); CREATE INDEX ON bytes (upper(t)) WHERE i > 3; CREATE MATERIALIZED VIEW bytes_mat AS SELECT t, octet_length(t) AS n, md5(t) AS m FROM bytes;
-- Such bytes in definitions too: a default, a comment, a column, a body, a partition's bound.
CREATE TABLE definitions (a text DEFAULT E'\xff\xfe', CONSTRAINT definitions_check CHECK (a <> E'\x80'));
INSERT INTO definitions DEFAULT VALUES;
COMMENT ON TABLE definitions IS E'latin: gr\xf6\xdfe';
SELECT E'CREATE FUNCTION body_latin() RETURNS text LANGUAGE sql AS ''SELECT ''''\xe9''''''' \gexec
CREATE VIEW latin_view AS SELECT E'\xe9' AS e, a FROM definitions;
CREATE TABLE latin_parts (a text) PARTITION BY LIST (a);
SELECT E'CREATE TABLE latin_parts_1 PARTITION OF latin_parts FOR VALUES IN (''\xe9'')' \gexec
INSERT INTO latin_parts VALUES (E'\xe9');
