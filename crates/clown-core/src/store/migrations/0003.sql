-- The last that is known of each profile's proxy instance. It runs where `pid` is set.
CREATE TABLE proxies (
    profile    TEXT PRIMARY KEY,
    pid        INTEGER,
    port       INTEGER,
    exit_code  INTEGER,
    error      TEXT,                    -- the last one, while no instance has started since
    started_at INTEGER,
    stopped_at INTEGER
) STRICT, WITHOUT ROWID;

-- What was told of usage, summed up.
CREATE TABLE usage_totals (
    profile                     TEXT PRIMARY KEY,
    input_tokens                INTEGER NOT NULL,
    output_tokens               INTEGER NOT NULL,
    cache_creation_input_tokens INTEGER NOT NULL,
    cache_read_input_tokens     INTEGER NOT NULL,
    cost_nanos                  INTEGER NOT NULL,   -- billionths of a US dollar
    unpriced                    INTEGER NOT NULL    -- 1 where a part had no price
) STRICT, WITHOUT ROWID;
