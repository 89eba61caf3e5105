-- 2,000 tables at scale 1, each of 100 rows with a key, an index and a sequence.
SET client_min_messages = warning;
SELECT format('CREATE TABLE t%s (id serial PRIMARY KEY, name text NOT NULL, amount numeric, at timestamptz DEFAULT now())', g),
       format('CREATE INDEX ON t%s (name)', g),
       format('INSERT INTO t%s (name, amount, at) SELECT ''row '' || r, r * 1.5, timestamptz ''2024-05-01'' + r * interval ''1 hour'' FROM generate_series(1, 100) r', g)
  FROM generate_series(1, (:scale * 2000)::integer) g
\gexec
VACUUM ANALYZE;
