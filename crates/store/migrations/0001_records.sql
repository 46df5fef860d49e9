-- Data format 1: rows, the change feed, and facts about the store itself.
-- Text is compared by its bytes (SQLite's default collation; "C" elsewhere).

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
);

CREATE TABLE records (
    kind           TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    region         TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    parent         TEXT    NOT NULL,
    revision       BIGINT  NOT NULL,
    schema_version INTEGER NOT NULL,
    document       TEXT    NOT NULL
);

-- Key before account and region: the same index finds a row in its scope, a row in any scope, and a tree of rows.
CREATE UNIQUE INDEX records_by_key ON records (kind, key, account, region);
CREATE INDEX records_by_parent ON records (kind, account, region, parent, key);

-- What each commit did, in order. Old ones are removed, the newest never, so the greatest revision here is the store's.
CREATE TABLE changes (
    revision BIGINT  NOT NULL,
    position INTEGER NOT NULL,
    account  TEXT    NOT NULL,
    region   TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    deleted  INTEGER NOT NULL,
    PRIMARY KEY (revision, position)
);
