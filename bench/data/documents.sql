-- 50,000 documents of 6 to 12 kB at scale 1: 450 MB of text.
SELECT setseed(0.42);
CREATE TABLE documents (id bigint PRIMARY KEY, title text, body text);
INSERT INTO documents
SELECT g, 'document ' || g,
       (SELECT string_agg(md5((g * 1000 + p)::text) || ' lorem ipsum dolor sit amet consectetur ' || p, ' ')
          FROM generate_series(1, 84 + g % 84) p)
  FROM generate_series(1, (:scale * 50000)::integer) g;
VACUUM ANALYZE;
