package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestABulkUpsertMatchesOnEachKeyAndInsertsTheRest(t *testing.T) {
	s := start(t, 5, nil)
	body := fmt.Sprintf(`[{"_id":%q,"position":"by id"},{"sourceId":"003XX0000002","position":"by source"},{"externalId":"u-3","position":"by external"},
		{"email":"contact4@example.com","position":"by mail"},{"externalId":"u-5"},{"email":"new@example.com","externalId":"n-1","firstName":"New"}]`, s.contact(0))
	got := s.object("PUT", "/endusers", body)
	assert.EqualValues(t, 4, got["updated"])
	assert.EqualValues(t, 1, got["nonupdates"])
	assert.EqualValues(t, 1, got["created"])
	assert.Len(t, got["upsertedIds"], 1)
	assert.Len(t, got["modified"], 4)
	assert.Equal(t, []any{map[string]any{"_id": got["upsertedIds"].([]any)[0], "externalId": "n-1"}}, got["insertsKeys"])
	assert.Equal(t, []any{"by id", "by source", "by external", "by mail"}, column(s.list("/endusers?sort=_id&limit=4"), "position"))
	assert.Equal(t, "New", s.object("GET", "/endusers/extid-n-1", "")["firstName"])
	empty := s.object("PUT", "/endusers", "[]")
	assert.EqualValues(t, 0, empty["created"])
}

func TestABulkUpsertReportsWhatFailedWith206(t *testing.T) {
	s := start(t, 2, nil)
	got := s.call("PUT", "/endusers", `[{"externalId":"u-1","tags":"wrong"},{"externalId":"u-2","position":"ok"},{"externalId":"u-9","position":"no mail"}]`)
	assert.Equal(t, 206, got.status)
	var value map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.body), &value))
	assert.EqualValues(t, 1, value["updated"])
	assert.Equal(t, []any{map[string]any{"error": "tags must be an array of strings", "externalId": "u-1"}}, value["updatedErrors"])
	assert.Equal(t, []any{map[string]any{"error": "email is required", "externalId": "u-9"}}, value["createdErrors"])
	require.NoError(t, s.SetSwitch("bulk_error_item", "string"))
	assert.Contains(t, s.call("PUT", "/endusers", `[{"externalId":"u-1","tags":"wrong"}]`).body, `"updatedErrors":["tags must be an array of strings"]`)
}

func TestABulkUpsertIsRefusedWholeWhenItsPayloadIsWrong(t *testing.T) {
	s := start(t, 2, nil)
	before := s.call("GET", "/endusers", "").body
	for _, body := range []string{
		"", "{}", "null", `[1]`, `[null]`, `[{}]`, `[{"firstName":"x"}]`, `[{"email":"a@example.com"},{"email":"a@example.com"}]`,
		`[{"externalId":"a","email":"a@example.com"},{"externalId":"a","email":"b@example.com"}]`,
		"[" + strings.Repeat(`{"externalId":"x"},`, bulkMax) + `{"externalId":"x"}]`,
	} {
		assert.Equal(t, 400, s.call("PUT", "/endusers", body).status, "%.80s", body)
	}
	assert.Equal(t, before, s.call("GET", "/endusers", "").body)
}

func TestBulkPrecedenceFollowsItsSwitch(t *testing.T) {
	s := start(t, 2, nil)
	body := `[{"externalId":"u-1","sourceId":"003XX0000002","position":"hit"}]`
	s.object("PUT", "/endusers", body)
	assert.Equal(t, "hit", s.list("/endusers?sort=_id")[1]["position"])
	s.Reset()
	require.NoError(t, s.SetSwitch("bulk_precedence", "external_id"))
	s.object("PUT", "/endusers", body)
	assert.Equal(t, "hit", s.list("/endusers?sort=_id")[0]["position"])
}
