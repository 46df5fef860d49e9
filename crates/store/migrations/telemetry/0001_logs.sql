-- Data format 1 of telemetry.sqlite: what CloudWatch Logs keeps, and facts about the file itself.
-- Moments are milliseconds since 1970; 0 where there has been none yet.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
);

-- Numbers of groups and streams are never given twice, for events outlive the rows that they belong to by a while.
CREATE TABLE log_groups (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    account        TEXT    NOT NULL,
    region         TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    created        BIGINT  NOT NULL,
    retention_days INTEGER,
    stored_bytes   BIGINT  NOT NULL,
    document       TEXT    NOT NULL
);
CREATE UNIQUE INDEX log_groups_by_name ON log_groups (account, region, name);

CREATE TABLE log_streams (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id       INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    created        BIGINT  NOT NULL,
    first_event    BIGINT  NOT NULL,
    last_event     BIGINT  NOT NULL,
    last_ingestion BIGINT  NOT NULL
);
CREATE UNIQUE INDEX log_streams_by_name ON log_streams (group_id, name);
CREATE INDEX log_streams_by_last_event ON log_streams (group_id, last_event, name);

-- Appended in the order of their arrival; read in the order of their timestamps, by one of the two indexes.
CREATE TABLE log_events (
    sequence  INTEGER PRIMARY KEY,
    group_id  INTEGER NOT NULL,
    stream_id INTEGER NOT NULL,
    timestamp BIGINT  NOT NULL,
    ingestion BIGINT  NOT NULL,
    message   TEXT    NOT NULL
);
CREATE INDEX log_events_by_group ON log_events (group_id, timestamp, sequence);
CREATE INDEX log_events_by_stream ON log_events (stream_id, timestamp, sequence);

-- Groups and streams that are gone, whose events are still to be removed; the other column is 0.
CREATE TABLE removed_logs (
    group_id  INTEGER NOT NULL,
    stream_id INTEGER NOT NULL
);
