-- +goose Up
CREATE TABLE tokens (
    id          TEXT PRIMARY KEY,
    hash        TEXT NOT NULL UNIQUE,
    environment TEXT NOT NULL,
    name        TEXT NOT NULL,
    created_at  TEXT NOT NULL
);
CREATE TABLE accounts (
    id                    TEXT PRIMARY KEY,
    environment           TEXT NOT NULL,
    integration           TEXT NOT NULL,
    tenant_id             TEXT NOT NULL,
    authentication_method TEXT NOT NULL,
    context               TEXT NOT NULL,
    base_url              TEXT NOT NULL,
    revision              TEXT NOT NULL,
    created_at            TEXT NOT NULL,
    updated_at            TEXT NOT NULL
);
CREATE INDEX accounts_by_environment ON accounts (environment, created_at, id);
CREATE TABLE keys (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

-- +goose Down
DROP TABLE keys;
DROP TABLE accounts;
DROP TABLE tokens;
