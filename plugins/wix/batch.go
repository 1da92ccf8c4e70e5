package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// maxBatch is how many contacts one call deletes: as many as one query tells of.
const maxBatch = pageCap

// lookTime is kept back from a call's time to see what a job has done.
const lookTime = 5 * time.Second

// deleteOneByOne takes what a job has left, at the rate that Wix grants.
var deleteOneByOne = sdk.FanOut(deletion, idPattern, 200.0/60)

// deleteContacts deletes by one job of Wix's, which takes a filter: the 200
// calls a minute that Wix grants would not do for as many deletes of one
// contact. A job's report has numbers and codes but no ids, so the contacts are
// looked for before and, unless it says that all went well, after. What it has
// left is deleted one by one, whose answers say why.
func deleteContacts(ctx context.Context, call *sdk.Call, ids []string) ([]sdk.Outcome, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	there, err := thoseThere(ctx, client, ids)
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		there = ids
	case err != nil:
		return nil, err
	}
	failed := map[string]error{}
	for _, id := range ids {
		if !slices.Contains(there, id) {
			failed[id] = errs.New(errs.RecordNotFound, "Wix has no contact %s", id)
		}
	}
	if len(there) == 0 { // a filter without ids might be everybody
		return sdk.OutcomesOf(ids, failed), nil
	}
	left, err := deleteByJob(ctx, call, client, there)
	if err != nil {
		return nil, err
	}
	maps.Copy(failed, left)
	return sdk.OutcomesOf(ids, failed), nil
}

// thoseThere gives the ids, as they are given, of the contacts that exist.
func thoseThere(ctx context.Context, client *vendorhttp.Client, ids []string) ([]string, error) {
	seen := map[string]bool{}
	for offset := 0; ; {
		response, err := client.Side(ctx, queryRequest(querying(withIDs(ids), pageCap, offset, "BASIC")))
		if err != nil {
			return nil, err
		}
		records, paging, err := listIn(response, pageCap)
		if err != nil {
			return nil, err
		}
		for _, record := range records {
			seen[strings.ToLower(record.ID.String())] = true
		}
		if offset += len(records); !paging.more(offset, len(records), pageCap) || offset >= len(ids) {
			break
		}
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !seen[strings.ToLower(id)] }), nil
}

func withIDs(ids []string) *vendorjson.Body {
	filter := &vendorjson.Body{}
	filter.Object("id", "").Set("$in", "", ids)
	return filter
}

// deleteByJob tells of each contact that was not deleted why. An error means
// that none was.
func deleteByJob(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, ids []string) (map[string]error, error) {
	body := &vendorjson.Body{}
	body.Set("filter", "", withIDs(ids))
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodPost, Path: []string{"bulk", "contacts", "delete"}, Body: body})
	if errs.Is(err, errs.OutcomeUnknown) {
		return all(ids, err), nil
	}
	if err != nil {
		return nil, err
	}
	var started struct {
		JobID vendorjson.Text `json:"jobId"`
	}
	_ = json.Unmarshal(response.Body, &started) // without a job there is nothing to wait for
	id := started.JobID.String()
	report := follow(ctx, client, id)
	if report.ended && report.failed == "0" && report.succeeded == strconv.Itoa(len(ids)) {
		return nil, nil
	}
	left, err := thoseThere(ctx, client, ids)
	if err != nil {
		return all(ids, errs.New(errs.OutcomeUnknown, "the contact was to be deleted by the job %s at Wix, and what it did could not be seen: %s", id, err)), nil
	}
	if !report.ended {
		return all(left, errs.New(errs.OutcomeUnknown, "the job %s at Wix, which is to delete the contact, had not come to its end when the time was up", id)), nil
	}
	if len(left) == 0 {
		return nil, nil
	}
	outcomes, err := deleteOneByOne.Do(ctx, call, left)
	failed := map[string]error{}
	for _, outcome := range outcomes {
		if outcome.Err != nil && !errs.Is(outcome.Err, errs.RecordNotFound) { // which is the job's doing
			failed[outcome.ID] = outcome.Err
		}
	}
	return failed, err
}

func all(ids []string, err error) map[string]error {
	failed := map[string]error{}
	for _, id := range ids {
		failed[id] = err
	}
	return failed
}

// report is what a job says of itself.
type report struct {
	ended             bool
	succeeded, failed string
}

// follow asks for a job, with growing waits, until it has ended or the call's
// time draws to its close.
func follow(ctx context.Context, client *vendorhttp.Client, id string) report {
	const longest = 4 * time.Second
	for wait := 250 * time.Millisecond; id != ""; wait = min(2*wait, longest) {
		response, err := client.Side(ctx, get("bulk", "jobs", id))
		if err == nil {
			if r := reportIn(response); r.ended {
				return r
			}
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait+lookTime {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return report{}
		}
	}
	return report{}
}

// reportIn reads a job, be it in an envelope, whose name no page gives, or bare.
func reportIn(response *vendorhttp.Response) report {
	type job struct {
		Status   vendorjson.Text `json:"status"`
		Finished vendorjson.Text `json:"finishedDate"`
		Success  vendorjson.Text `json:"successTotal"`
		Failed   vendorjson.Text `json:"failedTotal"`
	}
	var body struct {
		job
		Job *job `json:"job"`
	}
	_ = json.Unmarshal(response.Body, &body) // what cannot be read has not ended
	if body.Job == nil {
		body.Job = &body.job
	}
	return report{
		ended:     body.Job.Status.String() == "COMPLETED" || body.Job.Finished.Ptr() != nil,
		succeeded: body.Job.Success.String(), failed: body.Job.Failed.String(),
	}
}
