-- +goose Up
ALTER TABLE tokens ADD COLUMN operator INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN plugin_version TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE accounts DROP COLUMN plugin_version;
ALTER TABLE tokens DROP COLUMN operator;
