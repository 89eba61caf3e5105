-- 200 small tables at scale 1, for servers that are far away (--link).
SET client_min_messages = warning;
SELECT format('CREATE TABLE t%s (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, at date)', g),
       format('CREATE INDEX ON t%s (name)', g),
       format('INSERT INTO t%s (name, at) SELECT ''row '' || r, date ''2024-05-01'' + r FROM generate_series(1, 100) r', g)
  FROM generate_series(1, (:scale * 200)::integer) g
\gexec
VACUUM ANALYZE;
