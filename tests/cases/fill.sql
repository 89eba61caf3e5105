-- Fills the tables of a database that somebody else has designed: up to 300 rows each, whose values are made of their
-- number by the columns' types, so that keys find one another. A table that refuses them (a key to a table that has no
-- rows yet) is tried again, as long as a pass fills one more; what refuses to the end stays empty.
DO $fill$
DECLARE
  t record;
  columns text;
  amounts text;
  filled int;
BEGIN
  CREATE TEMP TABLE filled_tables (oid oid);
  FOR pass IN 1 .. 20 LOOP
    filled := 0;
    FOR t IN SELECT c.oid, c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^(pg_|information_schema)'
                AND c.oid NOT IN (SELECT f.oid FROM filled_tables f) ORDER BY c.oid
    LOOP
      SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
             string_agg(
               CASE
                 WHEN y.typname = 'bool' THEN 'g % 2 = 0'
                 WHEN y.typname IN ('int2', 'int4', 'int8', 'oid') THEN 'g'
                 WHEN y.typcategory = 'N' THEN 'g * 0.25'
                 WHEN y.typname IN ('timestamp', 'timestamptz') THEN 'timestamp ''2024-02-28'' + g * interval ''7 hours'''
                 WHEN y.typname = 'date' THEN 'date ''2024-02-28'' + g'
                 WHEN y.typname IN ('time', 'timetz') THEN 'time ''00:01'' + g * interval ''1 minute'''
                 WHEN y.typname = 'interval' THEN 'g * interval ''1 hour'''
                 WHEN y.typname = 'bytea' THEN 'decode(md5(g::text), ''hex'')'
                 WHEN y.typname = 'inet' THEN '(''10.0.0.'' || g % 250)::inet'
                 WHEN y.typname IN ('json', 'jsonb') THEN 'format(''{"n": %s}'', g)::' || y.typname
                 WHEN y.typname = 'uuid' THEN 'md5(g::text)::uuid'
                 WHEN y.typname = 'tsvector' THEN 'to_tsvector(''simple'', ''word '' || g)'
                 WHEN y.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN
                   format('left(%s, %s)', CASE WHEN a.atttypmod > 14 THEN '''value '' || g' ELSE 'to_hex(g)' END, a.atttypmod - 4)
                 WHEN y.typcategory = 'S' THEN '''value '' || g || E''\ttab, \\ backslash'''
                 WHEN y.typcategory = 'E' THEN format('(enum_range(NULL::%s))[1]', a.atttypid::regtype)
                 ELSE 'NULL'
               END, ', ' ORDER BY a.attnum)
        INTO columns, amounts
        FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
       WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
      BEGIN
        EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM generate_series(1, 300) g'
                       ' ON CONFLICT DO NOTHING', t.name, columns, amounts);
        INSERT INTO filled_tables VALUES (t.oid);
        filled := filled + 1;
      EXCEPTION WHEN others THEN
        NULL;
      END;
    END LOOP;
    EXIT WHEN filled = 0;
  END LOOP;
END $fill$;
