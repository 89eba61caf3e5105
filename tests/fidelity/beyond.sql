-- What PostgreSQL's own pg_dump and pg_restore do not bring across, and a clone should. Run as superuser, in the
-- database of the other files or in one of its own (with extensions.sql not needed).
SET client_min_messages = warning;
CREATE SCHEMA beyond;
SET search_path = beyond;

-- Values that name something which is made after the rows: an index, a key's index, a materialized view, a TOAST table's owner.
CREATE TABLE reg_target (a int CONSTRAINT reg_target_key PRIMARY KEY, b text);
CREATE INDEX "Reg Index" ON reg_target (b);
CREATE MATERIALIZED VIEW reg_matview AS SELECT 1 AS one;
CREATE TABLE regs_late (i int PRIMARY KEY, c regclass, cs regclass[]);
INSERT INTO regs_late VALUES (1, 'beyond."Reg Index"', NULL), (2, 'beyond.reg_target_key', ARRAY['beyond."Reg Index"', NULL]::regclass[]), (3, 'beyond.reg_matview', ARRAY['beyond.reg_matview']::regclass[]), (4, 'beyond.regs_late_pkey', NULL);

-- A materialized view over rows that its owner sees a part of, since row-level security holds for him.
CREATE TABLE hidden (a int, who text); INSERT INTO hidden SELECT n, CASE n % 2 WHEN 0 THEN 'fidelity_app' ELSE 'x' END FROM generate_series(1, 20) n;
CREATE POLICY own_rows ON hidden TO fidelity_app USING (who = CURRENT_USER); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; GRANT SELECT ON hidden TO fidelity_app;
CREATE MATERIALIZED VIEW mat_hidden AS SELECT * FROM hidden WITH NO DATA; ALTER MATERIALIZED VIEW mat_hidden OWNER TO fidelity_app; REFRESH MATERIALIZED VIEW mat_hidden;

-- Children whose columns are in another order than a dump writes them: their parents' first. The rows are the same, by
-- the names of the columns; views with the columns named show it. A parent that got a column later, a child that
-- was a table with another order before, a column that is gone in the parent only.
CREATE TABLE parent (a int NOT NULL DEFAULT 1, b text);
CREATE TABLE child (d int) INHERITS (parent);
CREATE TABLE grandchild (f date) INHERITS (child);
CREATE TABLE joined_later (a int NOT NULL, gone int, b text NOT NULL, x int);
ALTER TABLE joined_later DROP COLUMN gone;
ALTER TABLE joined_later INHERIT parent;
ALTER TABLE parent ADD COLUMN added_late text DEFAULT 'late';
ALTER TABLE ONLY parent ALTER COLUMN added_late SET DEFAULT 'late, parent only';
CREATE TABLE dropping_parent (a int, b int, c int);
CREATE TABLE keeps_column () INHERITS (dropping_parent);
ALTER TABLE ONLY dropping_parent DROP COLUMN b;
INSERT INTO parent VALUES (1, 'parent', 'x');
INSERT INTO child (a, b, d) VALUES (2, 'child', 3);
INSERT INTO grandchild (a, b, d, f) VALUES (4, 'grandchild', 5, '2024-02-29');
INSERT INTO joined_later (x, b, a) VALUES (6, 'joined', 7);
INSERT INTO keeps_column VALUES (8, 9, 10);
CREATE MATERIALIZED VIEW columns_of_child AS SELECT a, b, d, added_late FROM ONLY child;
CREATE MATERIALIZED VIEW columns_of_grandchild AS SELECT a, b, d, f, added_late FROM ONLY grandchild;
CREATE MATERIALIZED VIEW columns_of_joined AS SELECT a, b, x, added_late FROM ONLY joined_later;
CREATE MATERIALIZED VIEW columns_of_keeping AS SELECT a, b, c FROM ONLY keeps_column;

-- An event trigger that notes all it sees: the table has no row on the source, so it must have none on the target.
CREATE TABLE seen (what text);
CREATE FUNCTION on_command() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN INSERT INTO beyond.seen VALUES (TG_EVENT || ' ' || TG_TAG); END$$;
CREATE EVENT TRIGGER beyond_end ON ddl_command_end EXECUTE FUNCTION on_command();
