-- Which registry is in use, and how its syncs went; one row.
CREATE TABLE registry (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    source     TEXT NOT NULL DEFAULT '',    -- the address that the rest belongs to; empty: the built-in set
    configured TEXT NOT NULL DEFAULT '',    -- the channel of config.toml when the rest was written
    channel    TEXT NOT NULL DEFAULT '',
    active     TEXT,                        -- the digest of the index in use; null: the built-in set
    pin        TEXT,                        -- the commit that stays in use
    syncing    TEXT,                        -- the channel of a sync that has begun and not ended
    tried_at   INTEGER,
    synced_at  INTEGER,
    failed_at  INTEGER,
    failure    TEXT
) STRICT;
INSERT INTO registry (only_row) VALUES (1);

-- Indices that are kept in the registry's folder.
CREATE TABLE registry_indices (
    digest     TEXT PRIMARY KEY,            -- SHA-256 of the file
    source     TEXT NOT NULL,
    channel    TEXT NOT NULL,
    commit_id  TEXT NOT NULL,
    serial     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    fetched_at INTEGER NOT NULL,
    etag       TEXT
) STRICT, WITHOUT ROWID;

-- The newest index of each channel that was ever accepted, so that an older one is not.
CREATE TABLE registry_newest (
    source  TEXT NOT NULL,
    channel TEXT NOT NULL,
    serial  INTEGER NOT NULL,
    digest  TEXT NOT NULL,
    PRIMARY KEY (source, channel)
) STRICT, WITHOUT ROWID;
