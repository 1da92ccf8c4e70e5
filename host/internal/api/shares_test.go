package api

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

func TestOneAccountCannotTakeAllPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shares{using: map[string]*share{}}
		var releases []func()
		for range accountCalls {
			release, err := s.take(t.Context(), "a", unified.Get)
			require.NoError(t, err)
			releases = append(releases, release)
		}
		_, err := s.take(t.Context(), "a", unified.List)
		assert.True(t, errs.Is(err, errs.Overloaded), "after a while: %v", err)
		other, err := s.take(t.Context(), "b", unified.List)
		require.NoError(t, err, "the others go on")
		other()

		go func() {
			time.Sleep(time.Second)
			releases[0]()
		}()
		release, err := s.take(t.Context(), "a", unified.List)
		require.NoError(t, err, "a place that becomes free is taken")
		releases[0] = release

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.take(gone, "a", unified.List)
		require.ErrorIs(t, err, context.Canceled)

		for range accountBatches {
			release, err := s.take(t.Context(), "a", unified.BatchDelete)
			require.NoError(t, err)
			releases = append(releases, release)
		}
		_, err = s.take(t.Context(), "a", unified.BatchDelete)
		assert.True(t, errs.Is(err, errs.Overloaded), "%v", err)
		for _, release := range releases {
			release()
		}
		assert.Empty(t, s.using, "nothing is kept of accounts that have nothing under way")
	})
}
