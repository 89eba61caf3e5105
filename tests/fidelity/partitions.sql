-- Partitioned tables: by list, range and hash, in several levels, with default partitions, with columns in another
-- order and dropped ones. Run as fidelity_owner.
SET client_min_messages = warning;
CREATE SCHEMA part;
CREATE SCHEMA "part Elsewhere";
SET search_path = part;

-- By list, with NULL in a partition, a default partition, and a partition without rows.
CREATE TABLE by_list (a text, b int DEFAULT 5, c date) PARTITION BY LIST (a);
CREATE TABLE by_list_x PARTITION OF by_list FOR VALUES IN ('x', 'it''s', E'back\\slash');
CREATE TABLE by_list_null PARTITION OF by_list FOR VALUES IN (NULL, '');
CREATE TABLE by_list_empty PARTITION OF by_list FOR VALUES IN ('nothing');
CREATE TABLE by_list_default PARTITION OF by_list DEFAULT;
INSERT INTO by_list VALUES ('x', 1, '2024-01-01'), ('it''s', 2, NULL), (E'back\\slash', 3, NULL), (NULL, 4, NULL), ('', 5, NULL), ('other', DEFAULT, NULL);

-- By range of two columns with bounds of MINVALUE and MAXVALUE, and by an expression.
CREATE TABLE by_range (a int, b timestamptz, c text) PARTITION BY RANGE (a, b);
CREATE TABLE by_range_low PARTITION OF by_range FOR VALUES FROM (MINVALUE, MINVALUE) TO (0, '2024-03-04 00:00:00+00');
CREATE TABLE by_range_mid PARTITION OF by_range FOR VALUES FROM (0, '2024-03-04 00:00:00+00') TO (10, MINVALUE);
CREATE TABLE by_range_high PARTITION OF by_range FOR VALUES FROM (10, MINVALUE) TO (MAXVALUE, MAXVALUE);
INSERT INTO by_range SELECT n, timestamptz '2024-03-04 00:00:00+00' + n * interval '1 hour', 'r' || n FROM generate_series(-20, 20) n;
CREATE TABLE by_expression (a text, b int) PARTITION BY RANGE (lower(a) COLLATE "C", (b + 1));
CREATE TABLE by_expression_1 PARTITION OF by_expression FOR VALUES FROM ('a', MINVALUE) TO ('m', 10);
CREATE TABLE by_expression_2 PARTITION OF by_expression DEFAULT;
INSERT INTO by_expression VALUES ('ABC', 1), ('m', 8), ('m', 9), ('z', 1), (NULL, NULL);

-- By hash: of a number, and of text with an operator class named.
CREATE TABLE by_hash (a int, b text) PARTITION BY HASH (a);
SELECT format('CREATE TABLE by_hash_%s PARTITION OF by_hash FOR VALUES WITH (MODULUS 5, REMAINDER %s)', n, n) FROM generate_series(0, 4) n \gexec
INSERT INTO by_hash SELECT n, 'h' || n FROM generate_series(1, 1000) n;
CREATE TABLE by_hash_text (a text, b int) PARTITION BY HASH (a text_pattern_ops, b);
CREATE TABLE by_hash_text_0 PARTITION OF by_hash_text FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_hash_text_1 PARTITION OF by_hash_text FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE by_hash_text_3 PARTITION OF by_hash_text FOR VALUES WITH (MODULUS 4, REMAINDER 3);
INSERT INTO by_hash_text SELECT 't' || n, n FROM generate_series(1, 200) n;
-- By hash of an enum, whose value is an OID and so another one on each server: the rows move to other partitions.
CREATE TYPE color AS ENUM ('red', 'green', 'blue', 'cyan', 'magenta', 'yellow');
CREATE TABLE by_hash_enum (c color, n int) PARTITION BY HASH (c);
SELECT format('CREATE TABLE by_hash_enum_%s PARTITION OF by_hash_enum FOR VALUES WITH (MODULUS 3, REMAINDER %s)', n, n) FROM generate_series(0, 2) n \gexec
INSERT INTO by_hash_enum SELECT c, n FROM unnest(enum_range(NULL::color)) c, generate_series(1, 50) n;
-- The same below a partition by list, where only a part of the tree is spread so.
CREATE TABLE by_list_then_enum (k int, c color, n int) PARTITION BY LIST (k);
CREATE TABLE by_list_then_enum_1 PARTITION OF by_list_then_enum FOR VALUES IN (1) PARTITION BY HASH (c);
CREATE TABLE by_list_then_enum_1_0 PARTITION OF by_list_then_enum_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_list_then_enum_1_1 PARTITION OF by_list_then_enum_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE by_list_then_enum_2 PARTITION OF by_list_then_enum FOR VALUES IN (2);
INSERT INTO by_list_then_enum SELECT k, c, n FROM generate_series(1, 2) k, unnest(enum_range(NULL::color)) c, generate_series(1, 10) n;
-- By hash of an enum in second place, with dropped columns and identity-like defaults: the column list of the root counts.
CREATE TABLE by_hash_second_enum (gone int, a int, gone_too text, c color, t text DEFAULT 'default', g int GENERATED ALWAYS AS (a * 3) STORED) PARTITION BY HASH (a, c);
CREATE TABLE by_hash_second_enum_0 PARTITION OF by_hash_second_enum FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_hash_second_enum_1 (t text, c color, a int, g int GENERATED ALWAYS AS (a * 3) STORED, gone int, gone_too text);
ALTER TABLE by_hash_second_enum ATTACH PARTITION by_hash_second_enum_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE by_hash_second_enum DROP COLUMN gone, DROP COLUMN gone_too;
INSERT INTO by_hash_second_enum (a, c, t) SELECT n, (enum_range(NULL::color))[1 + n % 6], 'row ' || n FROM generate_series(1, 100) n;
-- By list of an enum: the values are names in the bounds, the rows stay where they are.
CREATE TABLE by_list_enum (c color, n int) PARTITION BY LIST (c);
CREATE TABLE by_list_enum_warm PARTITION OF by_list_enum FOR VALUES IN ('red', 'yellow', 'magenta');
CREATE TABLE by_list_enum_rest PARTITION OF by_list_enum DEFAULT;
INSERT INTO by_list_enum SELECT c, 1 FROM unnest(enum_range(NULL::color)) c;

-- Three levels, each of another kind, with a leaf of every level and a leaf in another schema.
CREATE TABLE levels (a int NOT NULL, b text NOT NULL, c date, d int, PRIMARY KEY (a, b, d)) PARTITION BY RANGE (a);
CREATE TABLE levels_1 PARTITION OF levels FOR VALUES FROM (0) TO (100) PARTITION BY LIST (b);
CREATE TABLE levels_1_x PARTITION OF levels_1 FOR VALUES IN ('x') PARTITION BY HASH (d);
CREATE TABLE levels_1_x_0 PARTITION OF levels_1_x FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "part Elsewhere"."Levels 1 X 1" PARTITION OF levels_1_x FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE levels_1_rest PARTITION OF levels_1 DEFAULT;
CREATE TABLE levels_2 PARTITION OF levels FOR VALUES FROM (100) TO (200);
CREATE TABLE levels_default PARTITION OF levels DEFAULT PARTITION BY RANGE (d);
CREATE TABLE levels_default_default PARTITION OF levels_default DEFAULT;
-- A partitioned table below a partitioned one, with no partition at all.
CREATE TABLE levels_3 PARTITION OF levels FOR VALUES FROM (200) TO (300) PARTITION BY LIST (b);
INSERT INTO levels SELECT n, CASE n % 2 WHEN 0 THEN 'x' ELSE 'y' END, date '2024-01-01' + n, n FROM generate_series(0, 199) n;
INSERT INTO levels VALUES (-5, 'default', NULL, 1), (1000, 'default', '2024-03-04', 2);
-- No partition at all, at the top.
CREATE TABLE no_partition (a int, b text) PARTITION BY LIST (a);

-- Partitions whose columns are in another order, with dropped columns in other places than their parent's.
CREATE TABLE other_order (gone int, a int, b text NOT NULL DEFAULT 'of parent', c numeric, d timestamptz) PARTITION BY RANGE (a);
ALTER TABLE other_order DROP COLUMN gone;
CREATE TABLE other_order_same PARTITION OF other_order FOR VALUES FROM (0) TO (10);
CREATE TABLE other_order_mixed (d timestamptz, gone1 text, c numeric DEFAULT 7, b text NOT NULL DEFAULT 'of partition', gone2 text, a int CHECK (a < 1000), gone3 int);
ALTER TABLE other_order_mixed DROP COLUMN gone1, DROP COLUMN gone2, DROP COLUMN gone3;
ALTER TABLE other_order ATTACH PARTITION other_order_mixed FOR VALUES FROM (10) TO (20);
-- A partition that is partitioned itself, with columns in another order again.
CREATE TABLE other_order_deep (b text NOT NULL, a int, gone date, d timestamptz, c numeric) PARTITION BY LIST (b);
ALTER TABLE other_order_deep DROP COLUMN gone;
CREATE TABLE other_order_deep_1 (c numeric, d timestamptz, b text COLLATE "default" NOT NULL, a int);
ALTER TABLE other_order_deep ATTACH PARTITION other_order_deep_1 FOR VALUES IN ('one');
CREATE TABLE other_order_deep_rest PARTITION OF other_order_deep DEFAULT;
ALTER TABLE other_order ATTACH PARTITION other_order_deep FOR VALUES FROM (20) TO (30);
INSERT INTO other_order SELECT n, CASE n % 3 WHEN 0 THEN 'one' ELSE 'two' END, n / 4.0, timestamptz '2024-03-04 12:00:00+00' + n * interval '1 day' FROM generate_series(0, 29) n;
INSERT INTO other_order_mixed (a) VALUES (11);

-- A partition that was detached is a table of its own, its key and its NOT NULL are its own too.
CREATE TABLE detaching (a int PRIMARY KEY, b text) PARTITION BY RANGE (a);
CREATE TABLE detaching_1 PARTITION OF detaching FOR VALUES FROM (0) TO (10);
CREATE TABLE detaching_2 PARTITION OF detaching FOR VALUES FROM (10) TO (20);
INSERT INTO detaching VALUES (1, 'one'), (11, 'eleven');
ALTER TABLE detaching DETACH PARTITION detaching_2;
-- Partitions with own defaults, constraints, options, persistence, storage and statistics targets.
CREATE TABLE own_things (a int, b text, CONSTRAINT own_parent CHECK (a >= 0)) PARTITION BY RANGE (a);
CREATE TABLE own_things_1 PARTITION OF own_things (b DEFAULT 'own' NOT NULL, CONSTRAINT own_partition CHECK (b <> 'never')) FOR VALUES FROM (0) TO (10) WITH (fillfactor = 80);
CREATE UNLOGGED TABLE own_things_2 PARTITION OF own_things FOR VALUES FROM (10) TO (20);
ALTER TABLE own_things_1 ALTER b SET STORAGE EXTERNAL, ALTER b SET STATISTICS 9;
ALTER TABLE own_things ALTER a SET STATISTICS 11, ALTER b SET (n_distinct_inherited = 17), ALTER b SET DEFAULT 'of the parent';
INSERT INTO own_things_1 (a) VALUES (1);
INSERT INTO own_things VALUES (12, 'unlogged');
-- Rows that break a bound or a constraint of the parent cannot be; one that only a NOT VALID check forbids can.
INSERT INTO own_things VALUES (2, 'forbidden');
ALTER TABLE own_things_1 ADD CONSTRAINT own_not_valid CHECK (b <> 'forbidden') NOT VALID;
-- Partitioned by a column of a domain, of a composite's field and of a collation that is not the default.
CREATE DOMAIN code AS text COLLATE "C" CHECK (VALUE ~ '^[A-Z]');
CREATE TABLE by_domain (k code, v int) PARTITION BY RANGE (k);
CREATE TABLE by_domain_a PARTITION OF by_domain FOR VALUES FROM ('A') TO ('M');
CREATE TABLE by_domain_m PARTITION OF by_domain FOR VALUES FROM ('M') TO (MAXVALUE);
INSERT INTO by_domain VALUES ('Abc', 1), ('Zz', 2);
-- Bounds of many types, which are written as literals that depend on settings.
CREATE TABLE by_timestamp (t timestamp) PARTITION BY RANGE (t);
CREATE TABLE by_timestamp_1 PARTITION OF by_timestamp FOR VALUES FROM ('2024-03-04 05:06:07.891') TO ('2024-04-03');
CREATE TABLE by_date (d date) PARTITION BY LIST (d);
CREATE TABLE by_date_1 PARTITION OF by_date FOR VALUES IN ('2024-03-04', '2024-04-03', '0044-03-15 BC', 'infinity');
CREATE TABLE by_interval (i interval) PARTITION BY RANGE (i);
CREATE TABLE by_interval_1 PARTITION OF by_interval FOR VALUES FROM ('-1 year -2 mons +3 days') TO ('1 mon 2 days 03:04:05');
CREATE TABLE by_bytea (b bytea) PARTITION BY LIST (b);
CREATE TABLE by_bytea_1 PARTITION OF by_bytea FOR VALUES IN ('\x00', '\x5c27ff');
CREATE TABLE by_float (f float8) PARTITION BY RANGE (f);
CREATE TABLE by_float_1 PARTITION OF by_float FOR VALUES FROM ('-Infinity') TO (0.1);
CREATE TABLE by_float_2 PARTITION OF by_float FOR VALUES FROM (0.30000000000000004) TO ('NaN');
CREATE TABLE by_bool (b bool) PARTITION BY LIST (b);
CREATE TABLE by_bool_t PARTITION OF by_bool FOR VALUES IN (true);
CREATE TABLE by_bool_rest PARTITION OF by_bool FOR VALUES IN (false, NULL);
CREATE TABLE by_array (a int[]) PARTITION BY LIST (a);
CREATE TABLE by_array_1 PARTITION OF by_array FOR VALUES IN ('{1,2}', '{}', '{NULL}');
INSERT INTO by_timestamp VALUES ('2024-03-04 05:06:07.891');
INSERT INTO by_date VALUES ('2024-04-03'), ('2024-03-04'), ('0044-03-15 BC'), ('infinity');
INSERT INTO by_interval VALUES ('0'), ('-1 mon +2 days -00:00:01');
INSERT INTO by_bytea VALUES ('\x5c27ff');
INSERT INTO by_float VALUES ('-Infinity'), (0.0999999), (0.30000000000000004), (1e308);
INSERT INTO by_bool VALUES (true), (false), (NULL);
INSERT INTO by_array VALUES ('{1,2}'), ('{}'), ('{NULL}');
-- By a composite's value, and by a function of the user's, which must exist before the table.
CREATE TYPE pair AS (a int, b text);
CREATE TABLE by_composite (p pair) PARTITION BY LIST (p);
CREATE TABLE by_composite_1 PARTITION OF by_composite FOR VALUES IN (ROW(1, 'a,"b'));
INSERT INTO by_composite VALUES (ROW(1, 'a,"b'));
CREATE FUNCTION bucket(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT abs($1) % 3';
CREATE TABLE by_function (a int) PARTITION BY LIST (part.bucket(a));
SELECT format('CREATE TABLE by_function_%s PARTITION OF by_function FOR VALUES IN (%s)', n, n) FROM generate_series(0, 2) n \gexec
INSERT INTO by_function SELECT generate_series(-10, 10);
-- Whole-row and system values cannot partition; a hundred partitions of few rows can, and each is a table to copy.
CREATE TABLE hundred (a int, b text) PARTITION BY LIST (a);
SELECT format('CREATE TABLE hundred_%s PARTITION OF hundred FOR VALUES IN (%s)', n, n) FROM generate_series(1, 100) n \gexec
INSERT INTO hundred SELECT 1 + n % 100, 'n' || n FROM generate_series(1, 500) n;
