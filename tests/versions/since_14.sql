CREATE TABLE app.ranges (m int4multirange, n nummultirange);
INSERT INTO app.ranges VALUES ('{[1,3),[5,9)}', '{}');
CREATE FUNCTION app.body(i integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN i + 1;
CREATE STATISTICS app.expression ON (lower(name)) FROM app.customer;
