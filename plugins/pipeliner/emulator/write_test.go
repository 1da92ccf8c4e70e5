package emulator

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// problems lists "field: name" for everything a validation error names.
func (a answer) problems() []string {
	var all []string
	entityErrors, _ := a.body["entity_errors"].([]any)
	for _, e := range entityErrors {
		all = append(all, ": "+e.(object)["name"].(string))
	}
	fieldErrors, _ := a.body["field_errors"].([]any)
	for _, f := range fieldErrors {
		for _, e := range f.(object)["errors"].([]any) {
			all = append(all, f.(object)["field_name"].(string)+": "+e.(object)["name"].(string))
		}
	}
	return all
}

func TestCreateIsHeldToEachRule(t *testing.T) {
	c := start(t, 1, nil)
	const invalid, missing, relation = "ERROR_PARAMETER_INVALID", "ERROR_PARAMETER_MISSING", "ERROR_RELATIONS_DOESNT_EXIST"
	account, tag := makeID(accountIDs, accounts), makeID(tagIDs, tags)
	for _, tt := range []struct {
		name   string
		change object
		want   []string
	}{
		{"no owner", object{"owner_id": nil}, []string{"owner_id: " + missing, "owner_id: " + missing}},
		{"unknown owner", object{"owner_id": unknownID}, []string{"owner_id: " + relation}},
		{"deleted owner", object{"owner_id": formerOwner}, []string{"owner_id: " + relation}},
		{"malformed owner", object{"owner_id": "me"}, []string{"owner_id: " + invalid}},
		{"no names", object{"last_name": nil}, []string{": " + missing}},
		{"blank names", object{"last_name": "", "first_name": ""}, []string{": " + missing}},
		{"unknown key", object{"account_id": account}, []string{"account_id: " + invalid}},
		{"the URI form of a relation", object{"owner": "https://x/" + firstOwner}, []string{"owner: " + invalid}},
		{"an id of one's own", object{"id": unknownID}, []string{"id: " + invalid}},
		{"is_deleted", object{"is_deleted": true}, []string{"is_deleted: " + invalid}},
		{"modified", object{"modified": "2026-01-01 00:00:00"}, []string{"modified: " + invalid}},
		{"formatted_name", object{"formatted_name": "x"}, []string{"formatted_name: " + invalid}},
		{"primary_account", object{"primary_account": account}, []string{"primary_account: " + invalid}},
		{"primary_account_position", object{"primary_account_position": "x"}, []string{"primary_account_position: " + invalid}},
		{"is_favorite", object{"is_favorite": true}, []string{"is_favorite: " + invalid}},
		{"modified_by_user", object{"modified_by_user": "2026-01-01 00:00:00"}, []string{"modified_by_user: " + invalid}},
		{"a mailbox id", object{"o365_entity_id": "x"}, []string{"o365_entity_id: " + invalid}},
		{"a number for text", object{"first_name": 5}, []string{"first_name: " + invalid}},
		{"text for a flag", object{"is_archived": "yes"}, []string{"is_archived: " + invalid}},
		{"gender out of range", object{"gender": 4}, []string{"gender: " + invalid}},
		{"gender in words", object{"gender": "female"}, []string{"gender: " + invalid}},
		{"share_mode out of range", object{"share_mode": -1}, []string{"share_mode: " + invalid}},
		{"created not in UTC", object{"created": "2026-01-01 00:00:00+02:00"}, []string{"created: " + invalid}},
		{"created not a time", object{"created": "soon"}, []string{"created: " + invalid}},
		{"relations as an object", object{"account_relations": object{}}, []string{"account_relations: " + invalid}},
		{"relations as ids", object{"account_relations": []any{account}}, []string{"account_relations: " + invalid}},
		{"relation without is_primary", object{"account_relations": []any{object{"account_id": account}}}, []string{"account_relations: " + missing}},
		{"relation to no account", object{"account_relations": []any{object{"account_id": unknownID, "is_primary": true}}}, []string{"account_relations: " + relation}},
		{"relation of another contact", object{"account_relations": []any{object{"account_id": account, "is_primary": true, "contact_id": contactID(0)}}}, []string{"account_relations: " + invalid}},
		{"relation with an unknown key", object{"account_relations": []any{object{"account_id": account, "is_primary": true, "name": "x"}}}, []string{"account_relations: " + invalid}},
		{"tag as a name", object{"tags": []any{object{"name": "vip"}}}, []string{"tags: " + invalid, "tags: " + missing, "tags: " + missing}},
		{"tag that is none", object{"tags": []any{object{"tag_id": unknownID}}}, []string{"tags: " + relation}},
		{"tag row with an id", object{"tags": []any{object{"id": tag, "tag_id": tag}}}, []string{"tags: " + relation}},
		{"option of another field", object{"cf_loyalty_tier": optionID(1, 0)}, []string{"cf_loyalty_tier: " + relation}},
		{"option by its name", object{"cf_loyalty_tier": "Gold"}, []string{"cf_loyalty_tier: " + invalid}},
		{"one option where several go", object{"cf_interests": optionID(1, 0)}, []string{"cf_interests: " + invalid}},
		{"a fraction for a whole number", object{"cf_score": 1.5}, []string{"cf_score: " + invalid}},
		{"text for a number", object{"cf_discount": "1"}, []string{"cf_discount: " + invalid}},
		{"a time for a day", object{"cf_customer_since": "2026-01-01T00:00:00Z"}, []string{"cf_customer_since: " + invalid}},
		{"rows that are not kept", object{"sharing_units": []any{object{}}}, []string{"sharing_units: " + invalid}},
		{"two mistakes at once", object{"gender": 9, "unit_id": unknownID}, []string{"gender: " + invalid, "unit_id: " + relation}},
	} {
		body := object{"owner_id": firstOwner, "last_name": "Quill"}
		for key, value := range tt.change {
			body[key] = value
		}
		a := c.call("POST", "Contacts", body)
		assert.Equal(t, 422, a.status, "%s: %s", tt.name, a.raw)
		assert.EqualValues(t, 40000, a.body["code"], tt.name)
		assert.Equal(t, false, a.body["success"], tt.name)
		assert.ElementsMatch(t, tt.want, a.problems(), tt.name)
		assert.Equal(t, strings.Count(a.body["message"].(string), "\n"), len(tt.want), tt.name)
	}
	assert.EqualValues(t, 7, c.get("Contacts").body["total"], "nothing was made")
}

func TestCreateFillsInWhatIsLeftOut(t *testing.T) {
	c := start(t, 1, nil)
	before := time.Now().UTC().Add(-time.Second)
	r := c.call("POST", "Contacts", object{"owner_id": strings.ToUpper(secondOwner), "first_name": "Nora", "middle_name": "J.", "title": "Ms."}).data()
	assert.Equal(t, makeID(unitIDs+1, salesUnits), r["unit_id"], "the owner's default unit")
	assert.Equal(t, makeID(typeIDs, contactTypes), r["contact_type_id"])
	assert.Equal(t, secondOwner, r["owner_id"])
	assert.Equal(t, "Ms. Nora J.", r["formatted_name"])
	assert.Equal(t, []any{0.0, 0.0, false, false, nil}, []any{r["gender"], r["share_mode"], r["is_archived"], r["is_delete_protected"], r["email1"]})
	assert.Equal(t, r["created"], r["modified"])
	at, _, ok := parseStamp(r["created"].(string))
	require.True(t, ok)
	assert.True(t, at.After(before))
	assert.Equal(t, r, c.get("Contacts/"+r["id"].(string)).data())
}

func TestCreatedCanBeGivenOnCreateOnly(t *testing.T) {
	c := start(t, 1, nil)
	for _, form := range []string{"2020-05-06 07:08:09.120000+00:00", "2020-05-06T07:08:09.12Z", "2020-05-06T07:08:09.12"} {
		id := c.create(object{"created": form})
		assert.Equal(t, "2020-05-06 07:08:09.120000+00:00", c.get("Contacts/" + id).data()["created"])
		assert.Equal(t, 422, c.call("PATCH", "Contacts/"+id, object{"created": form}).status)
	}
}

func TestAccountsTagsAndPositionsOnCreate(t *testing.T) {
	c := start(t, 1, nil)
	id := c.create(object{
		"position": "Quick", "account_position": "Head of Buying", "primary_account_relationship": 3,
		"account_relations": []any{
			object{"account_id": makeID(accountIDs, accounts), "is_primary": true},
			object{"account_id": makeID(accountIDs+1, accounts), "is_primary": true, "position": "CFO"},
		},
		"tags": []any{object{"tag_id": makeID(tagIDs, tags)}},
	})
	r := c.get("Contacts/"+id, "expand", "primary_account,account_relations,tags").data()
	assert.Equal(t, makeID(accountIDs+1, accounts), r["primary_account"].(object)["id"], "a later primary clears the earlier")
	assert.Equal(t, []any{"Quick", "Head of Buying", "Head of Buying", 3.0}, []any{r["position"], r["account_position"], r["primary_account_position"], r["primary_account_relationship"]})
	assert.Len(t, r["account_relations"], 2)
	assert.Equal(t, makeID(tagIDs, tags), r["tags"].([]any)[0].(object)["tag_id"])
}

func TestAccountPositionIsTheQuickOneWithoutAnAccount(t *testing.T) {
	c := start(t, 1, nil)
	r := c.get("Contacts/" + c.create(object{"account_position": "Adviser"})).data()
	assert.Equal(t, []any{"Adviser", "Adviser", nil}, []any{r["position"], r["account_position"], r["primary_account_position"]})
}

func TestUpdateMovesTheStampsAndNothingElse(t *testing.T) {
	c := start(t, 2, nil)
	before := c.get("Contacts/" + contactID(0)).data()
	after := c.call("PATCH", "Contacts/"+strings.ToUpper(contactID(0)), object{"city": "Cork", "email1": nil, "phone1": ""}).data()
	assert.Greater(t, after["revision"], before["revision"])
	assert.Greater(t, after["modified"], before["modified"])
	again := c.call("PATCH", "Contacts/"+contactID(0), object{}).data()
	assert.Greater(t, again["modified"], after["modified"])
	for key, value := range map[string]any{"city": "Cork", "email1": nil, "phone1": "", "revision": after["revision"], "modified": after["modified"]} {
		assert.Equal(t, value, after[key], key)
		before[key] = value
	}
	assert.Equal(t, before, after)
}

func TestUpdateIsHeldToTheRules(t *testing.T) {
	c := start(t, 2, nil)
	for _, body := range []object{
		{"owner_id": nil},
		{"unit_id": nil},
		{"contact_type_id": ""},
		{"first_name": nil, "last_name": ""},
		{"nosuch": 1},
		{"id": contactID(1)},
		{"is_delete_protected": false},
		{"email1": []any{}},
	} {
		assert.Equal(t, 422, c.call("PATCH", "Contacts/"+contactID(0), body).status, body)
	}
	assert.Equal(t, 200, c.call("PATCH", "Contacts/"+contactID(0), object{"id": contactID(0), "first_name": nil}).status)
}

func TestRelationsInAnUpdateReplaceOrAddAsTheSwitchSays(t *testing.T) {
	for value, want := range map[string]int{"replace": 1, "add": 3} {
		c := start(t, 1, map[string]string{"relation_update": value})
		a := c.call("PATCH", "Contacts/"+contactID(0), object{"tags": []any{object{"tag_id": makeID(tagIDs+2, tags)}}})
		assert.Len(t, a.data()["tags"], want, value)
	}
	c := start(t, 1, nil)
	tagged := c.get("Contacts/" + contactID(0)).data()["tags"].([]any)
	again := c.call("PATCH", "Contacts/"+contactID(0), object{"tags": []any{object{"id": tagged[1]}, object{"tag_id": makeID(tagIDs, tags)}}})
	assert.ElementsMatch(t, tagged, again.data()["tags"], "rows are found by their URI and by their tag")
	assert.Empty(t, c.call("PATCH", "Contacts/"+contactID(0), object{"tags": []any{}}).data()["tags"])
}

func TestOnePrimaryAccountAtMost(t *testing.T) {
	c := start(t, 1, nil)
	a := c.call("POST", "ContactAccountRelations", object{"contact_id": contactID(0), "account_id": makeID(accountIDs+2, accounts), "is_primary": true, "position": "CEO"})
	require.Equal(t, 201, a.status, a.raw)
	r := c.get("Contacts/" + contactID(0)).data()
	assert.True(t, strings.HasSuffix(r["primary_account"].(string), makeID(accountIDs+2, accounts)))
	assert.Equal(t, "CEO", r["account_position"])
	require.Equal(t, 200, c.call("DELETE", "ContactAccountRelations/"+a.data()["id"].(string), nil).status)
	assert.Nil(t, c.get("Contacts/" + contactID(0)).data()["primary_account"])
}

func TestDeletedAccountsLeaveTheContact(t *testing.T) {
	c := start(t, 1, nil)
	require.Equal(t, 200, c.call("DELETE", "Accounts/"+makeID(accountIDs, accounts), nil).status)
	r := c.get("Contacts/" + contactID(0)).data()
	assert.Nil(t, r["primary_account"])
	assert.Empty(t, r["account_relations"])
	require.Equal(t, 200, c.call("POST", "Accounts/batch-restore", []string{makeID(accountIDs, accounts)}).status)
	assert.NotNil(t, c.get("Contacts/" + contactID(0)).data()["primary_account"])
}

func TestValidationLevels(t *testing.T) {
	c := start(t, 2, map[string]string{"required_field": "cf_score"})
	body := object{"owner_id": firstOwner, "last_name": "Quill"}
	assert.Equal(t, []string{"cf_score: ERROR_PARAMETER_MISSING"}, c.call("POST", "Contacts", body).problems())
	assert.Equal(t, 201, c.call("POST", "Contacts?validation-level=4", body).status)
	c.set("required_field", "comments")
	assert.Equal(t, 422, c.call("PATCH", "Contacts/"+contactID(0), object{"city": "Cork"}).status)
	assert.Equal(t, 200, c.call("PATCH", "Contacts/"+contactID(0)+"?validation-level=2", object{"city": "Cork"}).status)
	c.set("required_field", "none")
	stamp := "2020-01-01 00:00:00.000000+00:00"
	assert.Equal(t, stamp, c.call("PATCH", "Contacts/"+contactID(0)+"?validation-level=8", object{"modified": stamp}).data()["modified"])
	assert.Equal(t, 422, c.call("PATCH", "Contacts/"+contactID(0), object{"owner_id": formerOwner}).status)
	assert.Equal(t, 200, c.call("PATCH", "Contacts/"+contactID(0)+"?validation-level=16", object{"owner_id": formerOwner}).status)
	assert.Equal(t, 400, c.call("PATCH", "Contacts/"+contactID(0)+"?validation-level=x", object{}).status)
}

func TestBodiesThatAreNoJSONObjectAreRefused(t *testing.T) {
	c := start(t, 1, nil)
	for _, body := range []string{"", " ", "{", "null", "[]", `"x"`, "{}{}", "name=x", `{"a":1,}`} {
		for _, method := range []string{"POST", "PATCH"} {
			path := map[string]string{"POST": "Contacts", "PATCH": "Contacts/" + contactID(0)}[method]
			a := c.call(method, path, body)
			assert.Equal(t, 400, a.status, body)
			assert.Equal(t, object{"code": 117.0, "name": "ERROR_PARAMETER_INVALID", "message": "Missing or invalid JSON data.", "http_status": 400.0, "success": false}, a.body)
		}
	}
}

func TestContentTypeIsNeeded(t *testing.T) {
	c := start(t, 1, nil)
	post := func(media string) int {
		req, err := http.NewRequest("POST", c.server.URL()+entities+"Contacts", strings.NewReader(`{"owner_id":"`+firstOwner+`","last_name":"Quill"}`))
		require.NoError(t, err)
		req.SetBasicAuth(username, password)
		req.Header.Set("Content-Type", media)
		return c.do(req).status
	}
	for media, want := range map[string]int{
		"application/json": 201, "application/json; charset=utf-8": 201, "": 400, "text/plain": 400, "application / json": 400, "application/x-www-form-urlencoded": 400,
	} {
		assert.Equal(t, want, post(media), media)
	}
	c.set("content_type", "any")
	assert.Equal(t, 201, post("text/plain"))
}

func TestNamesRuleIsTheSwitchs(t *testing.T) {
	c := start(t, 1, nil)
	status := func(body object) int {
		body["owner_id"] = firstOwner
		return c.call("POST", "Contacts", body).status
	}
	assert.Equal(t, []int{201, 201, 422}, []int{status(object{"first_name": "x"}), status(object{"last_name": "x"}), status(object{})})
	c.set("required_names", "last")
	assert.Equal(t, []int{422, 201, 422}, []int{status(object{"first_name": "x"}), status(object{"last_name": "x"}), status(object{})})
	c.set("required_names", "none")
	assert.Equal(t, []int{201, 201, 201}, []int{status(object{"first_name": "x"}), status(object{"last_name": "x"}), status(object{})})
}

func TestUnknownAndReadOnlyFieldsCanBeIgnored(t *testing.T) {
	c := start(t, 1, map[string]string{"unknown_fields": "ignore", "readonly_fields": "ignore"})
	id := c.create(object{"nosuch": 1, "formatted_name": "Someone Else", "id": unknownID})
	assert.NotEqual(t, unknownID, id)
	r := c.get("Contacts/" + id).data()
	assert.Equal(t, "Quill", r["formatted_name"])
	assert.NotContains(t, r, "nosuch")
}

func TestRevisionLocksWhenTheSwitchSaysSo(t *testing.T) {
	c := start(t, 1, nil)
	revision := c.get("Contacts/" + contactID(0)).data()["revision"]
	patch := func() int {
		return c.call("PATCH", "Contacts/"+contactID(0), object{"revision": revision, "city": "Cork"}).status
	}
	assert.Equal(t, 200, patch())
	assert.Equal(t, 200, patch())
	c.set("revision_lock", "on")
	assert.Equal(t, 409, patch())
	revision = c.get("Contacts/" + contactID(0)).data()["revision"]
	assert.Equal(t, 200, patch())
}

func TestCreateStatusIsTheSwitchs(t *testing.T) {
	c := start(t, 1, map[string]string{"create_status": "200"})
	assert.Equal(t, 200, c.call("POST", "Contacts", object{"owner_id": firstOwner, "last_name": "Quill"}).status)
}

func TestCustomFieldsCanBeMadeAndUsed(t *testing.T) {
	c := start(t, 1, nil)
	a := c.call("POST", "Fields", object{"name": "Favourite ink", "type_id": "dropdown", "entity_name": "Contact", "data_set": []any{
		object{"option_name": "Blue", "calc_value": 1}, object{"option_name": "Black", "calc_value": 2},
	}})
	require.Equal(t, 201, a.status, a.raw)
	assert.Equal(t, "cf_favourite_ink", a.data()["api_name"])
	rows := c.get("Fields", "filter[api_name]", "cf_favourite_ink", "expand", "data_set").list()[0]["data_set"].([]any)
	require.Len(t, rows, 2)
	id := c.create(object{"cf_favourite_ink": rows[1].(object)["id"]})
	assert.Equal(t, rows[1].(object)["id"], c.get("Contacts/" + id).data()["cf_favourite_ink"])
	assert.Equal(t, 422, c.call("POST", "Fields", object{"name": "x", "type_id": "lookup", "entity_name": "Contact"}).status)
	assert.Equal(t, 422, c.call("POST", "Fields", object{"name": "x", "type_id": "input", "entity_name": "Client"}).status)
	require.Equal(t, 200, c.call("DELETE", "Fields/"+a.data()["id"].(string), nil).status)
	assert.NotContains(t, c.get("Contacts/"+id).data(), "cf_favourite_ink")
}

func TestNotesBelongToOneRecord(t *testing.T) {
	c := start(t, 1, nil)
	both := object{"note": "x", "owner_id": firstOwner, "contact_id": contactID(0), "account_id": makeID(accountIDs, accounts)}
	assert.Equal(t, 422, c.call("POST", "Notes", both).status)
	assert.Equal(t, 422, c.call("POST", "Notes", object{"note": "x", "owner_id": firstOwner}).status)
	delete(both, "account_id")
	assert.Equal(t, 201, c.call("POST", "Notes", both).status)
}

func TestAnEmptyChangeIsTheSwitchs(t *testing.T) {
	c := start(t, 1, nil)
	assert.Equal(t, 200, c.call("PATCH", "Contacts/"+contactID(0), object{}).status)
	c.set("empty_change", "400")
	assert.EqualValues(t, 117, c.call("PATCH", "Contacts/"+contactID(0), object{}).body["code"])
}
