package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// expanded asks for the records behind two relations; without it a contact
// has only the URIs of them. A tag is two hops away.
const expanded = "primary_account,tags.tag"

// reference is a relation to one record: null, the record's URI, or, when it
// was expanded, the record.
type reference struct {
	id, name   *string
	collection string // of a URI
	isURI      bool
}

// UnmarshalJSON implements json.Unmarshaler. It does not fail.
func (r *reference) UnmarshalJSON(data []byte) error {
	*r = reference{}
	if record := members(data); record != nil {
		r.id, r.name = text(record["id"]).Ptr(), text(record["name"]).Ptr()
		return nil
	}
	if uri := text(data).String(); uri != "" {
		r.collection, r.id = fromURI(uri)
		r.isURI = true
	}
	return nil
}

// fromURI takes the collection and the id out of a URI by its last two
// segments. The URI is never followed: its host can differ from the one that
// the key is for.
func fromURI(uri string) (collection string, id *string) {
	u, err := url.Parse(strings.TrimSpace(uri))
	if err != nil {
		return "", nil
	}
	segments := strings.Split(strings.TrimRight(u.Path, "/"), "/")
	last := segments[len(segments)-1]
	if !isUUID.MatchString(last) {
		return "", nil
	}
	if len(segments) > 1 {
		collection = segments[len(segments)-2]
	}
	return collection, &last
}

// row is what the rows between two records have in common.
type row struct {
	id    *string
	isURI bool // nothing but the id is known
}

// read takes the id of a row, which is an object or a URI of its collection.
func (r *row) read(data []byte, collection string) (object map[string]json.RawMessage) {
	if object = members(data); object != nil {
		*r = row{id: text(object["id"]).Ptr()}
		return object
	}
	var uri reference
	_ = uri.UnmarshalJSON(data)
	*r = row{isURI: uri.isURI}
	if uri.collection == collection {
		r.id = uri.id
	}
	return nil
}

// accountRelation is a row between a contact and an account. It is seen whole
// only where it was asked for by expand.
type accountRelation struct {
	row
	primary   bool
	accountID *string
	name      *string // of the account
	position  *string
}

// UnmarshalJSON implements json.Unmarshaler. It does not fail.
func (a *accountRelation) UnmarshalJSON(data []byte) error {
	*a = accountRelation{}
	object := a.read(data, "ContactAccountRelations")
	if object == nil {
		return nil
	}
	var primary vendorjson.Bool
	_ = primary.UnmarshalJSON(object["is_primary"])
	var account reference
	_ = account.UnmarshalJSON(object["account"])
	a.primary, a.name, a.position = bool(primary), account.name, text(object["position"]).Ptr()
	if a.accountID = account.id; a.accountID == nil {
		a.accountID = text(object["account_id"]).Ptr()
	}
	return nil
}

// tagRelation is a row between a contact and a tag. Its own id is not the
// tag's.
type tagRelation struct {
	row
	tag     crm.Tag
	unnamed bool
}

// UnmarshalJSON implements json.Unmarshaler. It does not fail.
func (t *tagRelation) UnmarshalJSON(data []byte) error {
	*t = tagRelation{}
	object := t.read(data, "TagRelations")
	if object == nil {
		var uri reference
		_ = uri.UnmarshalJSON(data)
		if uri.collection == "Tags" { // and not TagRelations
			t.tag.ID = uri.id
		}
		t.unnamed = t.isURI
		return nil
	}
	var tag reference
	_ = tag.UnmarshalJSON(object["tag"])
	t.tag = crm.Tag{ID: tag.id, Name: tag.name}
	if t.tag.ID == nil {
		t.tag.ID = text(object["tag_id"]).Ptr()
	}
	t.unnamed = t.tag.ID != nil && t.tag.Name == nil
	return nil
}

// account is the contact's first account: the linked one or, when there is
// none, the company that somebody wrote down in words.
func (c *contact) account() *crm.AccountReference {
	account := crm.AccountReference{ID: c.PrimaryAccount.id, Name: c.PrimaryAccount.name}
	for _, row := range c.AccountRelations {
		if account.ID == nil && row.primary {
			account = crm.AccountReference{ID: row.accountID, Name: row.name}
		}
	}
	if account.ID == nil && account.Name == nil {
		account.Name = c.QuickAccountName.Ptr()
	}
	if account == (crm.AccountReference{}) {
		return nil
	}
	return &account
}

// unnamed tells whether the contact has an account or a tag that came as a
// URI, thus without its name.
func (c *contact) unnamed() bool {
	return c.PrimaryAccount.isURI || slices.ContainsFunc(c.Tags, func(row tagRelation) bool { return row.unnamed })
}

// members gives the members of a JSON object by their exact names, nil for
// anything else. Decoding into a struct would take a custom field "Name" for
// the vendor's "name".
func members(raw json.RawMessage) map[string]json.RawMessage {
	var found map[string]json.RawMessage
	if vendorjson.Object(raw) == nil || json.Unmarshal(raw, &found) != nil {
		return nil
	}
	return found
}

func text(raw json.RawMessage) (t vendorjson.Text) {
	_ = t.UnmarshalJSON(raw)
	return t
}

// nameBy takes the names behind URIs from an earlier reading of the contact.
func (c *contact) nameBy(seen *contact) {
	if id := seen.PrimaryAccount.id; c.PrimaryAccount.isURI && same(c.PrimaryAccount.id, id) {
		c.PrimaryAccount = seen.PrimaryAccount
	}
	for i := range c.Tags {
		for _, row := range seen.Tags {
			if c.Tags[i].isURI && same(c.Tags[i].id, row.id) {
				c.Tags[i] = row
				break
			}
		}
	}
}

// same tells whether two ids are there and name one record.
func same(a, b *string) bool { return a != nil && b != nil && strings.EqualFold(*a, *b) }

// newRelations puts the account and the tags of a new contact into its body;
// rows come about with it.
func newRelations(body *vendorjson.Body, record crm.Contact, tags []wantedTag) {
	if record.Account != nil && record.Account.ID != nil {
		link := &vendorjson.Body{}
		link.Set("account_id", "account.id", *record.Account.ID)
		link.Set("is_primary", "", true)
		body.Set("account_relations", "account.id", []*vendorjson.Body{link})
	}
	if len(tags) > 0 {
		var rows []map[string]string
		for _, tag := range tags {
			rows = append(rows, map[string]string{"tag_id": tag.id})
		}
		body.Set("tags", "tags", rows)
	}
}

// changeRelations changes the rows beside a contact that was there before, and
// tells whether it changed any. They are handled one by one: whether an array of
// them in a change of the contact replaces rows or adds some is not known.
func changeRelations(ctx context.Context, client *vendorhttp.Client, change *sdk.Change[crm.Contact], present *contact, tags []wantedTag) (changed bool, _ error) {
	if change.ID == "" {
		return false, nil
	}
	linked, err := linkAccount(ctx, client, change, present)
	if err != nil {
		return true, err
	}
	tagged := false
	if change.Record.Tags != nil || change.Clears("tags") {
		tagged, err = changeTags(ctx, client, change.ID, present, tags)
	}
	return linked || tagged, err
}

// linkAccount makes another account the primary one, which takes that from the
// one before and leaves it among the contact's others, or ends the link to the
// primary one. A new link takes the title along; one that was there has its own.
func linkAccount(ctx context.Context, client *vendorhttp.Client, change *sdk.Change[crm.Contact], present *contact) (changed bool, _ error) {
	account := newAccount(change)
	wanted := account
	if before := present.account(); change.Clears("account") && before != nil {
		wanted = before.ID
	}
	if wanted == nil {
		return false, nil
	}
	var link *accountRelation
	for i := range present.AccountRelations {
		row := &present.AccountRelations[i]
		if row.isURI && row.id != nil {
			if err := readRow(ctx, client, "ContactAccountRelations", *row.id, row); err != nil {
				return false, err
			}
		}
		if same(row.accountID, wanted) {
			link = row
		}
	}
	if account == nil {
		if link == nil || link.id == nil {
			return false, errs.New(errs.UnexpectedVendorAnswer, "Pipeliner does not show the row between the contact and its account %s", *wanted)
		}
		return true, changeRow(ctx, client, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"ContactAccountRelations", *link.id}}, nil)
	}
	body := &vendorjson.Body{}
	request := vendorhttp.Request{Method: http.MethodPost, Path: []string{"ContactAccountRelations"}}
	if link != nil && link.id != nil {
		request = vendorhttp.Request{Method: http.MethodPatch, Path: []string{"ContactAccountRelations", *link.id}}
	} else {
		link = &accountRelation{}
		body.Set("account_id", "account.id", *account)
		body.Set("contact_id", "", change.ID)
	}
	body.Set("is_primary", "account.id", true)
	if title := change.Record.Title; title != nil || change.Clears("title") {
		body.Text("position", "title", title, link.position != nil)
	} else if link.position == nil {
		body.Text("position", "", present.jobTitle(), false)
	}
	body.Alias("account", "account.id")
	return true, changeRow(ctx, client, request, body)
}

// readRow reads a row of which only the URI is known.
func readRow(ctx context.Context, client *vendorhttp.Client, collection, id string, row json.Unmarshaler) error {
	response, err := ask(ctx, client.Side, get(collection, id))
	if err != nil {
		return err
	}
	var body envelope
	if err := response.Decode(&body); err != nil {
		return err
	}
	return row.UnmarshalJSON(body.Data)
}

// changeRow sends a change of a row beside the contact. A row that is to go and
// is not there has gone. In a dry run it is noted.
func changeRow(ctx context.Context, client *vendorhttp.Client, request vendorhttp.Request, body *vendorjson.Body) error {
	if body != nil {
		request.Body = body
	}
	_, err := ask(ctx, client.Side, request)
	if errors.Is(err, vendorhttp.ErrNotSent) || (body == nil && errs.Is(err, errs.RecordNotFound)) {
		return nil
	}
	return inRowsWords(body, err)
}

// inRowsWords is inCallersWords for the bodies of rows.
func inRowsWords(body *vendorjson.Body, err error) error {
	var e *errs.Error
	if body == nil || !errors.As(err, &e) || e.Vendor == nil {
		return err
	}
	return body.Unified(err)
}
