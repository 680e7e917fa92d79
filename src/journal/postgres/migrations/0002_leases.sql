-- Who is there, and who holds which part of which shard. All times are this server's own.

-- `signal` is the key of an advisory lock that a process holds in one session for as long as it lives; `server` is when the
-- server was started on which it last did.
CREATE TABLE IF NOT EXISTS replicas (
    id      uuid        PRIMARY KEY,
    address text,
    holds   text[]      NOT NULL,
    signal  bigint      NOT NULL,
    server  timestamptz NOT NULL,
    until   timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS leases (
    shard   smallint    NOT NULL,
    part    text        NOT NULL,
    epoch   bigint      NOT NULL,
    replica uuid,
    until   timestamptz,
    PRIMARY KEY (shard, part)
) WITH (fillfactor = 50);

-- The epoch of a lease once more, where renewals do not touch it: whatever is done under a lease holds it FOR SHARE, and
-- whoever takes the part waits for that.
CREATE TABLE IF NOT EXISTS seals (
    shard smallint NOT NULL,
    part  text     NOT NULL,
    epoch bigint   NOT NULL,
    PRIMARY KEY (shard, part)
) WITH (fillfactor = 50);
