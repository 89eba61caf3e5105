-- A database in LATIN1 with locale C. The file is UTF-8; each character of it has one byte in the database. Run as superuser.
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
CREATE SCHEMA "schema_é";
SET search_path = "schema_é";
-- Names, defaults, checks, views, bodies, enums, comments, with characters that another encoding writes in other bytes.
CREATE TABLE "größe" ("spalte_ñ" text DEFAULT 'Straße §', "id" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, CONSTRAINT "prüfung" CHECK ("spalte_ñ" !~ '^[äöü]$'));
INSERT INTO "größe" ("spalte_ñ") VALUES (DEFAULT), ('¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿'), ('ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß'), ('àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ'), (E'tab\t\\N é'), ('');
-- All characters that the encoding has, among them control characters of the upper half and the space that does not break.
CREATE TABLE characters (n int PRIMARY KEY, c text, q "char", v varchar(1), b char(3)); INSERT INTO characters SELECT n, chr(n), CASE WHEN n < 128 THEN chr(n)::"char" END, chr(n), chr(n) FROM generate_series(1, 255) n;
CREATE TABLE chars (c "char"); INSERT INTO chars SELECT n::"char" FROM generate_series(-128, 127) n;
CREATE TABLE lists (a text[], j json, b jsonb, x xml, t tsvector, nm name); INSERT INTO lists VALUES ('{é,"ü,ö",NULL}', '{"é": "\u00fc"}', '{"é": "ü"}', '<é>ü</é>', '''é'':1A ''ü''', 'näme');
CREATE INDEX "index_é" ON "größe" (lower("spalte_ñ")) WHERE "spalte_ñ" <> 'é';
CREATE VIEW "sicht_ü" AS SELECT "spalte_ñ" || 'ü' AS "ergebnis_ü" FROM "größe";
CREATE MATERIALIZED VIEW "mat_ü" AS SELECT "spalte_ñ", octet_length("spalte_ñ") AS bytes, length("spalte_ñ") AS letters FROM "größe";
CREATE FUNCTION "funktion_ä"(text DEFAULT 'ä') RETURNS text LANGUAGE sql AS 'SELECT $1 || ''ö''';
CREATE FUNCTION "prüfer"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW."spalte_ñ" := ''é''; RETURN NEW; END';
CREATE TRIGGER "auslöser" BEFORE INSERT ON "größe" FOR EACH ROW WHEN (NEW."spalte_ñ" = 'ÿ') EXECUTE FUNCTION "prüfer"('é', 'ü');
CREATE TYPE "aufzählung" AS ENUM ('süß', 'öde'); CREATE TABLE "mit_aufzählung" (a "aufzählung" DEFAULT 'süß', b "aufzählung"[]); INSERT INTO "mit_aufzählung" VALUES ('öde', '{süß}');
CREATE DOMAIN "domäne" AS text DEFAULT 'ø' CHECK (VALUE <> 'ungültig'); CREATE SEQUENCE "folge_é"; SELECT setval('"folge_é"', 9);
CREATE TABLE parts (a text) PARTITION BY LIST (a); CREATE TABLE "teil_é" PARTITION OF parts FOR VALUES IN ('é', 'è'); INSERT INTO parts VALUES ('é'), ('è');
CREATE POLICY "regel_é" ON "größe" TO fidelity_reader USING ("spalte_ñ" = 'é'); CREATE RULE "regel_ü" AS ON DELETE TO "größe" WHERE OLD."spalte_ñ" = 'ü' DO INSTEAD NOTHING;
CREATE PUBLICATION "veröffentlichung" FOR TABLE "größe" WHERE (id > 1);
COMMENT ON TABLE "größe" IS 'bemerkung: größe ÿ'; COMMENT ON COLUMN "größe"."spalte_ñ" IS 'ñ'; COMMENT ON FUNCTION "funktion_ä"(text) IS 'ä'; GRANT SELECT ("spalte_ñ") ON "größe" TO fidelity_reader;
SELECT lo_from_bytea(800001, '\xe9ff'); COMMENT ON LARGE OBJECT 800001 IS 'großes Objekt';
\if :superuser
ALTER DATABASE :"DBNAME" SET "custom.größe" = 'größe';
\endif
COMMENT ON DATABASE :"DBNAME" IS 'datenbank größe';
-- A name of 63 bytes here is one of 126 in UTF-8: it must not be cut on its way through a program's buffers.
SELECT format('CREATE TABLE %I (%I int)', repeat('é', 63), repeat('ü', 63)) \gexec
SELECT format('INSERT INTO %I VALUES (7)', repeat('é', 63)) \gexec
