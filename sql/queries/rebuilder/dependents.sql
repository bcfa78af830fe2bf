-- Relations elsewhere that depend on relations of these schemas ($1), in one text; null without any.
select string_agg(distinct format('%I.%I', n.nspname, v.relname), ', ')
from pg_depend d
join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
join pg_class v on v.oid = r.ev_class
join pg_namespace n on n.oid = v.relnamespace
join pg_class t on t.oid = d.refobjid and d.refclassid = 'pg_class'::regclass
join pg_namespace s on s.oid = t.relnamespace
where s.nspname = any($1) and n.nspname <> all($1) and n.nspname not like '\_timescaledb\_%'
