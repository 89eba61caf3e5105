-- What only a superuser may make before the owner's files run: extensions, some in a schema of their own, some in
-- public, and one in a schema whose name needs quoting. An extension in the wrong schema breaks every name in it.
SET client_min_messages = warning;
CREATE SCHEMA extensions;
GRANT USAGE ON SCHEMA extensions TO PUBLIC;
CREATE SCHEMA "Extension ""Schema""";
GRANT USAGE ON SCHEMA "Extension ""Schema""" TO PUBLIC;

CREATE EXTENSION hstore SCHEMA extensions;
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION ltree SCHEMA extensions;
CREATE EXTENSION pg_trgm SCHEMA extensions;
CREATE EXTENSION btree_gist SCHEMA extensions;
CREATE EXTENSION btree_gin SCHEMA extensions;
CREATE EXTENSION intarray SCHEMA extensions;
CREATE EXTENSION cube SCHEMA extensions;
-- earthdistance needs cube: extensions have an order among themselves.
CREATE EXTENSION earthdistance SCHEMA extensions;
CREATE EXTENSION isn SCHEMA extensions;
CREATE EXTENSION seg SCHEMA extensions;
CREATE EXTENSION lo SCHEMA extensions;
CREATE EXTENSION bloom SCHEMA extensions;
CREATE EXTENSION pgcrypto SCHEMA "Extension ""Schema""";
-- The name of this extension itself needs quoting.
CREATE EXTENSION "uuid-ossp" SCHEMA "Extension ""Schema""";
CREATE EXTENSION unaccent SCHEMA extensions;
CREATE EXTENSION dict_int SCHEMA extensions;
CREATE EXTENSION tsm_system_rows SCHEMA extensions;
CREATE EXTENSION fuzzystrmatch SCHEMA extensions;
CREATE EXTENSION postgres_fdw SCHEMA extensions;
CREATE EXTENSION file_fdw SCHEMA extensions;

-- The owner may then make servers and foreign tables of this wrapper. The grant itself is on an extension's member:
-- it is lost where only objects outside extensions are looked at.
GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO fidelity_owner;
-- A comment on an extension other than its own is a comment that the database's user made.
COMMENT ON EXTENSION hstore IS 'a comment of our own, with a quote '' and a % sign';
