-- The roles of the fidelity database: run once on each server, by a superuser.
-- A role's name can need quoting wherever a role is named: owners, grantees, policies, default privileges, settings.
CREATE ROLE fidelity_owner LOGIN INHERIT NOSUPERUSER;
CREATE ROLE fidelity_app LOGIN;
CREATE ROLE fidelity_reader;
CREATE ROLE fidelity_writer;
CREATE ROLE fidelity_other;
CREATE ROLE "Fidelity Quoted ""Role""";
-- The owner may hand objects over to fidelity_other, and to the quoted role, without being a superuser.
GRANT fidelity_other TO fidelity_owner;
GRANT "Fidelity Quoted ""Role""" TO fidelity_owner;
GRANT fidelity_reader TO fidelity_app;
GRANT fidelity_reader TO fidelity_writer WITH ADMIN OPTION;
