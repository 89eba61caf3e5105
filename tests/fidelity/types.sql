-- Every built-in type with the values at its edges. Run as fidelity_owner.
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
SET TimeZone = 'UTC';
CREATE SCHEMA typ;
SET search_path = typ;

-- Whole numbers: the least, the largest, zero.
CREATE TABLE numbers (a smallint, b int, c bigint, d oid, e xid, f xid8, g cid, h bool);
INSERT INTO numbers VALUES (-32768, -2147483648, -9223372036854775808, 0, '0', '0', '0', false),
  (32767, 2147483647, 9223372036854775807, 4294967295, '4294967295', '18446744073709551615', '4294967295', true),
  (0, 0, 0, 2147483648, '3', '4294967296', '1', NULL), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- Floating point: values that need all 17 (or 9) digits, denormal ones, minus zero, infinities, not a number.
CREATE TABLE floats (i int, r real, d double precision);
INSERT INTO floats VALUES (1, 0.1, 0.1), (2, 0.3::real, 0.1::float8 + 0.2::float8), (3, 1.17549435e-38, 2.2250738585072014e-308),
  (4, 1.4e-45, 5e-324), (5, 3.4028235e38, 1.7976931348623157e308), (6, '-0', '-0'), (7, 'NaN', 'NaN'), (8, 'Infinity', 'Infinity'),
  (9, '-Infinity', '-Infinity'), (10, 16777217, 9007199254740993), (11, 1e15, 1e15), (12, 1e16, 123456789012345678),
  (13, 0.30000001192092896, 0.30000000000000004), (14, 3.1415927, 3.141592653589793), (15, 1e-5, 1e-5), (16, 1.0000001, 1.0000000000000002);

-- Numeric: scales that are kept though they are zeros, very long values, infinities, negative scales.
CREATE TABLE numerics (i int, a numeric, b numeric(10,4), c numeric(1000,500), d numeric(3,-2), e numeric(2,5));
INSERT INTO numerics VALUES (1, 1.50, 1.5, 1.5, 12345, 0.00012), (2, 0.000, 0, 0, 0, 0), (3, 'NaN', 'NaN', 'NaN', 'NaN', 'NaN'),
  (4, 'Infinity', NULL, NULL, NULL, NULL), (5, '-Infinity', NULL, NULL, NULL, NULL), (6, 1e1000, -999999.9999, 1e-500, -99900, -0.00099),
  (7, (repeat('9', 5000) || '.' || repeat('1', 3000))::numeric, NULL, NULL, NULL, NULL), (8, -1e-1000, NULL, repeat('9', 500)::numeric, NULL, NULL);

-- Money is written by the rules of lc_monetary.
CREATE TABLE moneys (m money);
INSERT INTO moneys VALUES ('0'), ('-0.01'), (1234567.89), ('-92233720368547758.08'), ('92233720368547758.07'), (NULL);

-- Text: what has a meaning in COPY, in an array, in a composite, in a literal; empty strings are not NULL.
CREATE TABLE texts (i int, t text, v varchar(80), c char(12), n name, q "char", u varchar, b bpchar);
INSERT INTO texts VALUES (1, '', '', '', '', '', '', ''), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '\N', '\N', '\N', '\N', '\', '\N', '\N'), (4, '\.', '\.', '\.', '\.', '.', '\.', '\.'), (5, '\\.', '\\N', '\\\', '\\', '''', '\', '\n'),
  (6, E'\\.\n\\.\n', E'a\n\\.\nb', E'\n\\.\n', E'\n\\.\n', E'\n', E'\r\n\\.\r\n', E'\n'), (7, E'tab\there', E'\t', E'\t\t', E'\t', E'\t', E'\t', E'\t'),
  (8, E'line\nfeed', E'carriage\rreturn', E'both\r\n', E'\r', E'\r', E'\x0b\f\b', E'\r\n'), (9, E'\x01\x02\x1f\x7f', E'\x1b[0m', E'\x01', E'\x01', E'\x01', E'\x7f', E'\x1a'),
  (10, 'NULL', 'null', 'NULL', 'NULL', 'N', '"NULL"', '''NULL'''), (11, ' lead', 'trail ', '   ', '  x  ', ' ', '   ', 'x   '),
  (12, '{}', '{"a"}', '(,)', '[1,2)', '{', '(")', '{{}'), (13, 'quote '' and "', '''''', '"', '"''"', '"', '\''', '\"'),
  (14, 'größe', '名前', 'ñ', 'ß', 'x', E'\U0001F4BE', E'\u0301'), (15, E'\uFEFFbom', E'\u200B', E'\uFFFD', E'\u00A0', 'x', E'\u2028', E'\u0085'),
  (16, '\b\f\n\r\t\v\0\1\x41', '\101', '\x', '\\x00', 'x', '\134', '\u0041'), (17, '$$', '$1', '%s', '%', '%', ';--', '/*'), (18, 'é' || repeat(' ', 100), repeat('x', 80), repeat('y', 12), repeat('n', 63), 'z', repeat('u', 3000), repeat('b', 3000)),
  (19, E'\\', E'\\\\', E'\\N\\N', E'\\t', E'\\', E'\\\n', E'\n\\'), (20, 'a|b,c;d', 'a,b', 'a;b', 'a b', ',', 'a,"b"', 'a''b');
-- The type "char" is one byte, of any value, and no character of any encoding.
CREATE TABLE chars (c "char");
INSERT INTO chars SELECT n::"char" FROM generate_series(-128, 127) n;
-- Every character from 1 to 2,000, and some of the other planes, as data.
CREATE TABLE characters (n int, c text);
INSERT INTO characters SELECT n, chr(n) FROM generate_series(1, 2000) n;
INSERT INTO characters SELECT n, chr(n) FROM unnest(ARRAY[55295, 57344, 65533, 65534, 65535, 65536, 128190, 1114111]) n;
INSERT INTO characters SELECT 3000, string_agg(c, '' ORDER BY n) FROM characters;

-- Bytes: all 256 of them, quotes and backslashes, an empty value.
CREATE TABLE bytes (i int, b bytea);
INSERT INTO bytes VALUES (1, ''), (2, NULL), (3, '\x00'), (4, '\x5c'), (5, '\x5c5c783030'), (6, '\x27275c6e0a0d09'), (7, '\xff'), (8, E'\\\\N'::bytea), (9, E'\\\\.\\012'::bytea);
INSERT INTO bytes SELECT 10, string_agg(decode(lpad(to_hex(n), 2, '0'), 'hex'), '' ORDER BY n) FROM generate_series(0, 255) n;

-- Dates and times: infinities, years before Christ, the first and last ones, all parts of a second, offsets with seconds.
CREATE TABLE dates (i int, d date, t timestamp, z timestamptz, h time, k timetz, t0 timestamp(0), z3 timestamptz(3), h2 time(2));
INSERT INTO dates VALUES (1, 'infinity', 'infinity', 'infinity', '00:00', '00:00+00', 'infinity', 'infinity', '00:00'),
  (2, '-infinity', '-infinity', '-infinity', '24:00:00', '24:00:00-15:59:59', '-infinity', '-infinity', '24:00'),
  (3, '4713-01-01 BC', '4713-01-01 00:00:00 BC', '4713-01-01 00:00:00+00 BC', '23:59:59.999999', '23:59:59.999999+15:59', '0001-01-01 BC', '0044-03-15 12:00+00 BC', '12:34:56.78'),
  (4, '5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '12:00', '12:00:00+05:30', '2024-03-04 05:06:07', '2024-03-04 05:06:07.891', '01:02:03.45'),
  (5, '2024-03-04', '2024-03-04 05:06:07.000001', '2024-03-04 05:06:07.000001+14', '05:06:07.000001', '05:06:07.000001-12', '2024-04-03 05:06:07', '2024-04-03 05:06:07.1', '05:06:07.8'),
  (6, '2024-02-29', '2000-01-01', '1970-01-01 00:00+00', '00:00:00.000001', '00:00:00+00:00:01', '1969-12-31 23:59:59', '1899-12-31 23:59:59.999+00', NULL),
  (7, '0001-01-01', '0001-12-31 23:59:59 BC', '0001-01-01 00:00:00+00', NULL, NULL, NULL, '2024-10-27 01:30:00+00', NULL), (8, '10000-01-01', '10000-01-01', '1883-11-18 12:03:57+00', NULL, NULL, NULL, '2024-03-31 01:00:00+00', NULL);
-- Intervals: three parts, each with its own sign, which not every style can write; restricted fields.
CREATE TABLE intervals (i int, v interval, y interval year to month, d interval day to second(2), h interval hour);
INSERT INTO intervals VALUES (1, '0', '0', '0', '0'), (2, '1 year 2 mons -3 days 04:05:06.789', '1-2', '3 04:05:06.78', '7'), (3, '-1 year +2 days -04:05:06', '-1-2', '-3 -04:05:06', '-7'),
  (4, '-1 mon +1 day', '-11 mon', '1 day -1 sec', '100 hours'), (5, '178000000 years', '178000000 years', '2147483647 days', '2000000000 hours'), (6, '-178000000 years', NULL, '-2147483648 days', NULL),
  (7, '00:00:00.000001', NULL, NULL, NULL), (8, '-00:00:00.000001', NULL, NULL, NULL), (9, '1 day -24:00', NULL, NULL, NULL), (10, '30 days', '1 mon', '720:00', '720'), (11, '-1 days +02:03:04', NULL, NULL, NULL);

-- Addresses: host bits, both families, prefix lengths, the long form of a MAC address.
CREATE TABLE addresses (i int, a inet, c cidr, m macaddr, m8 macaddr8);
INSERT INTO addresses VALUES (1, '0.0.0.0', '0.0.0.0/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00'), (2, '255.255.255.255/32', '10.0.0.0/8', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff'),
  (3, '192.168.1.5/24', '192.168.1.0/24', '08:00:2b:01:02:03', '08:00:2b:ff:fe:01:02:03'), (4, '::', '::/0', NULL, '08:00:2b:01:02:03:04:05'), (5, '2001:db8::1/64', '2001:db8::/32', NULL, NULL),
  (6, '::ffff:1.2.3.4', '::ffff:1.2.3.0/120', NULL, NULL), (7, '::1/0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', NULL, NULL);
-- Bit strings: lengths that are no multiple of eight, empty ones, fixed lengths.
CREATE TABLE bits (i int, b bit(1), c bit(13), d bit varying, e varbit(5));
INSERT INTO bits VALUES (1, B'0', B'1010101010101', B'', B''), (2, B'1', X'1ff8'::bit(13), X'DEADBEEF', B'10110'), (3, NULL, B'0000000000000', repeat('1', 1001)::varbit, B'0');
CREATE TABLE uuids (u uuid);
INSERT INTO uuids VALUES ('00000000-0000-0000-0000-000000000000'), ('ffffffff-ffff-ffff-ffff-ffffffffffff'), ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'), (NULL);

-- JSON keeps its text, with spaces, repeated keys and order; jsonb does not, but keeps digits and escapes.
CREATE TABLE jsons (i int, j json, b jsonb, p jsonpath);
INSERT INTO jsons VALUES (1, 'null', 'null', '$'), (2, '{"b": 1,  "a":2, "b" : 3}', '{"b": 1, "a": 2, "b": 3}', '$.a[*] ? (@ > 1)'), (3, '"\u00e9\n\\\"/\t"', '"\u00e9\n\\\"/\t"', 'lax $."a b"."c\"d"'),
  (4, '1.50', '1.50', 'strict $.a.type()'), (5, '[]', '[]', '$[0 to last]'), (6, '{}', '{}', '$.* ? (@ like_regex "^a" flag "i")'), (7, E'[1,\n\t2 ]', '[1, [2, [3, {"": ""}]]]', '$ ? (exists (@.x))'),
  (8, '1e400', '123456789012345678901234567890.12345678901234567890', '$.a.datetime("YYYY")'), (9, '"\ud83d\udcbe"', '"\ud83d\udcbe"', '$ + 1'), (10, '"\u0000"', '"null"', '-$.a'), (11, ' true ', 'false', '$ == null');
INSERT INTO jsons SELECT 12, json_agg(n), jsonb_object_agg('key ' || n, repeat('v', 50)), NULL FROM generate_series(1, 3000) n;
-- XML: documents with a declaration, a DOCTYPE, fragments, comments; an xmloption decides what is accepted.
CREATE TABLE xmls (i int, x xml);
SET xmloption = content;
INSERT INTO xmls VALUES (1, '<a/>'), (2, '<a>1</a><b>2</b>'), (3, 'text only'), (4, ''), (5, '<?xml version="1.0"?><r a="&lt;&quot;">größe</r>'), (6, '<!-- comment --><?pi data?><r/>'), (7, '<r><![CDATA[<>&]]></r>'), (8, E'  <r>\n\ttab\\N </r> ');
SET xmloption = document;
INSERT INTO xmls VALUES (9, '<!DOCTYPE r [<!ELEMENT r (#PCDATA)>]><r>doc</r>'), (10, '<?xml version="1.0" standalone="yes"?><!DOCTYPE r><r/>');
SET xmloption = content;

-- Full text: weights, positions up to the last, quotes in words; operators with distances.
CREATE TABLE searches (i int, v tsvector, q tsquery);
INSERT INTO searches VALUES (1, '', ''), (2, 'a:1A,2B,3C,4 b:16383', 'a & !b | c'), (3, '''it''''s'' ''back\\slash'':5 '' space ''', '''it''''s'' & ''x y'''), (4, to_tsvector('english', 'The quick brown foxes jumped over the lazy dogs'), to_tsquery('english', 'fox:*AB & !(cats | dogs)')),
  (5, NULL, 'a <-> b <12> c'), (6, array_to_tsvector(ARRAY['größe', '名前', 'a,b', 'a:b', '\N']), '!!a & (b | !(c <2> d))');

-- Geometry: all shapes, with numbers that need 17 digits, infinities and not-a-number.
CREATE TABLE shapes (i int, p point, l line, s lseg, b box, h path, g polygon, c circle);
INSERT INTO shapes VALUES (1, '(0,0)', '{1,-1,0}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),1>'),
  (2, '(0.1,0.30000000000000004)', '{0.1,0.2,0.30000000000000004}', '[(-1e300,1e-300),(0,-0)]', '(0.1,0.2),(-0.1,-0.2)', '((0,0),(1,1),(2,0))', '((0.1,0.2))', '<(0.1,0.2),0>'),
  (3, '(Infinity,-Infinity)', '{0,-1,Infinity}', '[(NaN,NaN),(0,0)]', '(Infinity,Infinity),(-Infinity,-Infinity)', '[(1,1)]', '((NaN,0),(0,1))', '<(NaN,Infinity),Infinity>'), (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- Arrays: several dimensions, NULLs, the word NULL, lower bounds other than one, empty ones, arrays of every other thing.
CREATE TABLE arrays (i int, a int[], t text[], m int[][], d date[], j jsonb[], b bytea[], f float8[], v varchar(5)[], n numeric(5,2)[3], z timestamptz[], x box[], o bool[]);
INSERT INTO arrays (i, a, t, m) VALUES (1, '{}', '{}', '{}'), (2, NULL, NULL, NULL), (3, '{NULL,1,NULL}', '{NULL,"NULL",null,"null",""}', '{{1,NULL},{NULL,4}}'), (4, '[0:2]={1,2,3}', '[-5:-4]={a,b}', '[2:3][-1:0]={{1,2},{3,4}}'),
  (5, '[2147483646:2147483646]={7}', ARRAY['a,b', 'c"d', 'e\f', '{g}', ' h ', E'i\nj', E'k\tl', '\N', '''', 'größe'], '{{{1,2},{3,4}},{{5,6},{7,8}}}'), (6, ARRAY(SELECT generate_series(1, 5000)), ARRAY(SELECT 'e' || n FROM generate_series(1, 1000) n), '{{{{{{1}}}}}}');
INSERT INTO arrays (i, d, j, b, f, v, n, z, x, o) VALUES (7, '{2024-03-04,infinity,0044-03-15 BC}', ARRAY['{"a": "b,c"}', 'null', NULL]::jsonb[], '{"\\x00","\\x5c22",NULL,""}', '{NaN,Infinity,0.30000000000000004,-0}', '{abcde,"a b"}', '{1.50,2}', '{2024-03-04 05:06:07+00,-infinity}', '{(1,1),(0,0);(2,2),(1,1)}', '{t,f,NULL}');

-- Ranges and multiranges: empty, unbounded on either side, all bounds, values with quotes and commas.
CREATE TABLE ranges (i int, a int4range, b int8range, n numrange, t tsrange, z tstzrange, d daterange);
INSERT INTO ranges VALUES (1, 'empty', 'empty', 'empty', 'empty', 'empty', 'empty'), (2, '(,)', '(,)', '(,)', '(,)', '(,)', '(,)'), (3, '[1,5)', '[1,)', '(1.5,2.50]', '[2024-03-04 05:06:07,)', '(,2024-03-04 05:06:07+00]', '[2024-03-04,2024-04-03)'),
  (4, '(,-5]', '[-9223372036854775808,9223372036854775807)', '[NaN,NaN]', '[-infinity,infinity]', '[-infinity,infinity)', '(-infinity,infinity)'), (5, NULL, NULL, '[1.0,1.00]', NULL, NULL, '[infinity,]');
CREATE TABLE multiranges (i int, a int4multirange, b int8multirange, n nummultirange, t tsmultirange, z tstzmultirange, d datemultirange);
INSERT INTO multiranges VALUES (1, '{}', '{}', '{}', '{}', '{}', '{}'), (2, '{(,)}', '{(,0),(10,)}', '{[1.0,2.0),(2.0,3]}', '{[2024-01-01,2024-02-01),[2024-03-04,)}', '{(,2024-03-04 00:00+00)}', '{[2024-03-04,2024-03-05),[2024-04-03,infinity)}'), (3, NULL, '{[1,2)}', '{[NaN,]}', '{empty}', NULL, NULL);
CREATE TABLE range_arrays (a int4range[], b datemultirange[]);
INSERT INTO range_arrays VALUES ('{"[1,2)",empty,NULL,"(,)"}', '{"{}","{[2024-03-04,2024-03-05),[2025-01-01,)}",NULL}');

-- The rest: positions in the log, snapshots, row positions, cursors, and pseudo-alike catalog types.
CREATE TABLE systems (i int, l pg_lsn, x8 xid8, s pg_snapshot, ts txid_snapshot, t tid, rc refcursor, iv int2vector, ov oidvector, ai aclitem, aa aclitem[], jp jsonpath[]);
INSERT INTO systems VALUES (1, '0/0', '1', '10:20:10,14,15', '10:20:10,14,15', '(0,0)', 'cursor "name"', '', '', NULL, '{}', '{$}'), (2, 'FFFFFFFF/FFFFFFFF', '18446744073709551615', '1:1:', '1:1:', '(4294967295,65535)', '', '1 2 -3', '1 4294967295', 'fidelity_reader=r*w/fidelity_owner', '{=r/fidelity_owner,"\"Fidelity Quoted \"\"Role\"\"\"=U/fidelity_owner"}', '{"$.\"a\"",NULL}');
-- Every type with every value NULL, and a table of one row of NULLs only.
CREATE TABLE nulls (a int, b text, c bytea, d int[], e xml, f json, g int4range, h tsvector, k bool);
INSERT INTO nulls SELECT FROM generate_series(1, 3);
-- One column, NULL or empty: lines of COPY text that look like the end, or like nothing.
CREATE TABLE one_column (t text);
INSERT INTO one_column VALUES (''), (NULL), ('\.'), (E'\\.\n'), (E'\n'), ('\N'), ('.'), (' '), (E'\t'), ('\'), (E'\r'), ('"'), ('COPY'), (';'), ('-- '), ('\q');
