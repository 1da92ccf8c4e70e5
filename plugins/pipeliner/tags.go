package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// wantedTag is a tag that the contact is to have, and the field that names it.
type wantedTag struct{ id, path string }

// A new tag has to have a color; this one is grey. Which records can have it is
// a bit for each kind.
const (
	newTagColor = 0x808080
	forContacts = 1
)

// wantedTags finds the tags that are given and makes those that do not exist,
// each once.
func wantedTags(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, given []crm.Tag, present *contact) ([]wantedTag, error) {
	all := make([]wantedTag, len(given))
	for i, tag := range given {
		all[i].path = fmt.Sprintf("tags[%d]", i)
		var err error
		if all[i].id, err = knownTag(ctx, call, client, tag, all[i].path, present); err != nil {
			return nil, err
		}
	}
	made := map[string]string{}
	var wanted []wantedTag
	for i, tag := range all {
		if tag.id == "" { // only now, when nothing else is against the write
			name := *given[i].Name
			if made[name] == "" {
				var err error
				if made[name], err = makeTag(ctx, client, name, tag.path+".name"); err != nil {
					return nil, err
				}
			}
			tag.id = made[name]
		}
		if !slices.ContainsFunc(wanted, func(other wantedTag) bool { return same(&other.id, &tag.id) }) {
			wanted = append(wanted, tag)
		}
	}
	return wanted, nil
}

// knownTag gives the id of a tag that is given by id or by name, "" for a name
// that no tag has. The contact's own tags need no call.
func knownTag(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, tag crm.Tag, path string, present *contact) (string, error) {
	if tag.ID != nil && !isUUID.MatchString(*tag.ID) {
		return "", noID(path + ".id")
	}
	known := crm.Tag{}
	for _, row := range present.Tags {
		if same(tag.ID, row.tag.ID) || (tag.ID == nil && row.tag.Name != nil && *tag.Name == *row.tag.Name) {
			known = row.tag
		}
	}
	var err error
	switch {
	case tag.ID == nil && known.ID == nil:
		known, err = findTag(ctx, client, *tag.Name)
	case tag.ID != nil && tag.Name != nil && known.Name == nil: // so that another name is not lost unnoticed
		known, err = readTag(ctx, client, *tag.ID, path)
	}
	switch {
	case err != nil && !errors.Is(err, vendorhttp.ErrNotSent):
		return "", err
	case tag.ID == nil && known.ID == nil:
		return "", nil
	case tag.ID == nil:
		return *known.ID, nil
	case tag.Name != nil && known.Name != nil && *known.Name != *tag.Name:
		call.Lose(path+".name", "the tag with this id is called "+*known.Name)
	}
	return *tag.ID, nil
}

// findTag looks for a tag by its name, to the letter; a tag without an id is
// none.
func findTag(ctx context.Context, client *vendorhttp.Client, name string) (crm.Tag, error) {
	request := get("Tags")
	request.Fixed = append(filter("name", "eq", name), vendorhttp.Param{Name: "first", Value: strconv.Itoa(largestPage)})
	response, err := ask(ctx, client.Side, request)
	if err != nil {
		return crm.Tag{}, aboutSpace(err)
	}
	items, _, err := pageOf(response, largestPage, "")
	if err != nil {
		return crm.Tag{}, err
	}
	for _, item := range items {
		tag := members(item)
		if id := text(tag["id"]).Ptr(); id != nil && text(tag["name"]).String() == name && takenByContacts(text(tag["supported_entities"])) {
			return crm.Tag{ID: id, Name: &name}, nil
		}
	}
	return crm.Tag{}, nil
}

// takenByContacts tells whether contacts can have a tag; one that does not say
// what it is for is for all.
func takenByContacts(kinds vendorjson.Text) bool {
	bits, err := strconv.Atoi(kinds.String())
	return err != nil || bits&forContacts != 0
}

// readTag reads the name of a tag.
func readTag(ctx context.Context, client *vendorhttp.Client, id, path string) (crm.Tag, error) {
	response, err := ask(ctx, client.Side, get("Tags", id))
	if err != nil {
		var e *errs.Error
		if errors.As(err, &e) && e.Reason == errs.RecordNotFound {
			absent := *e
			absent.Reason, absent.Fields = errs.VendorRejected, []errs.Field{{Path: path + ".id", Description: "there is no such tag"}}
			return crm.Tag{}, &absent
		}
		return crm.Tag{}, err
	}
	record, err := dataOf(response)
	return crm.Tag{ID: &id, Name: text(record["name"]).Ptr()}, err
}

// makeTag makes a tag for contacts. In a dry run its id says what it stands for.
func makeTag(ctx context.Context, client *vendorhttp.Client, name, path string) (string, error) {
	body := &vendorjson.Body{}
	body.Set("name", path, name)
	body.Set("color", path, newTagColor)
	body.Set("supported_entities", path, forContacts)
	response, err := ask(ctx, client.Side, vendorhttp.Request{Method: http.MethodPost, Path: []string{"Tags"}, Body: body})
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		return "(of the tag " + name + ")", nil
	case err != nil:
		return "", aboutSpace(inRowsWords(body, err))
	}
	return newID(response)
}

// changeTags makes the rows of the tags that the contact has not, and then ends
// those of the tags that it is not to have.
func changeTags(ctx context.Context, client *vendorhttp.Client, id string, present *contact, wanted []wantedTag) (changed bool, _ error) {
	has := map[string]bool{} // by the wanted tag's id
	var gone []string        // rows
	for i := range present.Tags {
		row := &present.Tags[i]
		if row.tag.ID == nil && row.id != nil {
			if err := readRow(ctx, client, "TagRelations", *row.id, row); err != nil {
				return false, err
			}
		}
		at := slices.IndexFunc(wanted, func(tag wantedTag) bool { return same(&tag.id, row.tag.ID) })
		switch {
		case at >= 0:
			has[wanted[at].id] = true
		case row.id == nil:
			return false, errs.New(errs.UnexpectedVendorAnswer, "Pipeliner does not show the row between the contact and one of its tags")
		default:
			gone = append(gone, *row.id)
		}
	}
	for _, tag := range wanted {
		if has[tag.id] {
			continue
		}
		changed = true
		body := &vendorjson.Body{}
		body.Set("contact_id", "", id)
		body.Set("tag_id", tag.path, tag.id)
		body.Alias("tag", tag.path)
		if err := changeRow(ctx, client, vendorhttp.Request{Method: http.MethodPost, Path: []string{"TagRelations"}}, body); err != nil {
			return changed, err
		}
	}
	for _, row := range gone {
		changed = true
		if err := changeRow(ctx, client, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"TagRelations", row}}, nil); err != nil {
			return changed, err
		}
	}
	return changed, nil
}
