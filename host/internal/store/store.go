// Package store keeps what a host must remember: hashes of tokens, integrated
// accounts with their credentials, keys. It is an embedded SQLite database in
// one file that only the host's user can read.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite", in Go alone
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNotFound means that there is no such row. Answer 404.
var ErrNotFound = errors.New("not found")

// Store is an open database. It is safe for concurrent use, also by several
// processes.
type Store struct{ db *sql.DB }

// Token is an API token. The token itself is not kept.
type Token struct {
	ID, Hash, Name string
	// Environment is the one that the token reaches; empty for an operator's.
	Environment string
	// Operator tokens manage plugins; they reach no accounts.
	Operator  bool
	CreatedAt time.Time
}

// Account is a customer's connection to a CRM.
type Account struct {
	ID, Environment, Integration, TenantID string
	AuthenticationMethod                   string
	Context                                []byte // JSON, with secrets
	BaseURL, Revision                      string
	// PluginVersion is the version of the provider that the account is pinned
	// to; empty for whichever serves.
	PluginVersion        string
	CreatedAt, UpdatedAt time.Time
}

// Open opens the database in a file, making and migrating it as needed. The
// file is readable by its owner alone.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if err := errors.Join(file.Chmod(0o600), file.Close()); err != nil {
		return nil, fmt.Errorf("keep the store private: %w", err)
	}
	source := (&url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_txlock=immediate"}).String()
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	db.SetMaxOpenConns(4)
	s := &Store{db: db}
	unlock, err := lockBeside(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the store: %w", err), db.Close())
	}
	defer unlock()
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate the store %s: %w", path, err), db.Close())
	}
	return s, nil
}

func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.db, files, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// Key gives the random key of that name and size, making it the first time.
func (s *Store) Key(ctx context.Context, name string, size int) ([]byte, error) {
	fresh := make([]byte, size)
	_, _ = rand.Read(fresh) // never fails
	if _, err := s.db.ExecContext(ctx, "INSERT INTO keys (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, fresh); err != nil {
		return nil, fmt.Errorf("make the key %s: %w", name, err)
	}
	var key []byte
	if err := s.db.QueryRowContext(ctx, "SELECT value FROM keys WHERE name = ?", name).Scan(&key); err != nil {
		return nil, fmt.Errorf("read the key %s: %w", name, err)
	}
	return key, nil
}

const tokenColumns = "id, hash, environment, name, operator, created_at" //nolint:gosec // names of columns

// PutToken keeps a new token.
func (s *Store) PutToken(ctx context.Context, t Token) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO tokens ("+tokenColumns+") VALUES (?, ?, ?, ?, ?, ?)",
		t.ID, t.Hash, t.Environment, t.Name, t.Operator, formatTime(t.CreatedAt))
	return err
}

// TokenByHash finds a token; ErrNotFound when there is none.
func (s *Store) TokenByHash(ctx context.Context, hash string) (Token, error) {
	t, err := scanToken(s.db.QueryRowContext(ctx, "SELECT "+tokenColumns+" FROM tokens WHERE hash = ?", hash))
	return t, err
}

// Tokens lists all tokens, oldest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+tokenColumns+" FROM tokens ORDER BY created_at, id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Token
	for rows.Next() {
		t, err := scanToken(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// DeleteToken forgets a token; ErrNotFound when there is none.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	return affected(s.db.ExecContext(ctx, "DELETE FROM tokens WHERE id = ?", id))
}

const accountColumns = "id, environment, integration, tenant_id, authentication_method, context, base_url, revision, plugin_version, created_at, updated_at"

// PutAccount keeps a new account.
func (s *Store) PutAccount(ctx context.Context, a Account) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO accounts ("+accountColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		a.ID, a.Environment, a.Integration, a.TenantID, a.AuthenticationMethod, string(a.Context), a.BaseURL, a.Revision, a.PluginVersion, formatTime(a.CreatedAt), formatTime(a.UpdatedAt))
	return err
}

// Account finds an account in an environment; ErrNotFound when there is none.
func (s *Store) Account(ctx context.Context, environment, id string) (Account, error) {
	return scanAccount(s.db.QueryRowContext(ctx, "SELECT "+accountColumns+" FROM accounts WHERE environment = ? AND id = ?", environment, id))
}

// Accounts lists up to limit accounts of an environment after the id, in the
// order of ids; an empty integration or tenant means any.
func (s *Store) Accounts(ctx context.Context, environment, integration, tenant, after string, limit int) ([]Account, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+accountColumns+` FROM accounts
		WHERE environment = ? AND (? = '' OR integration = ?) AND (? = '' OR tenant_id = ?) AND id > ? ORDER BY id LIMIT ?`,
		environment, integration, integration, tenant, tenant, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// PinAccount makes an account use one version of its provider, whichever
// environment it is in; an empty version ends that. ErrNotFound when there is
// no such account.
func (s *Store) PinAccount(ctx context.Context, id, version string) error {
	return affected(s.db.ExecContext(ctx, "UPDATE accounts SET plugin_version = ? WHERE id = ?", version, id))
}

// AccountByID finds an account in any environment; ErrNotFound when there is none.
func (s *Store) AccountByID(ctx context.Context, id string) (Account, error) {
	return scanAccount(s.db.QueryRowContext(ctx, "SELECT "+accountColumns+" FROM accounts WHERE id = ?", id))
}

// CountAccounts counts the accounts of a provider, and those of them that are
// pinned to a version, in all environments.
func (s *Store) CountAccounts(ctx context.Context, integration, version string) (all, pinned int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT COUNT(*), COUNT(CASE WHEN plugin_version = ? THEN 1 END) FROM accounts WHERE integration = ?", version, integration).Scan(&all, &pinned)
	return all, pinned, err
}

// DeleteAccount forgets an account; ErrNotFound when there is none.
func (s *Store) DeleteAccount(ctx context.Context, environment, id string) error {
	return affected(s.db.ExecContext(ctx, "DELETE FROM accounts WHERE environment = ? AND id = ?", environment, id))
}

// Clear forgets the tokens and accounts of an environment.
func (s *Store) Clear(ctx context.Context, environment string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM accounts WHERE environment = ?", environment)
	if err == nil {
		_, err = s.db.ExecContext(ctx, "DELETE FROM tokens WHERE environment = ?", environment)
	}
	return err
}

type scanner interface{ Scan(into ...any) error }

func scanToken(row scanner) (Token, error) {
	var t Token
	var created string
	err := row.Scan(&t.ID, &t.Hash, &t.Environment, &t.Name, &t.Operator, &created)
	t.CreatedAt = parseTime(created)
	return t, notFound(err)
}

func scanAccount(row scanner) (Account, error) {
	var a Account
	var credentials, created, updated string
	err := row.Scan(&a.ID, &a.Environment, &a.Integration, &a.TenantID, &a.AuthenticationMethod, &credentials, &a.BaseURL, &a.Revision, &a.PluginVersion, &created, &updated)
	a.Context, a.CreatedAt, a.UpdatedAt = []byte(credentials), parseTime(created), parseTime(updated)
	return a, notFound(err)
}

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

func affected(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return ErrNotFound
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func parseTime(text string) time.Time {
	t, _ := time.Parse("2006-01-02T15:04:05.000000Z", text)
	return t
}
