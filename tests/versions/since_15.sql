CREATE TABLE app.nulls (i integer UNIQUE NULLS NOT DISTINCT, j integer);
INSERT INTO app.nulls VALUES (NULL, 1), (1, 2);
CREATE VIEW app.invoked WITH (security_invoker = true) AS SELECT i FROM app.nulls;
CREATE PUBLICATION some_rows FOR TABLE app.nulls (i) WHERE (i > 0);
