-- 2.1 GB at scale 1: six tables of mixed types, ten indexes.
SELECT setseed(0.42);
CREATE TABLE measurements (id bigint, sensor integer, at timestamptz, value double precision, low real, high real);
INSERT INTO measurements
SELECT g, g % 5000, timestamptz '2024-01-01' + g * interval '1 second', random() * 1000, random(), random() * 10
  FROM generate_series(1, (:scale * 7000000)::bigint) g;
CREATE TABLE orders (id bigint, customer bigint, placed date, amount numeric(12, 2), state text, note varchar(80));
INSERT INTO orders
SELECT g, (random() * 500000)::bigint, date '2020-01-01' + (g % 1500)::integer, (random() * 10000)::numeric(12, 2),
       (ARRAY['new', 'paid', 'sent', 'closed'])[1 + g % 4], 'order number ' || g || ' of customer ' || (g * 7) % 500000
  FROM generate_series(1, (:scale * 4000000)::bigint) g;
CREATE TABLE customers (id bigint, key uuid, name text, email text, address jsonb, born date, active boolean);
INSERT INTO customers
SELECT g, md5(g::text)::uuid, 'Customer ' || g, 'customer' || g || '@example.com',
       jsonb_build_object('street', 'Street ' || g % 1000, 'zip', (g % 90000 + 10000)::text, 'tags',
                          jsonb_build_array(g % 7, g % 11, 'x' || g % 13)),
       date '1950-01-01' + (g % 20000)::integer, g % 3 <> 0
  FROM generate_series(1, (:scale * 1500000)::bigint) g;
CREATE TABLE events (id bigint, kind smallint, at timestamp, source inet, tags text[], weights integer[]);
INSERT INTO events
SELECT g, g % 40, timestamp '2023-06-01' + g * interval '3 seconds', ('10.' || g % 250 || '.' || g % 199 || '.7')::inet,
       ARRAY['tag' || g % 50, 'tag' || g % 31], ARRAY[g % 10, g % 100, g % 1000]::integer[]
  FROM generate_series(1, (:scale * 3000000)::bigint) g;
CREATE TABLE blobs (id bigint, digest bytea, content bytea);
INSERT INTO blobs
SELECT g, sha256(g::text::bytea), decode(repeat(md5(g::text), 24), 'hex')
  FROM generate_series(1, (:scale * 600000)::bigint) g;
CREATE TABLE readings (device integer, day date, counts bigint, spent interval, factor numeric);
INSERT INTO readings
SELECT g % 20000, date '2022-01-01' + (g / 20000)::integer, g * 3, g % 5000 * interval '1 second', random()::numeric
  FROM generate_series(1, (:scale * 4000000)::bigint) g;
ALTER TABLE measurements ADD PRIMARY KEY (id);
CREATE INDEX ON measurements (sensor, at);
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE INDEX ON orders (customer);
CREATE INDEX ON orders (placed);
ALTER TABLE customers ADD PRIMARY KEY (id);
CREATE INDEX ON customers (email);
ALTER TABLE events ADD PRIMARY KEY (id);
ALTER TABLE blobs ADD PRIMARY KEY (id);
CREATE INDEX ON readings (device, day);
VACUUM ANALYZE;
