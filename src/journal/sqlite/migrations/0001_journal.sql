-- The journal, its content and its ledgers.

-- Facts about this file. `key` tells whether the master key at hand is the one content was written under.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Who owns a tenant (epoch), and when that owner was last surely alive (milliseconds since 1970).
CREATE TABLE tenants (
    tenant   TEXT PRIMARY KEY,
    epoch    INTEGER NOT NULL,
    alive_at INTEGER
) STRICT, WITHOUT ROWID;

-- `checksum` is over the rest of the row: SQLite would not notice a flipped bit.
CREATE TABLE journal (
    tenant      TEXT    NOT NULL,
    seq         INTEGER NOT NULL CHECK (seq > 0),
    epoch       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    interaction BLOB,
    kind        TEXT    NOT NULL,
    event       TEXT    NOT NULL,
    checksum    INTEGER NOT NULL,
    PRIMARY KEY (tenant, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX journal_interaction ON journal (tenant, interaction, seq) WHERE interaction IS NOT NULL;

-- One key per conversation. A row is only ever appended and, when erased, overwritten in place with zeros; it is never
-- deleted. SQLite may rebuild a page while it balances a tree without clearing where the cells were before, out of
-- reach of secure_delete; a table that only grows at its end and changes no row's length is never balanced so.
CREATE TABLE keys (
    id           INTEGER PRIMARY KEY,
    tenant       TEXT    NOT NULL,
    conversation BLOB    NOT NULL,
    erased       INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1)),
    wrapped      BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX keys_live ON keys (tenant, conversation) WHERE erased = 0;
CREATE INDEX keys_all ON keys (tenant, conversation);

CREATE TABLE content (
    tenant TEXT    NOT NULL,
    id     BLOB    NOT NULL,
    key    INTEGER NOT NULL REFERENCES keys (id),
    body   BLOB    NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX content_key ON content (key);

-- `digest` is keyed; the number or address itself is nowhere in this file.
CREATE TABLE handles (
    id           INTEGER PRIMARY KEY,
    tenant       TEXT NOT NULL,
    digest       BLOB NOT NULL,
    conversation BLOB NOT NULL,
    UNIQUE (tenant, digest, conversation)
) STRICT;

CREATE INDEX handles_conversation ON handles (tenant, conversation);

CREATE TABLE commands (
    tenant TEXT    NOT NULL,
    caller TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    digest BLOB    NOT NULL,
    seq    INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (tenant, caller, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX commands_at ON commands (at);

CREATE TABLE snapshots (
    tenant TEXT    NOT NULL,
    seq    INTEGER NOT NULL,
    body   BLOB    NOT NULL,
    PRIMARY KEY (tenant, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    tenant TEXT    NOT NULL,
    reader TEXT    NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (tenant, reader)
) STRICT, WITHOUT ROWID;

-- `died` orders dead rows; NULL means open. `sealed` holds progress, last error and digest, all of which may quote
-- what people said.
CREATE TABLE deliveries (
    tenant       TEXT    NOT NULL,
    connection   TEXT    NOT NULL,
    interaction  BLOB    NOT NULL,
    conversation BLOB    NOT NULL,
    wanted       INTEGER NOT NULL,
    done         INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    tried_ms     INTEGER NOT NULL,
    died         INTEGER,
    key          INTEGER REFERENCES keys (id),
    sealed       BLOB,
    PRIMARY KEY (tenant, connection, interaction)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (tenant, connection, next_at, interaction)
    WHERE died IS NULL AND done < wanted;
CREATE INDEX deliveries_dead ON deliveries (tenant, died) WHERE died IS NOT NULL;
CREATE INDEX deliveries_conversation ON deliveries (tenant, conversation);
