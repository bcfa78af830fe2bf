-- Run once, when the database is made: the user that Grafana connects as. The migrations say what its group may read.
\getenv password GRAFANA_DB_PASSWORD
select 'create role pulseline_reader nologin'
where not exists (select from pg_roles where rolname = 'pulseline_reader') \gexec
create role grafana login password :'password' in role pulseline_reader;
-- A panel that its browser has left, or that asks for too much, ends at the server too.
alter role grafana set statement_timeout = '60s';
