package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// FieldTable knows the custom fields of each account, so that a write of one
// that does not exist is refused with the names of those that do. V is what the
// provider wants to know of a field.
type FieldTable[V any] struct {
	load  func(ctx context.Context, client *vendorhttp.Client) (map[string]V, error)
	cache *Cache[map[string]V]
}

// NewFieldTable makes a table; load reads all fields of an account, by name,
// with Side calls.
func NewFieldTable[V any](load func(ctx context.Context, client *vendorhttp.Client) (map[string]V, error)) *FieldTable[V] {
	return &FieldTable[V]{load: load, cache: NewCache[map[string]V](10 * time.Minute)}
}

// Check gives what is known of an account's fields, having made sure that each
// key of customFields is one of them: [UnknownFields] otherwise. A field that
// the table does not have is looked for once more, since it may be new. Where
// the vendor does not tell its fields, or nothing may be sent, the table is nil
// and the vendor decides. Without custom fields nothing is asked.
func (t *FieldTable[V]) Check(ctx context.Context, call *Call, client *vendorhttp.Client, customFields json.RawMessage) (map[string]V, error) {
	var names []string
	for _, m := range vendorjson.Members(customFields) {
		names = append(names, m.Key)
	}
	if len(names) == 0 {
		return nil, nil
	}
	table, cached := t.cache.Get(call, "fields")
	if cached && !slices.ContainsFunc(names, func(name string) bool { _, ok := table[name]; return !ok }) {
		return table, nil
	}
	table, err := t.load(ctx, client)
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		call.warnings = append(call.warnings, errs.Field{Path: "custom_fields", Description: "were not checked: the vendor's names of them were not asked for"})
		return nil, nil
	case err != nil:
		if ctx.Err() != nil {
			return nil, err
		}
		call.Log().Warn("the names of custom fields could not be read", "cause", err)
		return nil, nil
	}
	t.cache.Put(call, "fields", table)
	return table, UnknownFields(names, slices.Sorted(maps.Keys(table)))
}
