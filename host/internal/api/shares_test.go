package api

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

func TestOneAccountCannotTakeAllPlaces(t *testing.T) {
	s := &shares{taken: map[string]int{}}
	var releases []func()
	for range accountCalls {
		release, err := s.take("a", unified.Get)
		require.NoError(t, err)
		releases = append(releases, release)
	}
	_, err := s.take("a", unified.List)
	assert.True(t, errs.Is(err, errs.Overloaded), "%v", err)
	other, err := s.take("b", unified.List)
	require.NoError(t, err, "the others go on")
	other()
	for range accountBatches {
		release, err := s.take("a", unified.BatchDelete)
		require.NoError(t, err)
		releases = append(releases, release)
	}
	_, err = s.take("a", unified.BatchDelete)
	assert.True(t, errs.Is(err, errs.Overloaded), "%v", err)
	for _, release := range releases {
		release()
	}
	assert.Empty(t, s.taken, "nothing is kept of accounts that have nothing under way")
}
