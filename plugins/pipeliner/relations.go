package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/sdk/crm"
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

// accountRelation is a row between a contact and an account. It is seen only
// when the caller asks for it by an expand of their own.
type accountRelation struct {
	IsPrimary vendorjson.Bool `json:"is_primary"`
	AccountID vendorjson.Text `json:"account_id"`
	Account   reference       `json:"account"`
}

// tagRelation is a row between a contact and a tag. Its own id is not the
// tag's.
type tagRelation struct {
	tag     crm.Tag
	unnamed bool
}

// UnmarshalJSON implements json.Unmarshaler. It does not fail.
func (t *tagRelation) UnmarshalJSON(data []byte) error {
	*t = tagRelation{}
	row := members(data)
	if row == nil {
		var uri reference
		_ = uri.UnmarshalJSON(data)
		if uri.collection == "Tags" { // and not TagRelations
			t.tag.ID = uri.id
		}
		t.unnamed = uri.isURI
		return nil
	}
	var tag reference
	_ = tag.UnmarshalJSON(row["tag"])
	t.tag = crm.Tag{ID: tag.id, Name: tag.name}
	if t.tag.ID == nil {
		t.tag.ID = text(row["tag_id"]).Ptr()
	}
	t.unnamed = t.tag.ID != nil && t.tag.Name == nil
	return nil
}

// account is the contact's first account: the linked one or, when there is
// none, the company that somebody wrote down in words.
func (c contact) account() *crm.AccountReference {
	account := crm.AccountReference{ID: c.PrimaryAccount.id, Name: c.PrimaryAccount.name}
	for _, row := range c.AccountRelations {
		if account.ID == nil && bool(row.IsPrimary) {
			account = crm.AccountReference{ID: row.Account.id, Name: row.Account.name}
			if account.ID == nil {
				account.ID = row.AccountID.Ptr()
			}
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
func (c contact) unnamed() bool {
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
