-- 10,000 large objects of 10 kB at scale 1.
SELECT count(lo_from_bytea(0, convert_to(repeat(md5(g::text), 320), 'UTF8')))
  FROM generate_series(1, (:scale * 10000)::integer) g;
