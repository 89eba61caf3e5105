SELECT line FROM (
  SELECT pg_catalog.format('relation %s.%s %s%s owner %s rls %s%s options %s replica %s bound %s populated %s', n.nspname, c.relname,
           c.relkind, c.relpersistence, pg_catalog.pg_get_userbyid(c.relowner), c.relrowsecurity, c.relforcerowsecurity,
           c.reloptions, CASE WHEN c.relkind IN ('r', 'p') THEN c.relreplident END,
           pg_catalog.pg_get_expr(c.relpartbound, c.oid), c.relispopulated) AS line
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname !~ '^pg_|^information_schema$' AND c.relkind <> 't'
  UNION ALL
  SELECT pg_catalog.format('column %s.%s.%s %s null %s default %s identity %s storage %s target %s collation %s', n.nspname, c.relname,
           a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_catalog.pg_get_expr(d.adbin, d.adrelid),
           a.attidentity, a.attstorage, coalesce(nullif(a.attstattarget, -1), 0), (SELECT l.collname FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation))
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE n.nspname !~ '^pg_|^information_schema$' AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'c')
  UNION ALL
  SELECT pg_catalog.format('grant %s.%s %s to %s', n.nspname, c.relname, p.privilege_type, pg_catalog.pg_get_userbyid(p.grantee))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, pg_catalog.aclexplode(c.relacl) p
   WHERE p.grantee <> c.relowner AND n.nspname !~ '^pg_|^information_schema$'
  UNION ALL
  SELECT pg_catalog.format('schema %s owner %s acl %s', n.nspname, pg_catalog.pg_get_userbyid(n.nspowner), n.nspacl)
    FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_|^information_schema$|^public$'
  UNION ALL
  SELECT pg_catalog.format('constraint %s on %s: %s valid %s', k.conname, k.conrelid::pg_catalog.regclass, pg_catalog.pg_get_constraintdef(k.oid),
           k.convalidated)
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
   WHERE n.nspname !~ '^pg_|^information_schema$' AND k.contype NOT IN ('n', 't')
     -- What a server makes of another constraint, it names as it likes.
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = k.oid
                        AND d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass)
  UNION ALL
  SELECT pg_catalog.format('index %s valid %s clustered %s', pg_catalog.pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_'
  UNION ALL
  SELECT pg_catalog.format('trigger %s enabled %s', pg_catalog.replace(pg_catalog.pg_get_triggerdef(t.oid), ' FUNCTION ', ' PROCEDURE '),
           t.tgenabled)
    FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal
  UNION ALL
  SELECT pg_catalog.format('policy %s on %s %s %s', p.polname, p.polrelid::pg_catalog.regclass, p.polcmd, pg_catalog.pg_get_expr(p.polqual, p.polrelid))
    FROM pg_catalog.pg_policy p
  UNION ALL
  SELECT pg_catalog.format('rule %s', pg_catalog.pg_get_ruledef(r.oid))
    FROM pg_catalog.pg_rewrite r WHERE r.rulename <> '_RETURN' AND r.oid >= 16384
  UNION ALL
  SELECT pg_catalog.format('function %s.%s(%s) %s %s %s: %s', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid),
           pg_catalog.format_type(p.prorettype, NULL), p.provolatile, p.proconfig, p.prosrc)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname !~ '^pg_|^information_schema$'
  UNION ALL
  SELECT pg_catalog.format('type %s: %s', t.oid::pg_catalog.regtype,
           (SELECT pg_catalog.string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid))
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
   WHERE n.nspname !~ '^pg_|^information_schema$' AND t.typtype IN ('e', 'd')
  UNION ALL
  SELECT pg_catalog.format('sequence %s %s %s %s %s %s %s', s.seqrelid::pg_catalog.regclass, pg_catalog.format_type(s.seqtypid, NULL), s.seqstart,
           s.seqincrement, s.seqmin, s.seqmax, s.seqcycle)
    FROM pg_catalog.pg_sequence s
  UNION ALL
  SELECT pg_catalog.format('comment on %s %s: %s', pg_catalog.pg_describe_object(d.classoid, d.objoid, 0), d.objsubid, d.description)
    FROM pg_catalog.pg_description d WHERE d.objoid >= 16384 AND d.classoid <> 'pg_catalog.pg_largeobject'::pg_catalog.regclass
  UNION ALL
  SELECT pg_catalog.format('statistics %s', pg_catalog.pg_get_statisticsobjdef(s.oid)) FROM pg_catalog.pg_statistic_ext s
  UNION ALL
  SELECT pg_catalog.format('publication %s %s %s', p.pubname, p.puballtables, r.prrelid::pg_catalog.regclass)
    FROM pg_catalog.pg_publication p LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
  UNION ALL
  SELECT pg_catalog.format('operator %s', o.oid::pg_catalog.regoperator) FROM pg_catalog.pg_operator o WHERE o.oid >= 16384
  UNION ALL
  SELECT pg_catalog.format('default privileges %s %s %s', d.defaclnamespace::pg_catalog.regnamespace, d.defaclobjtype, d.defaclacl)
    FROM pg_catalog.pg_default_acl d
  UNION ALL
  SELECT pg_catalog.format('inherits %s from %s', i.inhrelid::pg_catalog.regclass, i.inhparent::pg_catalog.regclass)
    FROM pg_catalog.pg_inherits i
) x ORDER BY 1
