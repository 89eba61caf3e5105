-- Indexes: every access method and option, what is set on an index afterwards, indexes of partitioned tables,
-- extended statistics. Much of it is not in CREATE INDEX and is lost where only that is kept. Run as fidelity_owner.
SET client_min_messages = warning;
CREATE SCHEMA idx;
CREATE SCHEMA "idx Other";
SET search_path = idx, extensions, public;

-- Functions that indexes use: one that finds its table only with a search_path, one with a search_path of its own.
CREATE TABLE factors (k text PRIMARY KEY, f int);
INSERT INTO factors VALUES ('a', 10), ('b', 20);
CREATE FUNCTION factor(text) RETURNS int LANGUAGE sql IMMUTABLE SET search_path = idx AS 'SELECT f FROM factors WHERE k = $1';
CREATE FUNCTION factor_plain(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT f FROM idx.factors WHERE k = $1); END';
CREATE FUNCTION lower_first(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(left($1, 1))';
CREATE FUNCTION "idx Other"."Odd Name"(text, int DEFAULT 5) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT left($1, $2)';

-- B-trees: order, nulls, collations, operator classes, included columns, conditions, expressions, options, targets.
CREATE TABLE trees (a int NOT NULL, b text, c timestamptz, d numeric, e jsonb, f citext, g text[], h text COLLATE "C", k int);
INSERT INTO trees SELECT n, CASE WHEN n % 10 = 0 THEN NULL ELSE chr(97 + n % 5) || n END, timestamptz '2024-03-04 00:00+00' + n * interval '1 h', n / 3.0, jsonb_build_object('k', n), 'C' || n, ARRAY['x', n::text], 'h' || n, n % 7 FROM generate_series(1, 500) n;
CREATE INDEX trees_order ON trees (a DESC NULLS LAST, b ASC NULLS FIRST, d DESC, c NULLS FIRST);
CREATE INDEX trees_collation ON trees (b COLLATE "C", h COLLATE "POSIX" DESC, lower(h) COLLATE "C");
CREATE INDEX trees_opclass ON trees (b text_pattern_ops, h varchar_pattern_ops, f citext_pattern_ops);
CREATE UNIQUE INDEX trees_include ON trees (a) INCLUDE (b, c, d);
CREATE INDEX trees_partial ON trees (k) WHERE b IS NOT NULL AND (k > 3 OR b ~ E'^a\\d') AND h <> 'it''s';
CREATE INDEX trees_partial_time ON trees (a) WHERE c > '2024-03-04 05:06:07+02' AND c < timestamptz 'infinity';
CREATE INDEX trees_expression ON trees ((a + k), lower(b), ((e ->> 'k')::int), (b || h) text_pattern_ops DESC, (d IS NULL));
CREATE INDEX trees_function ON trees (factor(left(b, 1)), factor_plain(left(b, 1)), lower_first(b), "idx Other"."Odd Name"(h), "idx Other"."Odd Name"(h, 2));
CREATE INDEX trees_operator ON trees ((e -> 'k'), (g[1]), (g @> ARRAY['x']));
CREATE UNIQUE INDEX trees_nulls_distinct ON trees (a, b) NULLS NOT DISTINCT WITH (fillfactor = 61, deduplicate_items = off);
CREATE UNIQUE INDEX "Trees ""Quoted""" ON trees (a) WHERE k = 1;
CREATE INDEX ON trees (a, lower(b));
-- An index that can only be built when another table has its rows, since its function reads them: without them both
-- keys are NULL, and equal. The table is large and the other one small, so that a copy that begins with
-- large tables has this one's rows long before the other's.
CREATE TABLE needs_other_rows (k text, filler text);
ALTER TABLE needs_other_rows ALTER filler SET STORAGE EXTERNAL;
INSERT INTO needs_other_rows VALUES ('a', repeat('x', 14000000)), ('b', NULL);
CREATE UNIQUE INDEX needs_other_rows_key ON needs_other_rows (factor(k)) NULLS NOT DISTINCT;
-- The statistics target of an expression's column is set by its number; a comment, options and a name come afterwards too.
ALTER INDEX trees_expression ALTER COLUMN 1 SET STATISTICS 77, ALTER COLUMN 4 SET STATISTICS 0;
ALTER INDEX trees_function ALTER COLUMN 3 SET STATISTICS 1234;
ALTER INDEX trees_order SET (fillfactor = 55);
ALTER INDEX trees_partial RENAME TO "Trees Partial";
COMMENT ON INDEX trees_expression IS 'a comment of an index, with ''quotes''';
COMMENT ON INDEX "Trees Partial" IS E'two\nlines';
-- Which index the table is clustered on is a mark in pg_index; here on one of a key, there on a plain one.
CREATE TABLE clustered_plain (a int, b int);
CREATE INDEX clustered_plain_b ON clustered_plain (b);
INSERT INTO clustered_plain SELECT n, -n FROM generate_series(1, 300) n;
CLUSTER clustered_plain USING clustered_plain_b;
CREATE TABLE clustered_key (a int CONSTRAINT "Clustered Key" PRIMARY KEY, b int);
INSERT INTO clustered_key SELECT n, -n FROM generate_series(1, 10) n;
ALTER TABLE clustered_key CLUSTER ON "Clustered Key";
CREATE MATERIALIZED VIEW clustered_view AS SELECT a, b FROM clustered_plain;
CREATE UNIQUE INDEX clustered_view_a ON clustered_view (a) INCLUDE (b);
ALTER MATERIALIZED VIEW clustered_view CLUSTER ON clustered_view_a;
COMMENT ON INDEX clustered_view_a IS 'an index of a materialized view';
-- Clustered once, and then no more.
CREATE TABLE clustered_no_more (a int PRIMARY KEY);
ALTER TABLE clustered_no_more CLUSTER ON clustered_no_more_pkey;
ALTER TABLE clustered_no_more SET WITHOUT CLUSTER;
-- Replica identities of every kind; by an index of a constraint and by a plain unique index.
CREATE TABLE identity_full (a int PRIMARY KEY); ALTER TABLE identity_full REPLICA IDENTITY FULL;
CREATE TABLE identity_nothing (a int PRIMARY KEY); ALTER TABLE identity_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE identity_key (a int PRIMARY KEY, b int NOT NULL CONSTRAINT identity_key_b UNIQUE); ALTER TABLE identity_key REPLICA IDENTITY USING INDEX identity_key_b;
CREATE TABLE identity_index (a int NOT NULL, b int NOT NULL); CREATE UNIQUE INDEX "Identity Index" ON identity_index (b, a) INCLUDE (a); ALTER TABLE identity_index REPLICA IDENTITY USING INDEX "Identity Index";
CREATE TABLE identity_primary (a int PRIMARY KEY); ALTER TABLE identity_primary REPLICA IDENTITY USING INDEX identity_primary_pkey;
CREATE TABLE identity_changed (a int PRIMARY KEY); ALTER TABLE identity_changed REPLICA IDENTITY FULL; ALTER TABLE identity_changed REPLICA IDENTITY DEFAULT;
INSERT INTO identity_full VALUES (1); INSERT INTO identity_key VALUES (1, 2); INSERT INTO identity_index VALUES (3, 4);

-- Hash, GiST, SP-GiST, GIN, BRIN and bloom: with their options, and operator classes that take parameters.
CREATE TABLE methods (i int, t text, p point, b box, c circle, g polygon, r int4range, m int4multirange, v tsvector, q tsquery, n inet, a int[], ta text[], j jsonb, h hstore, l ltree, d timestamptz, cu cube, ci cidr, bt bit(8));
INSERT INTO methods SELECT n, 'text ' || n, point(n, n * 2), box(point(n, n), point(n + 1, n + 1)), circle(point(n, n), 1), polygon(box(point(n, n), point(n + 1, n + 1))), int4range(n, n + 10), int4multirange(int4range(n, n + 1)), to_tsvector('simple', 'word' || n), to_tsquery('simple', 'word' || n), ('10.0.' || n % 256 || '.1')::inet,
  ARRAY[n, n + 1], ARRAY['t' || n], jsonb_build_object('a', n), hstore('k', n::text), ('Top.N' || n)::ltree, timestamptz '2024-01-01 00:00+00' + n * interval '1 h', cube(n, n + 1), network(('10.' || n % 256 || '.0.0/16')::inet)::cidr, n::bit(8) FROM generate_series(1, 300) n;
CREATE INDEX methods_hash ON methods USING hash (t) WITH (fillfactor = 70) WHERE i > 5;
CREATE INDEX methods_hash_opclass ON methods USING hash (t text_pattern_ops);
CREATE INDEX methods_gist ON methods USING gist (p, b, c, g) WITH (fillfactor = 80, buffering = on);
CREATE INDEX methods_gist_range ON methods USING gist (r, m) INCLUDE (i, t);
CREATE INDEX methods_gist_text ON methods USING gist (v tsvector_ops (siglen = 100), t gist_trgm_ops (siglen = 32), q);
CREATE INDEX methods_gist_network ON methods USING gist (n inet_ops);
CREATE INDEX methods_gist_extensions ON methods USING gist (l gist_ltree_ops (siglen = 16), a gist__intbig_ops (siglen = 24), cu gist_cube_ops, h gist_hstore_ops (siglen = 8), i gist_int4_ops);
CREATE INDEX methods_spgist ON methods USING spgist (p) INCLUDE (i) WITH (fillfactor = 75);
CREATE INDEX methods_spgist_kd ON methods USING spgist (p kd_point_ops);
CREATE INDEX methods_spgist_text ON methods USING spgist (t);
CREATE INDEX methods_spgist_rest ON methods USING spgist (r) WHERE NOT isempty(r);
CREATE INDEX methods_spgist_network ON methods USING spgist (n inet_ops);
CREATE INDEX methods_spgist_box ON methods USING spgist (b);
CREATE INDEX methods_gin ON methods USING gin (a, ta, v) WITH (fastupdate = off, gin_pending_list_limit = 128);
CREATE INDEX methods_gin_json ON methods USING gin (j jsonb_path_ops, (j -> 'a'), h);
CREATE INDEX methods_gin_extensions ON methods USING gin (t gin_trgm_ops, a gin__int_ops, i);
CREATE INDEX methods_gin_expression ON methods USING gin (to_tsvector('english', t), (ARRAY[t, i::text]));
CREATE INDEX methods_brin ON methods USING brin (i, t, d) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX methods_brin_bloom ON methods USING brin (t text_bloom_ops (n_distinct_per_range = 200, false_positive_rate = 0.05), i int4_minmax_multi_ops (values_per_range = 16), d timestamptz_minmax_multi_ops);
CREATE INDEX methods_brin_inclusion ON methods USING brin (n inet_inclusion_ops, r range_inclusion_ops, b box_inclusion_ops);
CREATE INDEX methods_bloom ON methods USING bloom (i, t) WITH (length = 96, col1 = 3, col2 = 5);
COMMENT ON INDEX methods_brin_bloom IS 'BRIN with parameters of operator classes';

-- Constraints that are indexes, and what can be said of them: deferrable ones are made in one statement with the index.
CREATE TABLE keyed (a int, b int, c text, d int, e int,
  CONSTRAINT keyed_primary PRIMARY KEY (b, a) INCLUDE (c) WITH (fillfactor = 50) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT keyed_deferrable UNIQUE (a, c) DEFERRABLE, CONSTRAINT keyed_immediate UNIQUE (c, a) DEFERRABLE INITIALLY IMMEDIATE,
  CONSTRAINT keyed_nulls UNIQUE NULLS NOT DISTINCT (d) INCLUDE (e), CONSTRAINT "Keyed ""Quoted""" UNIQUE (e) WITH (fillfactor = 90, deduplicate_items = off));
INSERT INTO keyed SELECT n, n, 'c' || n, NULLIF(n, 1), n FROM generate_series(1, 100) n;
COMMENT ON CONSTRAINT keyed_primary ON keyed IS 'a comment of a primary key';
COMMENT ON CONSTRAINT "Keyed ""Quoted""" ON keyed IS 'a comment of a unique key';
COMMENT ON INDEX keyed_primary IS 'a comment of the index after a key, which is another one';
-- A key that was made of an index keeps the index's order and options; a key whose index was renamed with it.
CREATE TABLE keyed_by_index (a int NOT NULL, b text);
CREATE UNIQUE INDEX keyed_by_index_a ON keyed_by_index (a) WITH (fillfactor = 44);
ALTER TABLE keyed_by_index ADD CONSTRAINT keyed_by_index_key PRIMARY KEY USING INDEX keyed_by_index_a DEFERRABLE;
INSERT INTO keyed_by_index VALUES (1, 'x');
-- Exclusion constraints: of several operators, partial, deferrable, with options, expressions, and an operator class named.
CREATE TABLE excluded (room int, during tsrange, c circle, t text, gone bool,
  CONSTRAINT excluded_room EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (NOT gone) DEFERRABLE INITIALLY DEFERRED,
  EXCLUDE USING gist (c WITH &&) WITH (fillfactor = 60), CONSTRAINT excluded_hash EXCLUDE USING hash (t WITH =),
  CONSTRAINT excluded_tree EXCLUDE (lower(t) COLLATE "C" text_pattern_ops WITH =), CONSTRAINT excluded_spgist EXCLUDE USING spgist (during WITH &&) INCLUDE (room) WHERE (room = 99));
INSERT INTO excluded VALUES (1, '[2024-03-04 10:00,2024-03-04 11:00)', '<(0,0),1>', 'a', false), (1, '[2024-03-04 11:00,2024-03-04 12:00)', '<(5,5),1>', 'b', false), (1, '[2024-03-04 10:00,2024-03-04 12:00)', '<(9,9),1>', 'c', true);
COMMENT ON CONSTRAINT excluded_room ON excluded IS 'a comment of an exclusion constraint';
ALTER TABLE excluded CLUSTER ON excluded_c_excl;

-- Indexes of partitioned tables, through several levels: attached by hand under other names, made on a leaf first,
-- with an index of a leaf that belongs to no parent.
CREATE TABLE levels (a int NOT NULL, b text, c int NOT NULL) PARTITION BY RANGE (a);
CREATE TABLE levels_1 PARTITION OF levels FOR VALUES FROM (0) TO (100) PARTITION BY LIST (c);
CREATE TABLE levels_1_1 PARTITION OF levels_1 FOR VALUES IN (1);
CREATE TABLE "idx Other"."Levels 1 Rest" (c int NOT NULL, gone int, b text, a int NOT NULL);
ALTER TABLE "idx Other"."Levels 1 Rest" DROP COLUMN gone;
ALTER TABLE levels_1 ATTACH PARTITION "idx Other"."Levels 1 Rest" DEFAULT;
CREATE TABLE levels_2 PARTITION OF levels FOR VALUES FROM (100) TO (200);
INSERT INTO levels SELECT n, 'b' || n, n % 3 FROM generate_series(0, 199) n;
CREATE INDEX levels_everywhere ON levels (b, (a + c)) INCLUDE (c) WITH (fillfactor = 66) WHERE a > 3;
CREATE INDEX leaf_first ON "idx Other"."Levels 1 Rest" (c, a DESC);
CREATE INDEX levels_by_hand ON ONLY levels (c, a DESC);
CREATE INDEX levels_by_hand_1 ON ONLY levels_1 (c, a DESC);
CREATE INDEX "Other Name, Not Of The Parent" ON levels_1_1 (c, a DESC) WITH (fillfactor = 33);
CREATE INDEX two_of_them ON levels_2 (c, a DESC);
ALTER INDEX levels_by_hand_1 ATTACH PARTITION "Other Name, Not Of The Parent";
ALTER INDEX levels_by_hand_1 ATTACH PARTITION "idx Other".leaf_first;
ALTER INDEX levels_by_hand ATTACH PARTITION levels_by_hand_1;
ALTER INDEX levels_by_hand ATTACH PARTITION two_of_them;
CREATE INDEX only_of_a_leaf ON levels_2 (b);
CREATE INDEX only_of_the_middle ON levels_1 (b);
-- Keys of partitioned tables, where a leaf's key has another name, and one is deferrable.
ALTER TABLE "idx Other"."Levels 1 Rest" ADD CONSTRAINT "Leaf's Own Key" UNIQUE (a, c) WITH (fillfactor = 40);
ALTER TABLE levels ADD CONSTRAINT levels_unique UNIQUE (a, c);
ALTER TABLE levels ADD CONSTRAINT levels_deferred UNIQUE (c, a) INCLUDE (b) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE levels ADD PRIMARY KEY (a, c, b);
COMMENT ON INDEX levels_by_hand IS 'of a partitioned index';
COMMENT ON INDEX "Other Name, Not Of The Parent" IS 'of an attached index';
COMMENT ON CONSTRAINT levels_unique ON levels IS 'of a key of a partitioned table';
COMMENT ON CONSTRAINT "Leaf's Own Key" ON "idx Other"."Levels 1 Rest" IS 'of the key of a partition';
-- Marks on the indexes of single partitions.
ALTER TABLE levels_2 CLUSTER ON two_of_them;
ALTER TABLE levels_2 REPLICA IDENTITY USING INDEX levels_2_pkey;
ALTER TABLE levels_1_1 REPLICA IDENTITY FULL;
ALTER INDEX levels_2_b_expr_c_idx ALTER COLUMN 2 SET STATISTICS 55;
-- A partitioned table with no partition has an index that nobody can attach to, and one that is not valid is no index:
-- made ON ONLY with a leaf left out, it stays invalid on the source for ever.
CREATE TABLE levels_empty (a int PRIMARY KEY, b text) PARTITION BY HASH (a);
CREATE INDEX levels_empty_b ON levels_empty (b);
-- A partitioned table whose hash is of an enum, with keys: rows move on the target, the key does not mind.
CREATE TYPE size AS ENUM ('s', 'm', 'l', 'xl');
CREATE TABLE levels_enum (s size, n int, PRIMARY KEY (s, n)) PARTITION BY HASH (s);
CREATE TABLE levels_enum_0 PARTITION OF levels_enum FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE levels_enum_1 PARTITION OF levels_enum FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX levels_enum_n ON levels_enum (n);
INSERT INTO levels_enum SELECT s, n FROM unnest(enum_range(NULL::size)) s, generate_series(1, 25) n;
CREATE TABLE refers_to_enum (s size, n int, FOREIGN KEY (s, n) REFERENCES levels_enum ON DELETE CASCADE);
INSERT INTO refers_to_enum SELECT s, n FROM levels_enum WHERE n < 5;

-- Extended statistics: each kind and all of them, of columns and of expressions, with a target, in another schema.
CREATE STATISTICS stat_dependencies (dependencies) ON a, k FROM trees;
CREATE STATISTICS stat_distinct (ndistinct) ON b, h, k FROM trees;
CREATE STATISTICS stat_values (mcv) ON a, b FROM trees;
CREATE STATISTICS "idx Other"."Stat All" ON a, (k % 3), lower(b), (e ->> 'k') FROM trees;
CREATE STATISTICS stat_expression ON (lower_first(h)) FROM trees;
CREATE STATISTICS stat_two (ndistinct, mcv) ON (factor(left(b, 1))), k FROM trees;
CREATE STATISTICS stat_partitioned ON a, c FROM levels;
CREATE STATISTICS stat_view ON a, b FROM clustered_view;
ALTER STATISTICS stat_values SET STATISTICS 4321;
ALTER STATISTICS stat_two SET STATISTICS 0;
ALTER STATISTICS stat_dependencies OWNER TO fidelity_owner;
COMMENT ON STATISTICS "idx Other"."Stat All" IS 'a comment of statistics';

-- A table with many indexes, to be built at the same time; indexes on an empty table and on a wide key.
CREATE TABLE many_indexes (a int, b int, c int, d text);
INSERT INTO many_indexes SELECT n, n % 100, n % 10, md5(n::text) FROM generate_series(1, 5000) n;
SELECT format('CREATE INDEX many_indexes_%s ON many_indexes (%s) %s', n, (ARRAY['a','b','c','d','a,b','b DESC','lower(d)','c,d,a'])[1 + n % 8], CASE WHEN n % 3 = 0 THEN format('WHERE a > %s', n * 10) ELSE '' END) FROM generate_series(1, 24) n \gexec
SELECT format('CREATE TABLE thirty_two (%s, UNIQUE (%s))', string_agg(format('c%s int', n), ', ' ORDER BY n), string_agg(format('c%s', n), ', ' ORDER BY n)) FROM generate_series(1, 32) n \gexec
-- An index on the columns of a composite, of a domain, of an enum, of a range of one's own, and of system-like names.
CREATE TYPE couple AS (x int, y text);
CREATE DOMAIN amount AS numeric CHECK (VALUE >= 0);
CREATE TABLE typed_indexes (c couple, a amount, s size, xmin_ int, "xmin " int, b bytea, iv interval);
CREATE INDEX ON typed_indexes (c, ((c).x), ((c).y) COLLATE "C");
CREATE UNIQUE INDEX ON typed_indexes (a, s, "xmin ", b, iv);
CREATE INDEX ON typed_indexes USING hash (s);
CREATE INDEX typed_literals ON typed_indexes (a) WHERE s = 'xl' AND iv > '1 year -2 days' AND b <> '\x5c27' AND a <> 0.30000000000000004;
INSERT INTO typed_indexes VALUES (ROW(1, 'y'), 5, 'm', 1, 2, '\x00', '1 day');
-- Unlogged and inherited tables' indexes.
CREATE UNLOGGED TABLE unlogged (a int PRIMARY KEY, b text);
CREATE INDEX ON unlogged USING gin (b gin_trgm_ops);
INSERT INTO unlogged VALUES (1, 'unlogged text');
CREATE TABLE inheriting (x int UNIQUE) INHERITS (clustered_plain);
CREATE INDEX inheriting_b ON inheriting (b);
