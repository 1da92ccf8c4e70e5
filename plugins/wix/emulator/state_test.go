package emulator

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestResetBringsTheSeedBackToTheDigit(t *testing.T) {
	c := start(t, 30)
	dump := func() string { return c.do("GET", contactsPath+"?paging.limit=1000", nil).raw }
	before := dump()
	c.del(seedID(0))
	c.patch(seedID(1), 1, `{"company":"x"}`)
	c.created(`{"name":{"first":"x"}}`)
	c.do("DELETE", "/contacts/v4/labels/custom.vip", nil)
	require.NotEqual(t, before, dump())
	c.server.Reset()
	assert.Equal(t, before, dump())
	assert.Equal(t, before, start(t, 30).do("GET", contactsPath+"?paging.limit=1000", nil).raw, "two runs are alike")
}

func TestSeedZeroHasDefinitionsButNoContacts(t *testing.T) {
	c := start(t, 0)
	a := c.do("GET", contactsPath, nil)
	assert.JSONEq(t, `{"contacts":[],"pagingMetadata":{"count":0,"offset":0,"total":0,"tooManyToCount":false}}`, a.raw)
	assert.EqualValues(t, 5, c.do("GET", "/contacts/v4/labels", nil).at("metadata.total"))
	assert.EqualValues(t, 10, c.do("GET", "/contacts/v4/extended-fields", nil).at("metadata.total"))
	for _, id := range []string{memberContactID, mergedAwayID, deletedID} {
		assert.Equal(t, 404, c.del(id).status)
	}
}

func TestTheFirstTenSeedsAreFullAndPlain(t *testing.T) {
	c := start(t, 30)
	list := c.do("GET", contactsPath, nil)
	for i := range 10 {
		at := "contacts." + intText(i)
		assert.Equal(t, seedID(i), list.at(at+".id"))
		for _, path := range []string{".info.name.first", ".info.name.last", ".primaryEmail.email", ".primaryPhone.e164Phone", ".info.addresses.items.0.address.city", ".info.company", ".info.jobTitle", ".info.birthdate", ".info.extendedFields.items"} {
			assert.NotNil(t, list.at(at+path), "%s%s", at, path)
		}
	}
	last := list.at("contacts").([]any)
	assert.Equal(t, mergeTargetID, last[len(last)-1].(map[string]any)["id"], "the awkward ones come last")
	for i := range 10 {
		assert.Equal(t, 200, c.del(seedID(i)).status, "the plain ones can be deleted")
	}
}

func TestBothPrefixesLeadToTheSameState(t *testing.T) {
	c := start(t, 3)
	require.Equal(t, 200, c.do("DELETE", "/_api"+contactsPath+"/"+seedID(0), nil).status)
	assert.Equal(t, 404, c.get(seedID(0)).status)
	assert.Equal(t, 200, c.do("GET", "/_api/contacts/v4/labels", nil).status)
	assert.Equal(t, 404, c.do("GET", "/_api/_api/contacts/v4/labels", nil).status)
}

func TestManyCallersAtOnceKeepTheRevisionInOrder(t *testing.T) {
	c := start(t, 30)
	var won sync.Map
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for n := range 10 {
				revision, _ := json.Number(fmt.Sprint(c.get(seedID(0)).at("contact.revision"))).Int64()
				a := c.patch(seedID(0), int(revision), fmt.Sprintf(`{"company":"w%d-%d"}`, worker, n))
				switch a.status {
				case 200:
					_, twice := won.LoadOrStore(revision, true)
					assert.False(t, twice, "revision %d was taken twice", revision)
				default:
					assert.Equal(t, 409, a.status, a.raw)
				}
				c.do("GET", contactsPath, nil)
				c.del(c.created(`{"name":{"first":"w"}}`))
				c.do("POST", contactsPath+"/query", `{"query":{"filter":{"info.company":{"$startsWith":"w"}}}}`)
			}
		})
	}
	group.Wait()
	assert.EqualValues(t, 34, c.do("GET", contactsPath, nil).at("pagingMetadata.total"))
}
