-- What 16 has brought, as the database's owner.
SET client_min_messages = warning;
CREATE SCHEMA since_16;
SET search_path = since_16;

-- Storage in CREATE TABLE, numbers in other bases, NULLS NOT DISTINCT beside INCLUDE.
CREATE TABLE stored (id int PRIMARY KEY, wide text STORAGE EXTERNAL, json jsonb STORAGE MAIN,
  mask int DEFAULT 0xFF_FF CHECK (mask <> 0b101));
INSERT INTO stored SELECT g, repeat('wide', 2000 + g), '{"a": 1}', g FROM generate_series(6, 40) g;
CREATE UNIQUE INDEX ON stored (mask) INCLUDE (id) NULLS NOT DISTINCT;

CREATE COLLATION german (provider = icu, locale = 'de', rules = '& z < a');
CREATE COLLATION undetermined (provider = icu, locale = 'und-u-kn-true', deterministic = false);
CREATE TABLE words (word text COLLATE german, number text COLLATE undetermined);
INSERT INTO words VALUES ('alpha', 'a10'), ('zeta', 'a9'), ('omega', 'A9');
CREATE INDEX ON words (word, number);

CREATE VIEW of_json AS
  SELECT j IS JSON OBJECT WITH UNIQUE KEYS AS is_object, JSON_ARRAY(1, j NULL ON NULL) AS list,
         JSON_OBJECT('a': 1, 'b': j ABSENT ON NULL) AS object
    FROM (VALUES ('{}'), (NULL)) v(j);
CREATE VIEW any_values AS SELECT any_value(id ORDER BY id DESC) AS id FROM stored;
CREATE VIEW without_alias AS SELECT * FROM (SELECT id FROM stored);

CREATE FUNCTION in_body(n int DEFAULT 1_000) RETURNS SETOF int LANGUAGE sql
  BEGIN ATOMIC SELECT s.id FROM since_16.stored s WHERE s.id < in_body.n ORDER BY s.id; END;
