-- Views, materialized views, rules, triggers. Run as fidelity_owner.
SET client_min_messages = warning;
CREATE SCHEMA vie;
CREATE SCHEMA "vie Other";
SET search_path = vie, extensions;
CREATE TABLE base (id int PRIMARY KEY, name text, grp text, amount numeric, at timestamptz);
INSERT INTO base SELECT n, 'name ' || n, 'g' || n % 5, n * 1.5, timestamptz '2024-03-04 00:00+00' + n * interval '1 h' FROM generate_series(1, 200) n;

-- Views: options, column names, comments, defaults of columns, on views, recursive, with all that SELECT has.
CREATE VIEW simple AS SELECT id, name FROM base WHERE amount > 3;
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM simple;
CREATE VIEW invoker WITH (security_invoker = true, security_barrier = false) AS SELECT * FROM base;
CREATE VIEW local_check AS SELECT * FROM base WHERE id > 5 WITH LOCAL CHECK OPTION;
CREATE VIEW cascaded_check WITH (security_barrier = true) AS SELECT * FROM local_check WHERE id < 50 WITH CASCADED CHECK OPTION;
CREATE RECURSIVE VIEW counting (n, path) AS VALUES (1, ARRAY[1]) UNION ALL SELECT n + 1, path || (n + 1) FROM counting WHERE n < 5;
CREATE VIEW defaults AS SELECT id, name, grp FROM base;
ALTER VIEW defaults ALTER COLUMN name SET DEFAULT 'a view''s default', ALTER COLUMN grp SET DEFAULT upper('x');
CREATE VIEW "Odd ""View""" ("A %", "select", "a") AS SELECT 1, 'it''s \ "x"', E'new\nline\\' || name FROM base;
CREATE VIEW no_column AS SELECT FROM base;
CREATE VIEW everything AS WITH RECURSIVE t(n) AS MATERIALIZED (SELECT 1 UNION SELECT n + 1 FROM t WHERE n < 3) SEARCH DEPTH FIRST BY n SET ord CYCLE n SET is_cycle USING path,
  w AS NOT MATERIALIZED (SELECT * FROM base TABLESAMPLE BERNOULLI (100) REPEATABLE (5))
  SELECT DISTINCT ON (b.grp) b.grp, id, rank() OVER win AS r, sum(b.amount) FILTER (WHERE b.id > 3) OVER (win ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS s, l.x, t.n, (SELECT max(id) FROM w) AS m, ARRAY(SELECT 1) AS arr, b.at AT TIME ZONE 'UTC' AS utc, EXTRACT(epoch FROM b.at) AS e, GREATEST(1, 2) AS g, xmlelement(name "el", xmlattributes(b.id AS "a b"), b.name) AS xm, b.name COLLATE "C" AS c, b AS whole, CASE b.grp WHEN 'g1' THEN 1 ELSE 2 END AS cs, NULLIF(b.id, 3) AS nu, b.name SIMILAR TO 'n%' AS si, b.id IN (1, 2, 3) AS inl, INTERVAL '1 year -2 days' AS iv, CURRENT_DATE > '2024-03-04' AS cd
  FROM base b LEFT JOIN LATERAL (SELECT b.id * 2 AS x) l ON true CROSS JOIN t FULL JOIN (VALUES (1, 'v'), (2, NULL)) AS v(id, b) USING (id)
  WINDOW win AS (PARTITION BY b.grp ORDER BY b.id DESC NULLS LAST) ORDER BY b.grp, b.id DESC OFFSET 0 FETCH FIRST 3 ROWS ONLY;
CREATE VIEW grouping_sets AS SELECT grp, id % 3 AS m, count(*), GROUPING(grp) AS g FROM base GROUP BY GROUPING SETS ((grp), (id % 3), ()), CUBE (grp) HAVING count(*) > 1;
CREATE VIEW set_operations AS (SELECT 1 AS a UNION ALL SELECT 2 EXCEPT SELECT 3) INTERSECT (SELECT 1 UNION SELECT 2) ORDER BY a DESC LIMIT 5;
CREATE VIEW aliased AS SELECT j.a, s.id FROM base AS j(a, b) JOIN simple s ON s.id = j.a;
CREATE VIEW join_using_alias AS SELECT k.id FROM base JOIN simple USING (id) AS k;
-- The table's columns were renamed, dropped and added after the view was made.
CREATE TABLE changing (a int, b int, c int);
CREATE VIEW over_changing AS SELECT a, c FROM changing;
ALTER TABLE changing DROP COLUMN b;
ALTER TABLE changing RENAME COLUMN a TO "Renamed a";
ALTER TABLE changing ADD COLUMN b text;
CREATE VIEW whole_row AS SELECT changing FROM changing;
-- Views whose GROUP BY is right only while a primary key is there: they are made after the key, and so is all on them.
CREATE VIEW needs_key AS SELECT id, name, count(*) AS n FROM base GROUP BY id;
CREATE VIEW on_needs_key AS SELECT * FROM needs_key WHERE n = 1;
CREATE MATERIALIZED VIEW mat_needs_key AS SELECT id, name, sum(amount) AS s FROM base GROUP BY id;
CREATE MATERIALIZED VIEW mat_on_needs_key AS SELECT k.id, m.s FROM on_needs_key k JOIN mat_needs_key m USING (id);
CREATE UNIQUE INDEX mat_needs_key_id ON mat_needs_key (id);
COMMENT ON VIEW needs_key IS 'is made after a key'; COMMENT ON COLUMN needs_key.n IS 'of its column';
ALTER VIEW needs_key ALTER COLUMN name SET DEFAULT 'default of a view that comes late';
CREATE RULE needs_key_insert AS ON INSERT TO needs_key DO INSTEAD INSERT INTO base (id, name) VALUES (NEW.id, NEW.name);
GRANT SELECT ON needs_key, mat_needs_key TO fidelity_reader;
-- A view and a function that need each other: the function returns the view's rows, the view calls the function.
CREATE VIEW circular AS SELECT 1 AS a, 'x'::text AS b;
CREATE FUNCTION of_circular() RETURNS SETOF circular LANGUAGE sql AS 'SELECT 2, ''y''::text';
CREATE OR REPLACE VIEW circular AS SELECT a, b FROM of_circular();
-- Two views in a circle of rules: one was a plain view when the other was made.
CREATE VIEW first_of_two AS SELECT id FROM base;
CREATE VIEW second_of_two AS SELECT id FROM first_of_two;
CREATE OR REPLACE VIEW first_of_two AS SELECT id FROM base WHERE NOT EXISTS (SELECT FROM needs_key k WHERE k.id = -base.id);

-- Materialized views: on one another in the order that is not that of their names, without rows, with indexes, on
-- functions that need a search_path or read another materialized view, with values fixed at the time of their refresh.
CREATE FUNCTION plain_path(int) RETURNS text LANGUAGE plpgsql STABLE SET search_path = vie AS 'BEGIN RETURN (SELECT name FROM base WHERE id = $1); END';
CREATE FUNCTION reads_mat() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM vie.z_first); END';
CREATE MATERIALIZED VIEW z_first AS SELECT id, name, plain_path(id) AS p FROM base WHERE id < 50;
CREATE MATERIALIZED VIEW m_second AS SELECT *, id * 2 AS d FROM z_first WITH DATA;
CREATE MATERIALIZED VIEW a_third (x, y, "Z %") AS SELECT m.id, f.name, m.d FROM m_second m JOIN z_first f USING (id);
CREATE VIEW between AS SELECT x FROM a_third;
CREATE MATERIALIZED VIEW a_fourth AS SELECT sum(x) AS s FROM between;
CREATE MATERIALIZED VIEW "vie Other"."Mat % View" AS SELECT s, (SELECT count(*) FROM m_second) AS n FROM a_fourth;
CREATE INDEX z_first_name ON z_first (lower(name) text_pattern_ops) WHERE id > 3;
CREATE UNIQUE INDEX z_first_id ON z_first (id) INCLUDE (p) WITH (fillfactor = 70);
ALTER MATERIALIZED VIEW z_first CLUSTER ON z_first_id;
CREATE INDEX m_second_trgm ON m_second USING gin (name gin_trgm_ops);
CREATE STATISTICS z_first_statistics ON id, name FROM z_first;
CREATE MATERIALIZED VIEW unpopulated AS SELECT * FROM base WITH NO DATA;
CREATE UNIQUE INDEX unpopulated_id ON unpopulated (id);
CREATE MATERIALIZED VIEW on_unpopulated AS SELECT 1 AS a FROM unpopulated WITH NO DATA;
CREATE MATERIALIZED VIEW mat_no_rows AS SELECT id FROM base WHERE false;
CREATE MATERIALIZED VIEW mat_no_column AS SELECT FROM base;
CREATE MATERIALIZED VIEW mat_types AS SELECT xmlelement(name e, 1) AS x, ARRAY[[1, 2], [3, 4]] AS a, '{"a": 1}'::jsonb AS j, 'NaN'::float8 AS f, NULL::int4range AS r, 'k=>v'::hstore AS h;
CREATE MATERIALIZED VIEW mat_of_large_rows AS SELECT n, repeat('mat', 10000) AS t FROM generate_series(1, 20) n;
COMMENT ON MATERIALIZED VIEW z_first IS 'of a materialized view'; COMMENT ON INDEX z_first_id IS 'of its index';

-- Rules: of all events, conditional, disabled, for replicas, with several commands, on a view and on a table.
CREATE TABLE log (n serial, what text, who text DEFAULT 'rule');
CREATE RULE insert_simple AS ON INSERT TO simple DO INSTEAD (INSERT INTO base (id, name, amount) VALUES (NEW.id, NEW.name, 100); INSERT INTO log (what) VALUES ('insert ' || NEW.name));
CREATE RULE update_simple AS ON UPDATE TO simple DO INSTEAD UPDATE base SET name = NEW.name WHERE id = OLD.id RETURNING id, name;
CREATE RULE delete_simple AS ON DELETE TO simple DO INSTEAD NOTHING;
CREATE TABLE ruled (a int, b text);
INSERT INTO ruled VALUES (1, 'x');
CREATE RULE "Rule ""Also""" AS ON INSERT TO ruled WHERE NEW.a > 5 AND NEW.b <> 'it''s \' DO ALSO INSERT INTO log (what) SELECT 'ruled ' || NEW.a;
CREATE RULE nothing_on_delete AS ON DELETE TO ruled DO INSTEAD NOTHING;
CREATE RULE disabled_rule AS ON UPDATE TO ruled DO INSTEAD NOTHING;
CREATE RULE always_rule AS ON UPDATE TO ruled DO ALSO NOTIFY "Rule Channel", 'payload';
CREATE RULE replica_rule AS ON INSERT TO ruled DO ALSO UPDATE log SET who = 'x' WHERE n < 0;
ALTER TABLE ruled DISABLE RULE disabled_rule, ENABLE ALWAYS RULE always_rule, ENABLE REPLICA RULE replica_rule;
-- A rule that would make every row that is copied into the table vanish, or come twice, where it fired.
CREATE TABLE guarded (a int);
INSERT INTO guarded VALUES (1), (2);
CREATE RULE guarded_insert AS ON INSERT TO guarded DO INSTEAD NOTHING;
COMMENT ON RULE guarded_insert ON guarded IS 'a comment of a rule';
COMMENT ON RULE insert_simple ON simple IS 'of a view''s rule';

-- Triggers: of each time and event, for columns, with conditions, with transition tables, with arguments, in each state.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO vie.log (what, who) VALUES (TG_NAME, 'trigger'); RETURN COALESCE(NEW, OLD); END$$;
CREATE FUNCTION note_statement() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO vie.log (what, who) VALUES (TG_NAME, 'statement'); RETURN NULL; END$$;
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.b := 'spoilt by a trigger'; RETURN NEW; END$$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TABLE triggered (a int PRIMARY KEY, b text, c int);
INSERT INTO triggered SELECT n, 'row ' || n, n FROM generate_series(1, 20) n;
-- Were these there when the rows come, each row would be another one, or none.
CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION spoil();
CREATE TRIGGER zz_refuse BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER columns BEFORE UPDATE OF b, c ON triggered FOR EACH ROW WHEN (OLD.b IS DISTINCT FROM NEW.b AND NEW.c > 5 AND OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION note('it''s', E'back\\slash', 'new
line', '', '%', 'größe');
CREATE TRIGGER "Truncate ""Trigger""" BEFORE TRUNCATE ON triggered EXECUTE FUNCTION note_statement();
CREATE TRIGGER transitions AFTER UPDATE ON triggered REFERENCING OLD TABLE AS "Old Rows" NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_statement();
CREATE TRIGGER transitions_row AFTER INSERT ON triggered REFERENCING NEW TABLE AS n FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER several AFTER INSERT OR DELETE OR UPDATE OF c ON triggered FOR EACH STATEMENT WHEN (true) EXECUTE FUNCTION note_statement();
CREATE TRIGGER disabled AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER always AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER replica AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE triggered DISABLE TRIGGER disabled, ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica;
CREATE TRIGGER unchanged BEFORE UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
COMMENT ON TRIGGER columns ON triggered IS 'a comment of a trigger';
-- ALWAYS and in the way: session_replication_role would not keep it from firing either.
CREATE TABLE always_spoilt (a int, b text);
INSERT INTO always_spoilt VALUES (1, 'as it was');
CREATE TRIGGER spoil BEFORE INSERT ON always_spoilt FOR EACH ROW EXECUTE FUNCTION spoil();
ALTER TABLE always_spoilt ENABLE ALWAYS TRIGGER spoil;
-- INSTEAD OF triggers on views.
CREATE TRIGGER instead INSTEAD OF INSERT OR UPDATE OR DELETE ON defaults FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER statement_on_view AFTER INSERT ON defaults FOR EACH STATEMENT EXECUTE FUNCTION note_statement();
COMMENT ON TRIGGER instead ON defaults IS 'of a view''s trigger';
-- On partitioned tables: the clones of the trigger on each partition, with another state here and there.
CREATE TABLE parts (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20) PARTITION BY LIST (b);
CREATE TABLE "vie Other"."Parts 2 X" PARTITION OF parts_2 FOR VALUES IN ('x');
CREATE TABLE parts_2_rest PARTITION OF parts_2 DEFAULT;
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (20) TO (30);
INSERT INTO parts SELECT n, CASE n % 2 WHEN 0 THEN 'x' ELSE 'y' END FROM generate_series(0, 29) n;
CREATE TRIGGER "Row Trigger" AFTER INSERT OR UPDATE OF b ON parts FOR EACH ROW WHEN (NEW.a > 3) EXECUTE FUNCTION note('argument');
CREATE TRIGGER before_row BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER all_disabled AFTER DELETE ON parts FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER statement AFTER INSERT ON parts REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION note_statement();
CREATE TRIGGER own_of_leaf BEFORE DELETE ON parts_1 FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE parts_1 DISABLE TRIGGER "Row Trigger";
ALTER TABLE "vie Other"."Parts 2 X" ENABLE ALWAYS TRIGGER "Row Trigger", ENABLE REPLICA TRIGGER before_row;
ALTER TABLE parts DISABLE TRIGGER all_disabled;
ALTER TABLE parts_3 ENABLE TRIGGER all_disabled;
COMMENT ON TRIGGER "Row Trigger" ON parts IS 'of a partitioned table''s trigger';
COMMENT ON TRIGGER own_of_leaf ON parts_1 IS 'of a leaf''s trigger';
-- On an inheritance parent, on a foreign key's table, and a trigger that makes the copy's order matter.
CREATE TABLE inheriting () INHERITS (triggered);
INSERT INTO inheriting VALUES (100, 'child', 1);
CREATE TRIGGER on_child BEFORE INSERT ON inheriting FOR EACH ROW EXECUTE FUNCTION spoil();
-- A trigger whose function is made by a body that is parsed, and a trigger on the log itself.
CREATE TRIGGER on_log AFTER INSERT ON log FOR EACH ROW WHEN (NEW.who = 'nobody') EXECUTE FUNCTION note();
-- A view on the state of triggers, on catalogs and on the information schema: catalogs have OIDs that differ.
CREATE VIEW on_catalogs AS SELECT c.relname, t.tgname, i.table_schema FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid JOIN information_schema.tables i ON i.table_name = c.relname WHERE c.oid = 'vie.triggered'::regclass;
