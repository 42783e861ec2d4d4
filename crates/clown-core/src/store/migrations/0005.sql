-- Where answers of models belong. `profile` is empty where they belong to none.
CREATE TABLE usage_sessions (
    id      INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    agent   TEXT NOT NULL,
    profile TEXT NOT NULL,
    project TEXT NOT NULL,
    UNIQUE (session, agent, profile, project)
) STRICT;

-- What of a session has one price.
CREATE TABLE usage_series (
    id      INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    model   TEXT NOT NULL,
    tier    INTEGER NOT NULL,
    UNIQUE (session, model, tier)
) STRICT;

-- Each answer, once. `key` and `tag` are two parts of a hash of what it is known by.
CREATE TABLE usage_records (
    id               INTEGER PRIMARY KEY,
    key              INTEGER NOT NULL,
    tag              INTEGER NOT NULL,
    at               INTEGER NOT NULL,   -- milliseconds
    series           INTEGER NOT NULL,
    input            INTEGER NOT NULL,
    output           INTEGER NOT NULL,
    cache_write      INTEGER NOT NULL,
    cache_write_hour INTEGER NOT NULL,
    cache_read       INTEGER NOT NULL
) STRICT;
CREATE INDEX usage_records_by_key ON usage_records (key);

-- Their sums: what is asked for is put together from these.
CREATE TABLE usage_cells (
    quarter          INTEGER NOT NULL,   -- of an hour, since 1970: every time zone's days begin with one
    series           INTEGER NOT NULL,
    records          INTEGER NOT NULL,
    input            INTEGER NOT NULL,
    output           INTEGER NOT NULL,
    cache_write      INTEGER NOT NULL,
    cache_write_hour INTEGER NOT NULL,
    cache_read       INTEGER NOT NULL,
    PRIMARY KEY (quarter, series)
) STRICT, WITHOUT ROWID;

-- Sums that grow, of which nobody wrote down the parts, as they were last seen.
CREATE TABLE usage_sums (
    key              BLOB PRIMARY KEY,
    input            INTEGER NOT NULL,
    output           INTEGER NOT NULL,
    cache_write      INTEGER NOT NULL,
    cache_write_hour INTEGER NOT NULL,
    cache_read       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far files are read.
CREATE TABLE usage_files (
    path     BLOB PRIMARY KEY,
    device   INTEGER NOT NULL,
    inode    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    modified INTEGER NOT NULL,           -- nanoseconds
    offset   INTEGER NOT NULL,
    head     BLOB NOT NULL,              -- a hash of how it begins
    memory   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Counted, and not told yet.
CREATE TABLE usage_untold (
    profile      TEXT PRIMARY KEY,
    input        INTEGER NOT NULL,
    output       INTEGER NOT NULL,
    cache_writes INTEGER NOT NULL,
    cache_read   INTEGER NOT NULL,
    cost_nanos   INTEGER NOT NULL,
    unpriced     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Folders of agents that are started without a profile, and are counted since a person asked for it.
CREATE TABLE usage_places (
    agent TEXT NOT NULL,
    path  BLOB NOT NULL,
    PRIMARY KEY (agent, path)
) STRICT, WITHOUT ROWID;

-- What people want to spend at most.
CREATE TABLE usage_budgets (
    profile TEXT NOT NULL,
    period  TEXT NOT NULL,               -- day, week or month
    nanos   INTEGER NOT NULL,            -- billionths of a US dollar
    PRIMARY KEY (profile, period)
) STRICT, WITHOUT ROWID;
