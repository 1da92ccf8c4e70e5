package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
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

// maxLabels is the most labels that Wix lists at once.
const maxLabels = 2000

// nameLabels fills in the names of the contacts' labels by at most one call
// for the whole page: none when no contact has a label or the names are at
// hand. Contacts hold only the keys.
func nameLabels(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, contacts []crm.Contact) {
	names, _ := labelNames.Get(call, "labels")
	if putNames(contacts, names) == 0 {
		return
	}
	names, err := listLabels(ctx, call, client)
	if err == nil && putNames(contacts, names) > 0 {
		err = errs.New(errs.UnexpectedVendorAnswer, "the list of labels lacks some that contacts have")
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

// labelRecord is a record of /contacts/v4/labels.
type labelRecord struct {
	Key         vendorjson.Text `json:"key"`
	DisplayName vendorjson.Text `json:"displayName"`
}

// listLabels asks for as many labels as Wix gives at once, and keeps them.
func listLabels(ctx context.Context, call *sdk.Call, client *vendorhttp.Client) (map[string]string, error) {
	request := get("labels")
	request.Query = []vendorhttp.Param{{Name: "paging.limit", Value: fmt.Sprint(maxLabels)}}
	response, err := client.Side(ctx, request)
	if err != nil {
		return nil, err
	}
	var body struct {
		Labels vendorjson.List[labelRecord] `json:"labels"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	names := make(map[string]string, len(body.Labels))
	for _, label := range body.Labels {
		names[label.Key.String()] = label.DisplayName.String()
	}
	labelNames.Put(call, "labels", names)
	return names, nil
}

// tagging is what a write does with a contact's labels.
type tagging struct {
	named  bool // whether the write says anything of tags
	labels []label
	names  map[string]string // those of the site's labels by key, as far as known
}

// label is one that the contact is to have.
type label struct {
	key        string // "" until it is made
	name, path string
}

// resolveTags finds the labels that a change names, by key or by name, and
// changes nothing. A label that has only a name and is not there will be made; a
// key that is not there is refused, since Wix makes the keys.
func resolveTags(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, change *sdk.Change[crm.Contact], present []crm.Tag) (*tagging, error) {
	given := change.Record.Tags
	t := &tagging{named: given != nil || change.Clears("tags")}
	names, _ := labelNames.Get(call, "labels")
	labels, all := find(given, present, names)
	if !all {
		// What is not at hand may be new. Where Wix does not tell its labels, or
		// nothing may be sent, it decides about keys itself.
		loaded, err := listLabels(ctx, call, client)
		switch {
		case err == nil:
			names = loaded
			labels, _ = find(given, present, names)
		case ctx.Err() != nil:
			return nil, err
		case !errors.Is(err, vendorhttp.ErrNotSent):
			call.Log().Warn("the labels could not be read", "cause", err)
		}
	}
	unknown := &errs.Error{Reason: errs.InvalidBody}
	for i := range labels {
		l, id := &labels[i], text(given[i].ID)
		known, told := names[l.key]
		switch {
		case id == "":
		case id == l.key:
			if told && l.name != "" && l.name != known {
				call.Lose(l.path+".name", "the label "+id+" is called "+known)
			}
		case len(names) == 0 || len(names) >= maxLabels:
			l.key = id
		case l.name != "":
			call.Lose(l.path+".id", "no label of the site has this key")
		default:
			unknown.Fields = append(unknown.Fields, errs.Field{Path: l.path + ".id", Description: "is the key of no label of this site; give a name to have one made"})
		}
	}
	if len(unknown.Fields) > 0 {
		unknown.Message = unknown.Fields[0].Path + " " + unknown.Fields[0].Description
		return nil, unknown
	}
	t.labels, t.names = labels, names
	return t, nil
}

// find looks tags up by key, among the site's labels and the contact's own,
// else by name, those that the site has made first. all tells whether the names
// sufficed for it.
func find(tags, present []crm.Tag, names map[string]string) (labels []label, all bool) {
	all = true
	keys := slices.Sorted(maps.Keys(names))
	slices.SortStableFunc(keys, func(a, b string) int {
		switch own := strings.HasPrefix(a, customPrefix); {
		case own == strings.HasPrefix(b, customPrefix):
			return 0
		case own:
			return -1
		default:
			return 1
		}
	})
	for i, tag := range tags {
		l, id := label{name: text(tag.Name), path: fmt.Sprintf("tags[%d]", i)}, text(tag.ID)
		_, known := names[id]
		has := slices.ContainsFunc(present, func(p crm.Tag) bool { return *p.ID == id })
		named := slices.IndexFunc(keys, func(key string) bool { return l.name != "" && names[key] == l.name })
		switch {
		case known || has:
			l.key = id
			all = all && (known || l.name == "")
		case named >= 0:
			l.key = keys[named]
			all = all && id == ""
		default:
			all = false
		}
		labels = append(labels, l)
	}
	return labels, all
}

// make makes the labels that are not there yet; Wix finds one that is there by
// now.
func (t *tagging) make(ctx context.Context, call *sdk.Call, client *vendorhttp.Client) error {
	for i := range t.labels {
		l := &t.labels[i]
		if l.key != "" {
			continue
		}
		body := &vendorjson.Body{}
		body.Set("displayName", l.path+".name", l.name)
		response, err := client.Side(ctx, vendorhttp.Request{Method: http.MethodPost, Path: []string{"labels"}, Body: body})
		if errors.Is(err, vendorhttp.ErrNotSent) {
			l.key = "(the key of " + l.name + ")"
			continue
		}
		if err != nil {
			return body.Unified(err)
		}
		var answer struct {
			Label labelRecord `json:"label"`
		}
		if err := response.Decode(&answer); err != nil {
			return err
		}
		if l.key = answer.Label.Key.String(); l.key == "" {
			return response.Error(errs.UnexpectedVendorAnswer, "Wix answered without the label that it was to find or make")
		}
		if t.names != nil {
			t.names = maps.Clone(t.names) // the one in the cache is others' too
			t.names[l.key] = answer.Label.DisplayName.String()
			labelNames.Put(call, "labels", t.names)
		}
	}
	return nil
}

// put gives a contact its labels: the ones that it lacks, less those of the
// site's own that it is not to keep. Labels of Wix and its apps stay. It gives
// the contact as it is then, nil when nothing had to be done. Where nothing else
// is written these calls are the main ones; else what was written before stays
// written when they fail, and the error says so.
func (t *tagging) put(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, id string, present []crm.Tag, written bool) (*crm.Contact, error) {
	if !t.named {
		return nil, nil
	}
	var wanted, there []string
	for _, l := range t.labels {
		if !slices.Contains(wanted, l.key) {
			wanted = append(wanted, l.key)
		}
	}
	for _, tag := range present {
		there = append(there, *tag.ID)
	}
	add := slices.DeleteFunc(slices.Clone(wanted), func(key string) bool { return slices.Contains(there, key) })
	remove := slices.DeleteFunc(there, func(key string) bool {
		return !strings.HasPrefix(key, customPrefix) || slices.Contains(wanted, key)
	})
	send := client.Main
	if written {
		send = client.Side
	}
	var contact *crm.Contact
	for _, change := range []struct {
		keys    []string
		request func(keys []string) vendorhttp.Request
	}{{add, labelling(id)}, {remove, unlabelling(id)}} {
		const atOnce = 100
		for keys := range slices.Chunk(change.keys, atOnce) {
			response, err := send(ctx, change.request(keys))
			if errors.Is(err, vendorhttp.ErrNotSent) {
				continue
			}
			if err == nil {
				contact, err = contactIn(response, id)
			}
			if err != nil {
				labelNames.Forget(call, "labels") // one of them may be gone
				return nil, failedTags(err, id, written)
			}
			written = true
		}
	}
	return contact, nil
}

func labelling(id string) func([]string) vendorhttp.Request {
	return func(keys []string) vendorhttp.Request {
		return vendorhttp.Request{Method: http.MethodPost, Path: []string{"contacts", id, "labels"}, Body: map[string]any{"labelKeys": keys}}
	}
}

// unlabelling has the keys in the query, each under the name of the whole list.
func unlabelling(id string) func([]string) vendorhttp.Request {
	return func(keys []string) vendorhttp.Request {
		request := vendorhttp.Request{Method: http.MethodDelete, Path: []string{"contacts", id, "labels"}}
		for _, key := range keys {
			request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "labelKeys", Value: key})
		}
		return request
	}
}

// failedTags is the error of labels that could not be changed.
func failedTags(err error, id string, written bool) error {
	var e *errs.Error
	switch {
	case written:
		return sdk.Unfinished(id, "tags", err)
	case !errors.As(err, &e) || e.Vendor == nil:
		return err
	}
	told := *e
	told.Fields = []errs.Field{{Path: "tags", Description: e.Message}}
	return &told
}
