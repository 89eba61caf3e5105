-- What 18 has brought, as the database's owner.
SET client_min_messages = warning;
CREATE SCHEMA since_18;
SET search_path = since_18;

CREATE TABLE generated (id int PRIMARY KEY, price numeric NOT NULL, taxed numeric GENERATED ALWAYS AS (price * 1.2),
  rounded numeric GENERATED ALWAYS AS (round(price)) STORED, made uuid DEFAULT uuidv7());
INSERT INTO generated (id, price) SELECT g, g * 0.7 FROM generate_series(1, 50) g;
CREATE VIEW over_generated AS SELECT id, taxed FROM generated WHERE taxed > 3;

-- Keys over time.
CREATE TABLE rooms (id int4range, during daterange, floor int, PRIMARY KEY (id, during WITHOUT OVERLAPS));
CREATE TABLE bookings (room int4range, during daterange, guest text, UNIQUE (room, during WITHOUT OVERLAPS),
  CONSTRAINT in_a_room FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD during));
INSERT INTO rooms VALUES ('[1,2)', '[2020-01-01,2021-01-01)', 1), ('[1,2)', '[2021-01-01,2022-01-01)', 2);
INSERT INTO bookings VALUES ('[1,2)', '[2020-06-01,2021-06-01)', 'one'), ('[1,2)', '[2021-06-01,2021-07-01)', 'two');

-- Constraints that are not enforced, or hold for new rows alone.
CREATE TABLE loose (id int, code int CONSTRAINT small CHECK (code < 3) NOT ENFORCED, must int,
  CONSTRAINT known FOREIGN KEY (id) REFERENCES generated NOT ENFORCED);
INSERT INTO loose VALUES (1, 1, 1), (99, 7, NULL);
ALTER TABLE loose ADD CONSTRAINT must_be NOT NULL must NOT VALID;
COMMENT ON CONSTRAINT must_be ON loose IS 'not yet';
CREATE TABLE named (id int CONSTRAINT id_is_there NOT NULL, other int CONSTRAINT other_is_there NOT NULL NO INHERIT);
CREATE TABLE named_child (more int) INHERITS (named);
INSERT INTO named VALUES (1, 2);
INSERT INTO named_child VALUES (3, NULL, 4);
CREATE TABLE parted (id int, code int, CONSTRAINT id_known NOT NULL id) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
INSERT INTO parted VALUES (1, NULL);
ALTER TABLE parted ADD CONSTRAINT code_known FOREIGN KEY (code) REFERENCES generated (id) NOT VALID;

CREATE FUNCTION added(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a + b;
CREATE TRIGGER told AFTER UPDATE ON generated FOR EACH ROW WHEN (OLD.price IS DISTINCT FROM NEW.price)
  EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER FUNCTION added DEPENDS ON EXTENSION hstore;
CREATE VIEW sorted AS SELECT array_sort(ARRAY[3, 1, 2]) AS list, crc32c('a'::bytea) AS sum, casefold('A') AS folded;
