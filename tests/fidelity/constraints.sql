-- Constraints: foreign keys of every action and shape, checks, what is not valid, constraint triggers.
-- Run as fidelity_owner.
SET client_min_messages = warning;
CREATE SCHEMA con;
CREATE SCHEMA "con Other";
SET search_path = con;

-- Foreign keys: each action on delete and update, MATCH FULL, deferrable ones, to several kinds of keys.
CREATE TABLE target (a int PRIMARY KEY, b int NOT NULL, c text UNIQUE, UNIQUE (a, b));
CREATE UNIQUE INDEX target_plain ON target (b);
INSERT INTO target SELECT n, n + 1000, 'c' || n FROM generate_series(1, 100) n;
CREATE TABLE actions (
  i int PRIMARY KEY,
  f1 int REFERENCES target ON DELETE CASCADE ON UPDATE CASCADE,
  f2 int REFERENCES target ON DELETE SET NULL ON UPDATE SET NULL,
  f3 int DEFAULT 1 REFERENCES target ON DELETE SET DEFAULT ON UPDATE SET DEFAULT,
  f4 int REFERENCES target ON DELETE RESTRICT ON UPDATE RESTRICT,
  f5 int REFERENCES target ON DELETE NO ACTION ON UPDATE NO ACTION,
  f6 text CONSTRAINT "Named ""Key""" REFERENCES target (c) DEFERRABLE INITIALLY DEFERRED,
  f7 int REFERENCES target (b) DEFERRABLE INITIALLY IMMEDIATE,
  g1 int, g2 int,
  CONSTRAINT actions_full FOREIGN KEY (g1, g2) REFERENCES target (a, b) MATCH FULL ON UPDATE CASCADE,
  CONSTRAINT actions_some FOREIGN KEY (g1, g2) REFERENCES target (a, b) ON DELETE SET NULL (g2),
  CONSTRAINT actions_default FOREIGN KEY (g1, g2) REFERENCES target (a, b) ON DELETE SET DEFAULT (g2, g1));
INSERT INTO actions SELECT n, n, n, n, n, n, 'c' || n, n + 1000, n, n + 1000 FROM generate_series(1, 50) n;
INSERT INTO actions (i) VALUES (51);
COMMENT ON CONSTRAINT "Named ""Key""" ON actions IS 'a comment of a foreign key';
-- The key's index is a plain unique index, not one of a constraint: it must be there before the foreign key.
-- Two keys of the same columns to the same table; a key to itself; keys in a circle, with rows that need both tables.
ALTER TABLE actions ADD CONSTRAINT actions_twice FOREIGN KEY (f1) REFERENCES target (a) NOT VALID;
CREATE TABLE tree (i int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE, first int, CONSTRAINT tree_first FOREIGN KEY (first) REFERENCES tree (i) DEFERRABLE);
INSERT INTO tree SELECT n, nullif(n / 2, 0), 200 FROM generate_series(1, 200) n;
CREATE TABLE hen (i int PRIMARY KEY, egg int NOT NULL);
CREATE TABLE egg (i int PRIMARY KEY, hen int NOT NULL REFERENCES hen DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED;
BEGIN; INSERT INTO hen VALUES (1, 1), (2, 2); INSERT INTO egg VALUES (1, 2), (2, 1); COMMIT;
-- Across schemas, from a table whose columns have other names and types than the key's.
CREATE TABLE "con Other"."Refers" ("A a" bigint REFERENCES con.target (a), "C c" varchar(20) CONSTRAINT c_c REFERENCES con.target (c) ON UPDATE CASCADE);
INSERT INTO "con Other"."Refers" VALUES (1, 'c1'), (NULL, 'c2');

-- Keys that are not valid: with rows that break them, and without. They must not be checked, and not become valid.
CREATE TABLE orphans (a int, b int);
INSERT INTO orphans VALUES (1, 1), (777, 888), (NULL, 999);
ALTER TABLE orphans ADD CONSTRAINT orphans_broken FOREIGN KEY (a) REFERENCES target NOT VALID;
ALTER TABLE orphans ADD CONSTRAINT orphans_broken_deferred FOREIGN KEY (b) REFERENCES target (b) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED NOT VALID;
COMMENT ON CONSTRAINT orphans_broken ON orphans IS 'not valid, with a comment';
CREATE TABLE not_checked (a int);
INSERT INTO not_checked VALUES (1);
ALTER TABLE not_checked ADD CONSTRAINT not_checked_key FOREIGN KEY (a) REFERENCES target NOT VALID;
-- A key that was not valid and was validated later is as good as any.
CREATE TABLE validated (a int);
INSERT INTO validated VALUES (2);
ALTER TABLE validated ADD CONSTRAINT validated_key FOREIGN KEY (a) REFERENCES target NOT VALID, ADD CONSTRAINT validated_check CHECK (a > 0) NOT VALID;
ALTER TABLE validated VALIDATE CONSTRAINT validated_key, VALIDATE CONSTRAINT validated_check;

-- Checks: of several columns, with functions, not inherited, not valid with rows that break them, always true.
CREATE FUNCTION is_even(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0';
CREATE FUNCTION reads_target(int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT $1 IS NULL OR EXISTS (SELECT FROM con.target WHERE a = $1)';
CREATE TABLE checks (a int CHECK (a > 0), b int, t text, d date,
  CONSTRAINT checks_two CHECK (a < b OR b IS NULL), CONSTRAINT checks_function CHECK (con.is_even(b)),
  CONSTRAINT checks_alone CHECK (t <> 'never') NO INHERIT, CHECK (d > '2024-03-04' AND d < DATE '9999-12-31'), CONSTRAINT "Checks % ""Quoted""" CHECK (t !~ E'\\\\\n''%'), CHECK (true), CHECK ((checks.*)::text <> 'x'),
  CONSTRAINT checks_list CHECK (t IN ('a', 'b', 'it''s', '\') OR t = ANY (ARRAY['c', E'new\nline'])), CONSTRAINT checks_case CHECK (CASE WHEN a > 5 THEN b IS NOT NULL ELSE true END));
INSERT INTO checks VALUES (1, 2, 'a', '2024-04-03'), (6, 8, E'new\nline', NULL), (NULL, NULL, NULL, NULL);
COMMENT ON CONSTRAINT checks_two ON checks IS 'a comment of a check';
CREATE TABLE checks_broken (a int, b text);
INSERT INTO checks_broken VALUES (-1, 'bad'), (1, 'good');
ALTER TABLE checks_broken ADD CONSTRAINT broken_a CHECK (a > 0) NOT VALID, ADD CONSTRAINT broken_alone CHECK (b <> 'bad') NO INHERIT NOT VALID;
COMMENT ON CONSTRAINT broken_a ON checks_broken IS 'of a check that is not valid';
-- A check that reads another table: true only when that table's rows are there first. It is not valid here, so that
-- it is made after the rows, and neither a dump nor a copy has to guess the order of the tables.
CREATE TABLE checks_other (a int);
INSERT INTO checks_other VALUES (3), (NULL);
ALTER TABLE checks_other ADD CONSTRAINT checks_other_reads CHECK (con.reads_target(a)) NOT VALID;
-- Inherited checks: one that the child has itself too, one that is not valid in the parent, one that is valid only in the child.
CREATE TABLE checked_parent (a int, CONSTRAINT merged CHECK (a < 1000), CONSTRAINT parent_only CHECK (a <> 13) NO INHERIT);
CREATE TABLE checked_child (CONSTRAINT merged CHECK (a < 1000), CONSTRAINT child_only CHECK (a <> 14)) INHERITS (checked_parent);
INSERT INTO checked_parent VALUES (-7);
INSERT INTO checked_child VALUES (13);
ALTER TABLE checked_child ADD CONSTRAINT later CHECK (a > 0);
ALTER TABLE checked_parent ADD CONSTRAINT later CHECK (a > 0) NOT VALID;
COMMENT ON CONSTRAINT merged ON checked_child IS 'of the child''s own';

-- Keys to and from partitioned tables, through several levels, and between the partitions of one table.
CREATE TABLE parts (a int, b int, c text, PRIMARY KEY (a, b)) PARTITION BY RANGE (a);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10) PARTITION BY LIST (b);
CREATE TABLE parts_1_1 PARTITION OF parts_1 FOR VALUES IN (0, 1);
CREATE TABLE parts_1_rest PARTITION OF parts_1 DEFAULT;
CREATE TABLE parts_2 (c text, b int NOT NULL, a int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (20);
INSERT INTO parts SELECT n, n % 4, 'p' || n FROM generate_series(0, 19) n;
CREATE TABLE to_parts (a int, b int, CONSTRAINT to_parts_key FOREIGN KEY (a, b) REFERENCES parts ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE);
INSERT INTO to_parts SELECT a, b FROM parts WHERE a % 2 = 0;
CREATE TABLE from_parts (i int, t int REFERENCES target, pa int, pb int, up int, PRIMARY KEY (i), CONSTRAINT from_to FOREIGN KEY (pa, pb) REFERENCES parts ON DELETE SET NULL (pb), CONSTRAINT from_self FOREIGN KEY (up) REFERENCES from_parts) PARTITION BY HASH (i);
CREATE TABLE from_parts_0 PARTITION OF from_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE from_parts_1 (up int, pb int, pa int, t int, i int NOT NULL);
ALTER TABLE from_parts ATTACH PARTITION from_parts_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO from_parts SELECT n, n, n, n % 4, 1 FROM generate_series(0, 19) n WHERE n > 0;
COMMENT ON CONSTRAINT from_to ON from_parts IS 'of a key from and to partitioned tables';
-- A partition's own key, to one partition of another table, not the parent's.
ALTER TABLE from_parts_0 ADD CONSTRAINT zero_only FOREIGN KEY (t) REFERENCES target (a) ON DELETE CASCADE NOT VALID;
CREATE TABLE to_leaf (a int, b int, FOREIGN KEY (a, b) REFERENCES parts_1_1 (a, b));
INSERT INTO to_leaf VALUES (1, 1), (NULL, 7);
-- A key to a partitioned table in the middle of the tree.
CREATE TABLE to_middle (a int, b int, FOREIGN KEY (a, b) REFERENCES parts_1 (a, b) MATCH FULL);
INSERT INTO to_middle VALUES (2, 2), (NULL, NULL);

-- Constraint triggers: in pg_constraint and in pg_trigger, deferrable, with a FROM table.
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE CONSTRAINT TRIGGER plain AFTER INSERT ON checks FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE CONSTRAINT TRIGGER "Deferred ""Trigger""" AFTER INSERT OR UPDATE OF a OR DELETE ON checks FROM target DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (true) EXECUTE FUNCTION nothing('argument', 'it''s', E'back\\slash\n');
CREATE CONSTRAINT TRIGGER on_partitioned AFTER UPDATE ON parts DEFERRABLE FOR EACH ROW EXECUTE FUNCTION nothing();
COMMENT ON TRIGGER plain ON checks IS 'a comment of a constraint trigger';
ALTER TABLE checks DISABLE TRIGGER plain;

-- Keys with other operator classes, collations, domains, arrays, enums and ranges as columns.
CREATE DOMAIN code AS text COLLATE "C" CHECK (length(VALUE) = 3);
CREATE TYPE state AS ENUM ('on', 'off');
CREATE TABLE odd_keys (c code, s state, a int[], r int4range, n numeric, PRIMARY KEY (c, s), UNIQUE (a), UNIQUE (r), UNIQUE (n));
INSERT INTO odd_keys VALUES ('abc', 'on', '{1,2}', '[1,5)', 1.0), ('abd', 'off', '{}', 'empty', 'NaN');
CREATE TABLE to_odd_keys (c code, s state, a int[] REFERENCES odd_keys (a), r int4range REFERENCES odd_keys (r), n numeric REFERENCES odd_keys (n), FOREIGN KEY (c, s) REFERENCES odd_keys);
INSERT INTO to_odd_keys VALUES ('abc', 'on', '{1,2}', '[1,5)', 1.000), ('abd', 'off', '{}', 'empty', 'NaN');
-- Many keys to one table, which all lock it when they are made, and a chain of tables that only one order fits.
SELECT format('CREATE TABLE many_%1$s (a int PRIMARY KEY REFERENCES target, b int REFERENCES target (a))', n) FROM generate_series(1, 20) n \gexec
SELECT format('INSERT INTO many_%1$s SELECT n, n FROM generate_series(1, 100) n', n) FROM generate_series(1, 20) n \gexec
SELECT format('CREATE TABLE chain_%1$s (a int PRIMARY KEY %2$s)', n, CASE WHEN n > 1 THEN format('REFERENCES chain_%s ON DELETE CASCADE', n - 1) ELSE '' END) FROM generate_series(1, 12) n \gexec
SELECT format('INSERT INTO chain_%1$s VALUES (1), (2)', n) FROM generate_series(1, 12) n \gexec
-- NOT NULL is kept in the column; of a key, and of a column that was a key once.
CREATE TABLE was_key (a int PRIMARY KEY, b int NOT NULL);
ALTER TABLE was_key DROP CONSTRAINT was_key_pkey;
INSERT INTO was_key VALUES (1, 1), (1, 2);
