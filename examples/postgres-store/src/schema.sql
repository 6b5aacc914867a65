CREATE TABLE tradovate_leases (name text PRIMARY KEY, fence bigint NOT NULL, ends_at timestamptz NOT NULL);
CREATE TABLE tradovate_sessions (
    name text PRIMARY KEY, revision bigint NOT NULL, record bytea NOT NULL, saved_at timestamptz NOT NULL
);
