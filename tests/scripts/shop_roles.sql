CREATE ROLE shop_owner LOGIN PASSWORD 'ownpw' CREATEDB;
CREATE ROLE shop_reader;
CREATE ROLE shop_writer;
CREATE ROLE alice LOGIN PASSWORD 'alicepw' IN ROLE shop_reader;
ALTER ROLE alice SET work_mem = '16MB';
