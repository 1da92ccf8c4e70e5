package store

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestTheStoreIsPrivateAndOutlivesItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data ?#%", "unicrm.db")
	s := open(t, path)
	a := Account{ID: "a1", Environment: "prod", Integration: "wix", Context: []byte(`{"k":"v"}`), Revision: "r", CreatedAt: time.Now(), UpdatedAt: time.Now()}
	require.NoError(t, s.PutAccount(t.Context(), a))
	require.NoError(t, s.Close())
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	require.NoError(t, err)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
		assert.True(t, strings.HasPrefix(filepath.Base(file), "unicrm.db"), file)
	}
	got, err := open(t, path).Account(t.Context(), "prod", "a1")
	require.NoError(t, err)
	assert.Equal(t, `{"k":"v"}`, string(got.Context))
	assert.WithinDuration(t, a.CreatedAt, got.CreatedAt, time.Millisecond)
}

func TestAccountsOfAnotherEnvironmentAreNotThere(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "db"))
	require.NoError(t, s.PutAccount(t.Context(), Account{ID: "a1", Environment: "prod"}))
	_, err := s.Account(t.Context(), "test", "a1")
	assert.ErrorIs(t, err, ErrNotFound)
	assert.ErrorIs(t, s.DeleteAccount(t.Context(), "test", "a1"), ErrNotFound)
	all, err := s.Accounts(t.Context(), "test", "", "", "", 10)
	require.NoError(t, err)
	assert.Empty(t, all)
	require.NoError(t, s.DeleteAccount(t.Context(), "prod", "a1"))
	assert.ErrorIs(t, s.DeleteAccount(t.Context(), "prod", "a1"), ErrNotFound)
}

func TestAKeyIsMadeOnceAlsoByManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	open(t, path)
	keys := make([]string, 16)
	var all sync.WaitGroup
	for i := range keys {
		s := open(t, path)
		all.Go(func() {
			key, err := s.Key(t.Context(), "cursors", 32)
			assert.NoError(t, err)
			keys[i] = string(key)
		})
	}
	all.Wait()
	for _, key := range keys {
		assert.Len(t, key, 32)
		assert.Equal(t, keys[0], key)
	}
}

func TestManyOpenAnEmptyStoreAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := Open(t.Context(), path)
			if assert.NoError(t, err) {
				assert.NoError(t, s.Close())
			}
		})
	}
	all.Wait()
}
