-- 12 tables of 200,000 rows at scale 1, each with three foreign keys to the others.
SET client_min_messages = warning;
SELECT format('CREATE TABLE t%s (id integer PRIMARY KEY, a integer, b integer, c integer, note text)', g),
       format('INSERT INTO t%1$s SELECT r, (r::bigint * 7919 + %1$s) %% n + 1, (r::bigint * 104729 + %1$s) %% n + 1, (r::bigint * 1299709 %% n + 1)::integer, ''row '' || r FROM (SELECT %2$s AS n) n, generate_series(1, %2$s) r', g, (:scale * 200000)::integer)
  FROM generate_series(0, 11) g
\gexec
SELECT format('ALTER TABLE t%s ADD FOREIGN KEY (a) REFERENCES t%s, ADD FOREIGN KEY (b) REFERENCES t%s, ADD FOREIGN KEY (c) REFERENCES t%s', g, (g + 1) % 12, (g + 4) % 12, (g + 7) % 12)
  FROM generate_series(0, 11) g
\gexec
VACUUM ANALYZE;
