package sdk

import (
	"context"
	"regexp"
	"sync"

	"github.com/unicrm/unicrm/sdk/errs"
)

// patterns keeps compiled id patterns; a process has a handful.
var patterns sync.Map

func compiled(pattern string) *regexp.Regexp {
	if known, ok := patterns.Load(pattern); ok {
		return known.(*regexp.Regexp)
	}
	known, _ := patterns.LoadOrStore(pattern, regexp.MustCompile(`\A(?:`+pattern+`)\z`))
	return known.(*regexp.Regexp)
}

// withID calls do when the id fits the pattern. The host checks first; this
// holds for hosts that do not.
func withID[R any](ctx context.Context, call *Call, pattern, id string, do func(context.Context, *Call, string) (*R, error)) (*R, error) {
	if !compiled(pattern).MatchString(id) {
		return nil, errs.New(errs.InvalidID, "no record of this provider can have the id %.100q", id)
	}
	return do(ctx, call, id)
}
