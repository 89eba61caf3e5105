-- What 17 has brought, as a superuser.
CREATE FUNCTION public.at_login() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION public.at_login();
COMMENT ON EVENT TRIGGER at_login IS 'for everybody who comes';
