-- Run after sql_ascii.sql in the same database: names whose bytes are valid in no encoding. A program that asks for the
-- names in UTF-8 gets an error for them (compare_databases does), one that asks in SQL_ASCII does not.
SET client_encoding = 'SQL_ASCII';
SET client_min_messages = warning;
SET search_path = asc_names;
-- A name that is cut in the middle of a character, since the server does not know characters.
SELECT format('CREATE TABLE %I (a int)', left(repeat('é', 40), 63)) \gexec
SELECT E'CREATE TABLE "gr\xf6\xdfe" ("spalte_\xe9" int)' \gexec
SELECT E'INSERT INTO "gr\xf6\xdfe" VALUES (5)' \gexec
