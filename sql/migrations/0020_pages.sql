-- Where reading of a whole collection, or of a range of it, goes on after a stop. Locks: the two tables, for a moment.

alter table {{ops}}.checkpoints add column snapshot bytea;
comment on column {{ops}}.checkpoints.snapshot is 'While the collection is read as a whole: where the change stream goes on afterwards, and after which document reading goes on, as BSON. Moved with the rows.';

alter table {{ops}}.backfills add column place bytea;
comment on column {{ops}}.backfills.place is 'After which document of the chunk from next_date on it goes on, as BSON; null at its beginning. Moved with the rows.';
