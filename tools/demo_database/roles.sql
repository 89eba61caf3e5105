-- Roles belong to a server, not to a database: they are made on both before the clone.
CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE logistics_owner NOLOGIN;
CREATE ROLE shop_app LOGIN;
CREATE ROLE shop_report LOGIN;
GRANT shop_owner TO shop_app;
