package main

import (
	"context"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// labelNames keeps the site's labels by key, for Wix grants 200 calls a minute
// for everything. A key never changes; a label renamed meanwhile shows its old
// name for as long.
var labelNames = sdk.NewCache[map[string]string](5 * time.Minute)

// nameLabels fills in the names of the contacts' labels by at most one call
// for the whole page: none when no contact has a label or the names are at
// hand. Contacts hold only the keys.
func nameLabels(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, contacts []crm.Contact) {
	names, _ := labelNames.Get(call, "labels")
	if putNames(contacts, names) == 0 {
		return
	}
	names, err := listLabels(ctx, client)
	if err == nil {
		labelNames.Put(call, "labels", names)
		if putNames(contacts, names) > 0 {
			err = errs.New(errs.UnexpectedVendorAnswer, "the list of labels lacks some that contacts have")
		}
	}
	if err != nil {
		call.Partial("names of labels", err)
	}
}

// putNames names the tags that are in names and counts those left without.
func putNames(contacts []crm.Contact, names map[string]string) int {
	missing := 0
	for i := range contacts {
		for j := range contacts[i].Tags {
			tag := &contacts[i].Tags[j]
			if name, ok := names[*tag.ID]; ok {
				tag.Name = crm.Text(name)
			}
			if tag.Name == nil {
				missing++
			}
		}
	}
	return missing
}

// listLabels asks for as many labels as Wix gives at once.
func listLabels(ctx context.Context, client *vendorhttp.Client) (map[string]string, error) {
	request := get("labels")
	request.Query = []vendorhttp.Param{{Name: "paging.limit", Value: "2000"}}
	response, err := client.Side(ctx, request)
	if err != nil {
		return nil, err
	}
	var body struct {
		Labels vendorjson.List[struct {
			Key         vendorjson.Text `json:"key"`
			DisplayName vendorjson.Text `json:"displayName"`
		}] `json:"labels"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	names := make(map[string]string, len(body.Labels))
	for _, label := range body.Labels {
		names[label.Key.String()] = label.DisplayName.String()
	}
	return names, nil
}
