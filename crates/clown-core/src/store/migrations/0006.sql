-- When the runs of a profile went through its proxy, which counts what they use. Without `until`,
-- they still do.
CREATE TABLE usage_proxied (
    profile TEXT NOT NULL,
    since   INTEGER NOT NULL,   -- milliseconds since 1970
    until   INTEGER,
    PRIMARY KEY (profile, since)
) STRICT, WITHOUT ROWID;
