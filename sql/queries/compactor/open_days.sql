-- Notes the first day that is still open, $1 days after 1970-01-01. Days of people that have closed since are open no more.
with moved as (
    update ops.open_days set open_from = date '1970-01-01' + $1::int
    where open_from <> date '1970-01-01' + $1::int
    returning open_from
)
update agg.stored_user_days d
set is_open = d.bucket >= m.open_from
from moved m
where d.is_open and d.bucket < m.open_from or not d.is_open and d.bucket >= m.open_from
