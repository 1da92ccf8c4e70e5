package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

const (
	// bulkSize is how many ids go into one bulk_destroy. No limit of it is
	// known; that of bulk_upsert is 100.
	bulkSize = 100
	// fewIDs are deleted one by one, which then costs no more calls.
	fewIDs = 4
	// perSecond is how fast single requests about many contacts go out.
	perSecond = 10
	binPage   = 100
)

var oneByOne = sdk.FanOut(deletion, idPattern, perSecond)

// deleteContacts uses bulk_destroy, of whose answer nothing is known and which
// does not tell one id from another. What it did is seen in the recycle bin,
// newest first: what is there now and was not before has just been deleted.
// The others are looked at one by one. Where there is no bin to be seen, each
// contact is deleted by itself.
func deleteContacts(ctx context.Context, call *sdk.Call, ids []string) ([]sdk.Outcome, error) {
	if len(ids) <= fewIDs {
		return oneByOne.Do(ctx, call, ids)
	}
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	b := &bin{call: call, client: client}
	switch err := b.open(ctx); {
	case errors.Is(err, errNoView), errs.Is(err, errs.VendorForbidden):
		return oneByOne.Do(ctx, call, ids)
	case err != nil && !errors.Is(err, vendorhttp.ErrNotSent):
		return nil, err
	}
	outcomes, err := sdk.InChunks(ids, bulkSize, func(chunk []string) ([]sdk.Outcome, error) {
		return sdk.OutcomesOf(chunk, nil), destroy(ctx, client, chunk)
	})
	if err != nil || call.IsDryRun() {
		return outcomes, err
	}
	return b.settle(ctx, outcomes), nil
}

// destroy moves contacts to the recycle bin. When its answer is lost, the bin
// tells as much as the answer would have.
func destroy(ctx context.Context, client *vendorhttp.Client, ids []string) error {
	numbers := make([]json.Number, len(ids))
	for i, id := range ids {
		numbers[i] = json.Number(id)
	}
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodPost, Path: []string{"contacts", "bulk_destroy"}, Body: map[string]any{"selected_ids": numbers}})
	if errs.Is(err, errs.OutcomeUnknown) && ctx.Err() == nil {
		return nil
	}
	if err != nil {
		return err
	}
	return refusal(response)
}

// bin is the recycle bin, newest first.
type bin struct {
	call   *sdk.Call
	client *vendorhttp.Client
	newest *time.Time      // when the bin was opened
	held   map[string]bool // its newest contacts then
}

func (b *bin) page(ctx context.Context, page int) ([]contact, bool, error) {
	request := vendorhttp.Request{Fixed: sorted(sdk.SortKey{Field: "updated_at", Descending: true})}
	return readPage(ctx, b.call, b.client, b.client.Side, recycleBinName, request, position{Page: page, Size: binPage})
}

// open remembers the front of the bin.
func (b *bin) open(ctx context.Context) error {
	records, _, err := b.page(ctx, 1)
	b.held = map[string]bool{}
	for i := range records {
		b.held[records[i].ID.String()] = true
		if b.newest == nil {
			b.newest = deletedAt(&records[i])
		}
	}
	return err
}

// deletedAt is when a contact in the bin was deleted, which is its last change.
func deletedAt(c *contact) *time.Time { return vendorjson.Time(c.UpdatedAt, time.RFC3339) }

// isNew tells whether a contact in the bin has got there since it was opened.
func (b *bin) isNew(c *contact) bool {
	if len(b.held) == 0 {
		return true
	}
	at := deletedAt(c)
	return !b.held[c.ID.String()] && b.newest != nil && at != nil && !at.Before(*b.newest)
}

// arrived gives the contacts that have got into the bin since it was opened.
func (b *bin) arrived(ctx context.Context, expected int) (map[string]bool, error) {
	found := map[string]bool{}
	for page := 1; page <= expected/binPage+3; page++ {
		records, more, err := b.page(ctx, page)
		if err != nil {
			return nil, err
		}
		for i := range records {
			if b.isNew(&records[i]) {
				found[records[i].ID.String()] = true
			}
		}
		if !more || len(records) == 0 || !b.isNew(&records[len(records)-1]) {
			break
		}
	}
	return found, nil
}

// settle finds out what became of the contacts that bulk_destroy took.
func (b *bin) settle(ctx context.Context, outcomes []sdk.Outcome) []sdk.Outcome {
	arrived, err := b.arrived(ctx, len(outcomes))
	told := map[string]error{}
	var open []string
	for _, o := range outcomes {
		switch {
		case o.Err != nil || arrived[o.ID]:
		case err != nil:
			told[o.ID] = notSeen("what became of it could not be seen", err)
		case b.held[o.ID]:
			told[o.ID] = errs.New(errs.RecordNotFound, "the contact %s was deleted before", o.ID)
		default:
			open = append(open, o.ID)
		}
	}
	for _, looked := range b.lookAt(ctx, open, len(arrived) > 0) {
		told[looked.ID] = looked.Err
	}
	for i := range outcomes {
		if cause, ok := told[outcomes[i].ID]; ok {
			outcomes[i].Err = cause
		}
	}
	return outcomes
}

// lookAt looks at contacts that have not turned up in the bin. FanOut looks as
// it would delete: several at once, at the same pace.
func (b *bin) lookAt(ctx context.Context, ids []string, moves bool) []sdk.Outcome {
	looks := sdk.FanOut(&sdk.Delete[crm.Contact]{Do: func(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
		return nil, b.look(ctx, call, id, moves)
	}}, idPattern, perSecond)
	looked, _ := looks.Do(ctx, b.call, ids) // FanOut tells of each by itself
	for i, o := range looked {
		if o.Err != nil && !errs.Is(o.Err, errs.RecordNotFound) && !errs.Is(o.Err, errs.VendorForbidden) && !errs.Is(o.Err, errs.OutcomeUnknown) {
			looked[i].Err = notSeen("what became of it could not be seen", o.Err)
		}
	}
	return looked
}

// look tells what became of one contact. One that was in the bin before all
// this was not there to be deleted; that it was is certain only when this very
// batch has shown (moves) that what is deleted goes to the front of the bin.
func (b *bin) look(ctx context.Context, call *sdk.Call, id string, moves bool) error {
	client, err := newClient(call)
	if err != nil {
		return err
	}
	record, err := read(ctx, client.Side, id)
	switch {
	case err == nil:
		return notSeen("it is still there", nil)
	case !bool(record.IsDeleted):
		return err // not found, or no answer
	case b.isNew(&record):
		return nil
	case moves:
		return err
	default:
		return notSeen("it is in the recycle bin, and whether it was before cannot be seen", nil)
	}
}

func notSeen(what string, cause error) error {
	e := errs.New(errs.OutcomeUnknown, "Freshsales was asked to delete the contact, but %s", what)
	e.Cause = cause
	return e
}
