-- Which migrations a warehouse has; made before the first of them, and no migration itself. Locks: none but its own new table.

create table {{journal}} (
    version int primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now()
);
comment on table {{journal}} is 'Which migrations of Pulseline were applied; see its sql/migrations.';
comment on column {{journal}}.version is 'Number of the file.';
comment on column {{journal}}.name is 'Name of the file.';
comment on column {{journal}}.checksum is 'SHA-256 of its text.';
comment on column {{journal}}.applied_at is 'When.';
