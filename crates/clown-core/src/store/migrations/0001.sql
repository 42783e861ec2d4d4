-- Events as they were published: the envelope without seq. A number is never given twice.
CREATE TABLE journal (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,          -- Unix time in milliseconds, never less than that of a lower seq
    type    TEXT NOT NULL,
    profile TEXT,
    body    BLOB NOT NULL
) STRICT;
CREATE INDEX journal_at ON journal (at);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- How many bytes of `body` the journal holds, and the last number that was trimmed.
INSERT INTO meta (key, value) VALUES ('journal_bytes', 0), ('trimmed_to', 0);

-- What was last published of each profile's file.
CREATE TABLE profiles (
    alias      TEXT PRIMARY KEY,
    definition TEXT NOT NULL,          -- JSON
    digest     BLOB NOT NULL,          -- SHA-256 of the file's bytes that the definition came from
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_used  INTEGER
) STRICT, WITHOUT ROWID;

-- Keys that may be stored and that no profile may need: written before a key is stored, or with
-- the deletion of its profile; removed when that is settled.
CREATE TABLE doubtful_keys (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- What was last published of each agent.
CREATE TABLE agents (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    installed   INTEGER NOT NULL,
    version     TEXT,
    binary_path TEXT,
    fingerprint TEXT                   -- what the version was read from
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id          TEXT PRIMARY KEY,
    profile     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('prepared', 'running', 'exited', 'abandoned')),
    cli_pid     INTEGER NOT NULL,
    cli_start   INTEGER NOT NULL,      -- start time of the process in clock ticks since boot
    pid         INTEGER,
    pid_start   INTEGER,
    boot        TEXT NOT NULL,         -- which boot these processes belong to
    exit_code   INTEGER,
    prepared_at INTEGER NOT NULL,
    started_at  INTEGER,
    ended_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_open ON runs (profile) WHERE state IN ('prepared', 'running');
CREATE INDEX runs_ended ON runs (ended_at);
