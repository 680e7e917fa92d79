-- The journal, its content and its ledgers. Ids are made by the daemon, times are milliseconds since 1970.

-- Who owns a tenant. A row changes only when the tenant changes hands: every commit holds it FOR SHARE.
CREATE TABLE IF NOT EXISTS tenants (
    tenant text   PRIMARY KEY,
    epoch  bigint NOT NULL
) WITH (fillfactor = 50);

-- When the owner was last surely alive; apart from `tenants`, so that saying so never waits for a commit.
CREATE TABLE IF NOT EXISTS alive (
    tenant text   PRIMARY KEY,
    at     bigint NOT NULL
) WITH (fillfactor = 50);

-- `checksum` is over the rest of the row, so that damage is noticed without the server's own checksums.
CREATE TABLE IF NOT EXISTS journal (
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

CREATE INDEX IF NOT EXISTS journal_interaction ON journal (tenant, interaction, seq) WHERE interaction IS NOT NULL;

-- One live key per conversation. A row is never deleted; erasing empties it, and whatever refers to it is gone by then,
-- so that no foreign key has to be checked row by row in every commit.
CREATE TABLE IF NOT EXISTS keys (
    id           uuid    PRIMARY KEY,
    tenant       text    NOT NULL,
    conversation uuid    NOT NULL,
    erased       boolean NOT NULL DEFAULT false,
    wrapped      bytea   NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20);

CREATE UNIQUE INDEX IF NOT EXISTS keys_live ON keys (tenant, conversation) WHERE NOT erased;
CREATE INDEX IF NOT EXISTS keys_all ON keys (tenant, conversation);

CREATE TABLE IF NOT EXISTS content (
    tenant text  NOT NULL,
    id     uuid  NOT NULL,
    key    uuid  NOT NULL,
    body   bytea NOT NULL,
    PRIMARY KEY (tenant, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- What is encrypted does not get smaller.
ALTER TABLE content ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS content_key ON content (key);

-- `digest` is keyed; the number or address itself is nowhere in this database.
CREATE TABLE IF NOT EXISTS handles (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant       text  NOT NULL,
    digest       bytea NOT NULL,
    conversation uuid  NOT NULL,
    UNIQUE (tenant, digest, conversation)
);

CREATE INDEX IF NOT EXISTS handles_conversation ON handles (tenant, conversation);

CREATE TABLE IF NOT EXISTS commands (
    tenant text   NOT NULL,
    caller text   NOT NULL,
    id     text   NOT NULL,
    digest bytea  NOT NULL,
    seq    bigint NOT NULL,
    at     bigint NOT NULL,
    PRIMARY KEY (tenant, caller, id)
);

CREATE INDEX IF NOT EXISTS commands_at ON commands (at);

CREATE TABLE IF NOT EXISTS snapshots (
    tenant text   NOT NULL,
    seq    bigint NOT NULL,
    body   bytea  NOT NULL,
    PRIMARY KEY (tenant, seq)
);

ALTER TABLE snapshots ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE IF NOT EXISTS cursors (
    tenant text   NOT NULL,
    reader text   NOT NULL,
    seq    bigint NOT NULL,
    PRIMARY KEY (tenant, reader)
) WITH (fillfactor = 50);

-- `died` orders dead rows; NULL means open. `sealed` holds progress, last error and digest, all of which may quote
-- what people said.
CREATE TABLE IF NOT EXISTS deliveries (
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

CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (tenant, connection, next_at, interaction)
    WHERE died IS NULL AND done < wanted;
CREATE INDEX IF NOT EXISTS deliveries_dead ON deliveries (tenant, died) WHERE died IS NOT NULL;
CREATE INDEX IF NOT EXISTS deliveries_conversation ON deliveries (tenant, conversation);

CREATE SEQUENCE IF NOT EXISTS deaths;
