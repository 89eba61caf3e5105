-- What 18 has brought, as a superuser.
CREATE PUBLICATION of_generated FOR TABLE since_18.generated WITH (publish_generated_columns = stored);
ALTER DEFAULT PRIVILEGES FOR ROLE fidelity_owner GRANT SELECT ON LARGE OBJECTS TO fidelity_reader;
