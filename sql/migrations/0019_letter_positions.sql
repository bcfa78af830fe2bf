-- Dead letters are found by where their message stands. Locks: dead letters, for the moment that the index takes; no batch that
-- holds any is written meanwhile.

create index dead_letters_position on {{ops}}.dead_letters (topic, generation, partition, "offset");
