-- A mail-order shop with its logistics: about 200 MB with indexes at scale 1.
-- psql variables: scale (a number, 1 for the demo; tests take less).
\set ON_ERROR_STOP on
\if :{?scale}
\else
\set scale 1
\endif
SELECT setseed(0.42);

COMMENT ON DATABASE :DBNAME IS 'The shop: customers, orders, parcels';
ALTER DATABASE :DBNAME OWNER TO shop_owner;
ALTER DATABASE :DBNAME SET search_path TO shop, logistics, public;
ALTER DATABASE :DBNAME SET work_mem TO '32MB';
ALTER ROLE shop_report IN DATABASE :DBNAME SET statement_timeout TO '5min';
GRANT CONNECT ON DATABASE :DBNAME TO shop_report;

CREATE EXTENSION btree_gist;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION hstore;

CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE SCHEMA logistics AUTHORIZATION logistics_owner;
CREATE SCHEMA audit AUTHORIZATION shop_owner;
CREATE SCHEMA "Reports & more" AUTHORIZATION shop_owner;
COMMENT ON SCHEMA shop IS 'What is sold, to whom';
GRANT USAGE ON SCHEMA shop, logistics, audit TO shop_app, shop_report;
GRANT USAGE ON SCHEMA logistics TO shop_owner;
GRANT USAGE ON SCHEMA shop TO logistics_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop GRANT SELECT ON TABLES TO shop_report;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SET search_path TO shop, public;

-- Types
CREATE TYPE order_state AS ENUM ('new', 'paid', 'packed', 'shipped', 'delivered', 'returned');
CREATE DOMAIN email AS text COLLATE "C" CHECK (VALUE ~ '^[^@\s]+@[^@\s]+$');
CREATE DOMAIN positive_amount AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE TYPE address AS (street text, house text, postcode text, city text, country char(2));
CREATE TYPE price_range AS RANGE (subtype = numeric);

-- Functions
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed_at := now();
  RETURN NEW;
END $$;
CREATE FUNCTION full_name(first text, last text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN first || ' ' || last;
CREATE FUNCTION net(gross numeric, rate numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS
  'SELECT round(gross / (1 + rate / 100), 2)';
CREATE AGGREGATE product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');
CREATE PROCEDURE close_day(day date) LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'closing %', day; END $$;
COMMENT ON FUNCTION net(numeric, numeric) IS 'Price without tax';

-- Customers
CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1000) PRIMARY KEY,
  first_name text NOT NULL,
  last_name text NOT NULL,
  name text GENERATED ALWAYS AS (full_name(first_name, last_name)) STORED,
  mail email NOT NULL,
  home address,
  born date,
  preferences jsonb NOT NULL DEFAULT '{}',
  attributes hstore,
  tags text[] NOT NULL DEFAULT '{}',
  secret bytea,
  changed_at timestamptz NOT NULL DEFAULT '2024-01-01 00:00+00',
  CONSTRAINT customers_mail_key UNIQUE (mail) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT customers_born_check CHECK (born > '1900-01-01')
);
COMMENT ON TABLE customers IS 'People who have bought something';
COMMENT ON COLUMN customers.home IS 'Where parcels go unless an order says otherwise';
INSERT INTO customers (first_name, last_name, mail, home, born, preferences, attributes, tags, secret)
SELECT (ARRAY['Ada', 'Linus', 'Grace', 'Edsger', 'Barbara', 'Ken', 'Zoë', 'José', '美咲', 'Łukasz'])[1 + i % 10],
       (ARRAY['Lovelace', 'O''Brien', 'Hopper', 'Müller', 'Ng', 'Åström', E'Tab\tber', E'Back\\slash'])[1 + i % 8],
       'customer' || i || '@example.org',
       ROW('Street ' || i % 977, (i % 99)::text, lpad((i % 99999)::text, 5, '0'), 'City ' || i % 311, 'DE')::address,
       date '1950-01-01' + (i * 7919) % 20000,
       jsonb_build_object('newsletter', i % 3 = 0, 'language', (ARRAY['de', 'en', 'fr'])[1 + i % 3],
                          'sizes', jsonb_build_array(i % 50, i % 7), 'note', CASE WHEN i % 100 = 0 THEN repeat('x', 3000) END),
       hstore('source', 'import-' || i % 13),
       CASE WHEN i % 5 = 0 THEN ARRAY['vip', 'quote"d', 'com,ma', NULL] ELSE '{}' END,
       decode(md5(i::text), 'hex')
  FROM generate_series(1, (40000 * :scale)::int) i;
CREATE INDEX customers_name_trgm ON customers USING gin (name gin_trgm_ops);
CREATE INDEX customers_lower_last ON customers (lower(last_name), born DESC NULLS LAST) WHERE born IS NOT NULL;
CREATE INDEX customers_preferences ON customers USING gin (preferences jsonb_path_ops);
ALTER INDEX customers_lower_last ALTER COLUMN 1 SET STATISTICS 500;
CREATE STATISTICS customers_born_city (dependencies, ndistinct) ON born, last_name FROM customers;
ALTER TABLE customers CLUSTER ON customers_pkey;

-- Articles, in a tree of categories
CREATE TABLE categories (
  id int PRIMARY KEY,
  parent int REFERENCES categories DEFERRABLE,
  name text NOT NULL,
  UNIQUE NULLS NOT DISTINCT (parent, name)
);
INSERT INTO categories SELECT i, nullif(i / 8, 0), 'Category ' || i FROM generate_series(1, 400) i;

CREATE TABLE articles (
  id serial PRIMARY KEY,
  category int NOT NULL REFERENCES categories ON DELETE CASCADE,
  title varchar(200) NOT NULL,
  description text,
  price positive_amount NOT NULL,
  prices price_range,
  weight real,
  dimensions double precision[],
  photo oid,
  search tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(description, ''))) STORED
);
INSERT INTO articles (category, title, description, price, prices, weight, dimensions)
SELECT 1 + i % 400, 'Article ' || i, repeat(md5(i::text) || ' and more of the story. ', 8 + i % 40),
       (i * 37 % 100000) / 100.0, price_range((i % 10)::numeric, (i % 10 + 20)::numeric), random() * 10,
       ARRAY[random(), 'Infinity', 'NaN']
  FROM generate_series(1, (12000 * :scale)::int) i;
CREATE INDEX articles_search ON articles USING gin (search);
CREATE INDEX articles_category ON articles (category) INCLUDE (title, price);
CREATE UNIQUE INDEX articles_title_replica ON articles (id, title);
ALTER TABLE articles ALTER COLUMN title SET NOT NULL;
ALTER TABLE articles REPLICA IDENTITY USING INDEX articles_title_replica;

-- Photos are large objects
SELECT count(lo_from_bytea(700000 + i, decode(repeat(md5(i::text), 1 + i * 40), 'hex'))) FROM generate_series(1, 120) i;
SELECT lo_create(700200);
UPDATE articles SET photo = 700000 + id WHERE id <= 120;
ALTER LARGE OBJECT 700001 OWNER TO shop_owner;
GRANT SELECT ON LARGE OBJECT 700001, 700002 TO shop_report;
COMMENT ON LARGE OBJECT 700002 IS 'Front view';

-- Orders by month, their items by hash
CREATE TABLE orders (
  id bigint NOT NULL,
  customer bigint NOT NULL REFERENCES customers,
  placed timestamptz NOT NULL,
  state order_state NOT NULL DEFAULT 'new',
  ship_to address,
  total positive_amount NOT NULL,
  extra jsonb,
  PRIMARY KEY (id, placed)
) PARTITION BY RANGE (placed);
CREATE SEQUENCE order_numbers INCREMENT BY 10 CACHE 20 OWNED BY orders.id;
ALTER TABLE orders ALTER COLUMN id SET DEFAULT nextval('order_numbers');
CREATE TABLE orders_2024_1 PARTITION OF orders FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE orders_2024_2 PARTITION OF orders FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY RANGE (placed);
CREATE TABLE orders_2025_1 PARTITION OF orders_2025 FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
CREATE TABLE orders_2025_2 (extra jsonb, total positive_amount NOT NULL, ship_to address, gone int,
  state order_state NOT NULL DEFAULT 'new', placed timestamptz NOT NULL, customer bigint NOT NULL, id bigint NOT NULL);
ALTER TABLE orders_2025_2 DROP COLUMN gone;
ALTER TABLE orders_2025 ATTACH PARTITION orders_2025_2 FOR VALUES FROM ('2025-07-01') TO ('2026-01-01');
CREATE TABLE orders_other PARTITION OF orders DEFAULT;
INSERT INTO orders (customer, placed, state, ship_to, total, extra)
SELECT 1000 + (i * 31) % (40000 * :scale)::int, timestamptz '2024-01-01 00:00+00' + (i % 700) * interval '1 day' + i * interval '1 second',
       (enum_range(NULL::order_state))[1 + i % 6], CASE WHEN i % 4 = 0 THEN ROW('Other ' || i, '1', NULL, 'X', 'FR')::address END,
       (i * 17 % 50000) / 100.0, jsonb_build_object('channel', i % 4, 'voucher', md5(i::text))
  FROM generate_series(1, (220000 * :scale)::int) i;
CREATE INDEX orders_customer ON orders (customer, placed DESC);
CREATE INDEX orders_extra ON orders ((extra ->> 'channel'));

CREATE TABLE order_items (
  order_id bigint NOT NULL,
  placed timestamptz NOT NULL,
  line smallint NOT NULL,
  article int NOT NULL,
  quantity int NOT NULL CHECK (quantity > 0),
  price numeric(12, 2) NOT NULL,
  note text
) PARTITION BY HASH (order_id);
CREATE TABLE order_items_0 PARTITION OF order_items FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE order_items_1 PARTITION OF order_items FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE order_items_2 PARTITION OF order_items FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO order_items
SELECT o.id, o.placed, line, 1 + (o.id * line) % (12000 * :scale)::int, 1 + line, o.total / 2,
       CASE WHEN o.id % 3 = 0 THEN 'gift ' || md5(o.id::text) END
  FROM orders o, generate_series(1, 3) line;
ANALYZE orders, order_items, articles;
ALTER TABLE order_items ADD PRIMARY KEY (order_id, line);
ALTER TABLE order_items ADD FOREIGN KEY (article) REFERENCES articles;
ALTER TABLE order_items ADD CONSTRAINT order_items_order FOREIGN KEY (order_id, placed) REFERENCES orders (id, placed) ON UPDATE CASCADE;
CREATE INDEX order_items_article ON order_items (article);

-- Prices by season: the hash of an enum's values is another one on each server
CREATE TYPE season AS ENUM ('spring', 'summer', 'autumn', 'winter');
CREATE TABLE season_prices (season season NOT NULL, article int NOT NULL, price numeric, PRIMARY KEY (season, article))
  PARTITION BY HASH (season);
CREATE TABLE season_prices_0 PARTITION OF season_prices FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE season_prices_1 PARTITION OF season_prices FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO season_prices SELECT s, a, a / 10.0 FROM unnest(enum_range(NULL::season)) s, generate_series(1, 500) a;

-- Opening hours that must not overlap
CREATE TABLE logistics.slots (
  depot int NOT NULL,
  during tstzrange NOT NULL,
  EXCLUDE USING gist (depot WITH =, during WITH &&)
);
INSERT INTO logistics.slots SELECT i % 20, tstzrange(t, t + interval '1 hour')
  FROM generate_series(1, 2000) i, LATERAL (SELECT timestamptz '2025-01-01 00:00+00' + i * interval '2 hours' AS t) x;

CREATE TABLE logistics.parcels (
  id uuid PRIMARY KEY,
  order_id bigint NOT NULL,
  placed timestamptz NOT NULL,
  track point[],
  sent interval,
  sender inet,
  weight money,
  label xml,
  FOREIGN KEY (order_id, placed) REFERENCES shop.orders
) WITH (fillfactor = 90);
INSERT INTO logistics.parcels
SELECT md5(id::text)::uuid, id, placed, ARRAY[point(id % 90, 1), point(0, id % 7)], (id % 100) * interval '1 hour -3 minutes',
       '10.0.0.0'::inet + (id % 4000), (id % 1000)::numeric::money, xmlparse(CONTENT '<p>' || id || '</p>')
  FROM shop.orders WHERE state IN ('shipped', 'delivered') AND id % 20 < 10;
CREATE UNLOGGED TABLE logistics.queue (id int PRIMARY KEY, payload text);
INSERT INTO logistics.queue SELECT i, repeat('q', i % 100) FROM generate_series(1, 1000) i;
CREATE TABLE logistics.nothing ();
INSERT INTO logistics.nothing SELECT FROM generate_series(1, 3);

-- Inheritance
CREATE TABLE audit.events (at timestamptz NOT NULL, what text NOT NULL, detail json);
CREATE TABLE audit.logins (who text) INHERITS (audit.events);
INSERT INTO audit.events SELECT timestamptz '2025-01-01 00:00+00' + i * interval '1 minute', 'event', json_build_object('i', i) FROM generate_series(1, (60000 * :scale)::int) i;
INSERT INTO audit.logins SELECT timestamptz '2025-01-01 00:00+00' + i * interval '1 minute', 'login', NULL, 'user ' || i % 50 FROM generate_series(1, (30000 * :scale)::int) i;
CREATE INDEX events_at ON audit.events USING brin (at);

-- Awkward names
CREATE TABLE "Reports & more"."Ünïcode %s ""quoted"" select" ("Column ""1""" int PRIMARY KEY, "group" text, "percent%d" text);
INSERT INTO "Reports & more"."Ünïcode %s ""quoted"" select" SELECT i, E'line\nbreak', '%' FROM generate_series(1, 50) i;
COMMENT ON COLUMN "Reports & more"."Ünïcode %s ""quoted"" select"."group" IS 'It''s a "comment" with \ and
two lines';

-- Views, rules, materialized views
CREATE VIEW customer_orders AS
  SELECT c.id, c.name, count(o.id) AS orders, coalesce(sum(o.total), 0) AS spent
    FROM customers c LEFT JOIN orders o ON o.customer = c.id GROUP BY c.id;
CREATE VIEW vips WITH (security_barrier) AS SELECT id, name, mail FROM customers WHERE 'vip' = ANY (tags) WITH CHECK OPTION;
CREATE RULE no_delete AS ON DELETE TO vips DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW month_totals AS
  SELECT date_trunc('month', placed AT TIME ZONE 'UTC') AS month, state, count(*) AS orders, sum(total) AS total FROM orders GROUP BY 1, 2;
CREATE UNIQUE INDEX month_totals_key ON month_totals (month, state);
CREATE MATERIALIZED VIEW year_totals AS SELECT date_trunc('year', month) AS year, sum(total) AS total FROM month_totals GROUP BY 1;
CREATE MATERIALIZED VIEW not_filled AS SELECT * FROM articles WITH NO DATA;
COMMENT ON MATERIALIZED VIEW month_totals IS 'Refreshed each night';

-- Triggers, row-level security
CREATE TRIGGER customers_touch BEFORE UPDATE ON customers FOR EACH ROW WHEN (OLD.mail IS DISTINCT FROM NEW.mail) EXECUTE FUNCTION touch();
CREATE TRIGGER slots_guard BEFORE INSERT ON logistics.slots FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE logistics.slots DISABLE TRIGGER slots_guard;
COMMENT ON TRIGGER customers_touch ON customers IS 'Keeps changed_at';
ALTER TABLE articles ENABLE ROW LEVEL SECURITY;
CREATE POLICY articles_all ON articles FOR SELECT TO shop_report USING (price < 500);
CREATE FUNCTION audit.note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER note_ddl ON ddl_command_end EXECUTE FUNCTION audit.note_ddl();
COMMENT ON EVENT TRIGGER note_ddl IS 'Who changed what';
CREATE PUBLICATION changes FOR TABLE customers, categories WITH (publish = 'insert, update');

-- Free-standing sequences: used, never used, descending, cycled
CREATE SEQUENCE invoice_numbers START 2025000001;
SELECT nextval('invoice_numbers') FROM generate_series(1, 17);
CREATE SEQUENCE countdown INCREMENT BY -5 MINVALUE -100000 MAXVALUE 0 START 0 CYCLE;
SELECT setval('countdown', -55, false);
CREATE SEQUENCE never_used AS smallint;

-- Owners and privileges
DO $$
DECLARE r record;
BEGIN
  FOR r IN SELECT c.oid::regclass AS name, c.relkind, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('shop', 'logistics', 'audit', 'Reports & more') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S') LOOP
    EXECUTE format('ALTER %s %s OWNER TO %I',
                   CASE r.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                   r.name, CASE r.nspname WHEN 'logistics' THEN 'logistics_owner' ELSE 'shop_owner' END);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA shop TO shop_app;
GRANT SELECT (id, name) ON customers TO shop_report WITH GRANT OPTION;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA shop TO shop_app;
GRANT EXECUTE ON FUNCTION net(numeric, numeric) TO shop_report;
GRANT REFERENCES, SELECT ON orders TO logistics_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ANALYZE;
