-- The tables as they are after all steps of `migrations/`; a test compares. Nothing else reads this file.

-- Facts about this journal: the number of its last step, and what tells whether a master key is the right one.
CREATE TABLE meta (
    name  text  PRIMARY KEY,
    value bytea NOT NULL
);
COMMENT ON TABLE meta IS 'Tieline: facts about this journal';

-- The journal, its content and its ledgers. Ids are made by the daemon, times are milliseconds since 1970.

-- Who owns a tenant. A row changes only when the tenant changes hands: every commit holds it FOR SHARE.
CREATE TABLE tenants (
    tenant text   PRIMARY KEY,
    epoch  bigint NOT NULL
) WITH (fillfactor = 50);

-- When the owner was last surely alive; apart from `tenants`, so that saying so never waits for a commit.
CREATE TABLE alive (
    tenant text   PRIMARY KEY,
    at     bigint NOT NULL
) WITH (fillfactor = 50);

-- `checksum` is over the rest of the row, so that damage is noticed without the server's own checksums.
CREATE TABLE journal (
    tenant      text   NOT NULL,
    seq         bigint NOT NULL CHECK (seq > 0),
    epoch       bigint NOT NULL,
    at          bigint NOT NULL,
    interaction uuid,
    kind        text   NOT NULL,
    event       text   NOT NULL,
    checksum    bigint NOT NULL,
    PRIMARY KEY (tenant, seq)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE INDEX journal_interaction ON journal (tenant, interaction, seq) WHERE interaction IS NOT NULL;

-- One live key per conversation. A row is never deleted; erasing empties it, and whatever refers to it is gone by then,
-- so that no foreign key has to be checked row by row in every commit.
CREATE TABLE keys (
    id           uuid    PRIMARY KEY,
    tenant       text    NOT NULL,
    conversation uuid    NOT NULL,
    erased       boolean NOT NULL DEFAULT false,
    wrapped      bytea   NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20);

CREATE UNIQUE INDEX keys_live ON keys (tenant, conversation) WHERE NOT erased;
CREATE INDEX keys_all ON keys (tenant, conversation);

CREATE TABLE content (
    tenant text  NOT NULL,
    id     uuid  NOT NULL,
    key    uuid  NOT NULL,
    body   bytea NOT NULL,
    PRIMARY KEY (tenant, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- What is encrypted does not get smaller.
ALTER TABLE content ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX content_key ON content (key);

-- `digest` is keyed; the number or address itself is nowhere in this database.
CREATE TABLE handles (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant       text  NOT NULL,
    digest       bytea NOT NULL,
    conversation uuid  NOT NULL,
    UNIQUE (tenant, digest, conversation)
);

CREATE INDEX handles_conversation ON handles (tenant, conversation);

CREATE TABLE commands (
    tenant text   NOT NULL,
    caller text   NOT NULL,
    id     text   NOT NULL,
    digest bytea  NOT NULL,
    seq    bigint NOT NULL,
    at     bigint NOT NULL,
    PRIMARY KEY (tenant, caller, id)
);

CREATE INDEX commands_at ON commands (at);

CREATE TABLE snapshots (
    tenant text   NOT NULL,
    seq    bigint NOT NULL,
    body   bytea  NOT NULL,
    PRIMARY KEY (tenant, seq)
);

ALTER TABLE snapshots ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE cursors (
    tenant text   NOT NULL,
    reader text   NOT NULL,
    seq    bigint NOT NULL,
    PRIMARY KEY (tenant, reader)
) WITH (fillfactor = 50);

-- `died` orders dead rows; NULL means open. `sealed` holds progress, last error and digest, all of which may quote
-- what people said.
CREATE TABLE deliveries (
    tenant       text   NOT NULL,
    connection   text   NOT NULL,
    interaction  uuid   NOT NULL,
    conversation uuid   NOT NULL,
    wanted       bigint NOT NULL,
    done         bigint NOT NULL,
    attempt      bigint NOT NULL,
    next_at      bigint NOT NULL,
    tried_ms     bigint NOT NULL,
    died         bigint,
    key          uuid,
    sealed       bytea,
    PRIMARY KEY (tenant, connection, interaction)
) WITH (fillfactor = 80);

CREATE INDEX deliveries_due ON deliveries (tenant, connection, next_at, interaction)
    WHERE died IS NULL AND done < wanted;
CREATE INDEX deliveries_dead ON deliveries (tenant, died) WHERE died IS NOT NULL;
CREATE INDEX deliveries_conversation ON deliveries (tenant, conversation);

CREATE SEQUENCE deaths;
-- Who is there, and who holds which part of which shard. All times are this server's own.

-- `signal` is the key of an advisory lock that a process holds in one session for as long as it lives; `server` is when the
-- server was started on which it last did.
CREATE TABLE replicas (
    id      uuid        PRIMARY KEY,
    address text,
    holds   text[]      NOT NULL,
    signal  bigint      NOT NULL,
    server  timestamptz NOT NULL,
    until   timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE leases (
    shard   smallint    NOT NULL,
    part    text        NOT NULL,
    epoch   bigint      NOT NULL,
    replica uuid,
    until   timestamptz,
    PRIMARY KEY (shard, part)
) WITH (fillfactor = 50);

-- The epoch of a lease once more, where renewals do not touch it: whatever is done under a lease holds it FOR SHARE, and
-- whoever takes the part waits for that.
CREATE TABLE seals (
    shard smallint NOT NULL,
    part  text     NOT NULL,
    epoch bigint   NOT NULL,
    PRIMARY KEY (shard, part)
) WITH (fillfactor = 50);
