CREATE TABLE app.hashed (id integer, mood app.mood) PARTITION BY HASH (id);
CREATE TABLE app.hashed_0 PARTITION OF app.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.hashed_1 PARTITION OF app.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE app.measure_rest PARTITION OF app.measure DEFAULT;
CREATE INDEX measure_value ON app.measure (value) INCLUDE (region);
CREATE PROCEDURE app.nothing() LANGUAGE sql AS '';
ALTER TABLE app.hashed ADD PRIMARY KEY (id);
INSERT INTO app.hashed SELECT g, 'bad' FROM generate_series(1, 500) g;
INSERT INTO app.measure VALUES ('1999-01-01', 'z', 1);
