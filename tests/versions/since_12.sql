CREATE TABLE app.computed (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED, c text);
INSERT INTO app.computed (a, c) SELECT g, 'c' || g FROM generate_series(1, 500) g;
CREATE TABLE app.refers (id integer REFERENCES app.hashed);
INSERT INTO app.refers SELECT g FROM generate_series(1, 500) g;
