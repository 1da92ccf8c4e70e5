package sdk

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/wire"
)

func TestAManifestSaysAllThatAProviderSaysOfItself(t *testing.T) {
	provider := acme()
	provider.DocumentationURL = "https://acme.test/docs"
	provider.AllowedHosts = []string{"api.acme.test", "*.eu.acme.test"}
	provider.RateLimits = []RateLimitHint{{Calls: 10, Window: time.Second, SharedBy: "token"}}
	provider.Contacts.Delete.Kind, provider.Contacts.Delete.Repeat, provider.Contacts.Delete.Kept = SoftDelete, RepeatSucceeds, 30*24*time.Hour
	manifest, err := provider.manifest(true)
	require.NoError(t, err)
	got, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(manifest)
	require.NoError(t, err)
	assert.JSONEq(t, `{
		"slug": "acme", "display_name": "Acme CRM", "version": "1.2.3", "sdk_version": "unicrm-go `+Version+`", "protocol_versions": [1],
		"authentication_methods": [{"name": "api_key", "credentials_schema": "`+base64Of(schema)+`"}],
		"allowed_hosts": ["api.acme.test", "*.eu.acme.test"], "documentation_url": "https://acme.test/docs", "has_emulator": true,
		"rate_limits": [{"calls": "10", "window": "1s", "shared_by": "token"}],
		"resources": [{"resource": "contacts", "record_id_pattern": "[a-z0-9]+", "methods": [
			{"method": "METHOD_LIST", "returned_fields": ["id", "name", "remote_data"], "page_cap": 100},
			{"method": "METHOD_GET", "returned_fields": ["id", "name"]},
			{"method": "METHOD_DELETE", "delete": {"kind": "KIND_SOFT", "repeat": "REPEAT_SUCCEEDS", "kept": "2592000s"}}
		]}]
	}`, string(got))
	assert.Equal(t, []int32{wire.Protocol}, manifest.GetProtocolVersions())
}

func base64Of(text string) string {
	data, _ := json.Marshal([]byte(text))
	return strings.Trim(string(data), `"`)
}

func TestTheKindsOfDeleteAreThoseOfTheProtocol(t *testing.T) {
	assert.EqualValues(t, providerv1.DeleteSemantics_KIND_UNSPECIFIED, DeleteKindUnknown)
	assert.EqualValues(t, providerv1.DeleteSemantics_KIND_HARD, HardDelete)
	assert.EqualValues(t, providerv1.DeleteSemantics_KIND_SOFT, SoftDelete)
	assert.EqualValues(t, providerv1.DeleteSemantics_REPEAT_UNSPECIFIED, RepeatUnknown)
	assert.EqualValues(t, providerv1.DeleteSemantics_REPEAT_NOT_FOUND, RepeatNotFound)
	assert.EqualValues(t, providerv1.DeleteSemantics_REPEAT_SUCCEEDS, RepeatSucceeds)
}

func TestAnAuthorsMistakeIsToldAtStart(t *testing.T) {
	for name, c := range map[string]struct {
		mutate func(*Provider)
		want   string
	}{
		"no slug":                   {func(p *Provider) { p.Slug = "" }, `slug "" is not lower-case letters, digits and hyphens`},
		"a slug in upper case":      {func(p *Provider) { p.Slug = "Acme" }, `slug "Acme" is not`},
		"a slug with a slash":       {func(p *Provider) { p.Slug = "a/b" }, `slug "a/b" is not`},
		"a slug with a line end":    {func(p *Provider) { p.Slug = "acme\n" }, `slug "acme\n" is not`},
		"no name":                   {func(p *Provider) { p.DisplayName = "" }, "DisplayName is empty"},
		"no version":                {func(p *Provider) { p.Version = " \n" }, `version "" is not semantic`},
		"a version with a v":        {func(p *Provider) { p.Version = "v1.2.3" }, `version "v1.2.3" is not semantic`},
		"half a version":            {func(p *Provider) { p.Version = "1.2" }, `version "1.2" is not semantic`},
		"no hosts":                  {func(p *Provider) { p.AllowedHosts = nil }, "AllowedHosts is empty"},
		"a URL for a host":          {func(p *Provider) { p.AllowedHosts = []string{"https://api.acme.test"} }, `AllowedHosts has "https://api.acme.test"`},
		"a host with a path":        {func(p *Provider) { p.AllowedHosts = []string{"api.acme.test/v2"} }, `AllowedHosts has "api.acme.test/v2"`},
		"a host with a port":        {func(p *Provider) { p.AllowedHosts = []string{"api.acme.test:443"} }, `AllowedHosts has "api.acme.test:443"`},
		"a host in upper case":      {func(p *Provider) { p.AllowedHosts = []string{"API.acme.test"} }, `AllowedHosts has "API.acme.test"`},
		"every host":                {func(p *Provider) { p.AllowedHosts = []string{"*"} }, `AllowedHosts has "*"`},
		"every host of a top level": {func(p *Provider) { p.AllowedHosts = []string{"*.com"} }, `AllowedHosts has "*.com"`},
		"a star in the middle":      {func(p *Provider) { p.AllowedHosts = []string{"api.*.test"} }, `AllowedHosts has "api.*.test"`},
		"no way to prove oneself":   {func(p *Provider) { p.Authentication = nil }, "Authentication is empty"},
		"a method without a name":   {func(p *Provider) { p.Authentication[0].Name = "" }, `authentication method "" is not snake_case`},
		"a method in another case":  {func(p *Provider) { p.Authentication[0].Name = "apiKey" }, `authentication method "apiKey" is not snake_case`},
		"a method twice":            {func(p *Provider) { p.Authentication = append(p.Authentication, p.Authentication[0]) }, `authentication method "api_key" is there twice`},
		"no schema":                 {func(p *Provider) { p.Authentication[0].Schema = nil }, `authentication method "api_key": the schema is not a JSON object`},
		"a broken schema":           {func(p *Provider) { p.Authentication[0].Schema = json.RawMessage(`{"type":`) }, `authentication method "api_key": the schema is not a JSON object`},
		"a schema that is a list":   {func(p *Provider) { p.Authentication[0].Schema = json.RawMessage(`[]`) }, `authentication method "api_key": the schema is not a JSON object`},
		"a limit of nothing":        {func(p *Provider) { p.RateLimits = []RateLimitHint{{Window: time.Second}} }, "RateLimits has one without calls or window"},
		"a limit without a window":  {func(p *Provider) { p.RateLimits = []RateLimitHint{{Calls: 1}} }, "RateLimits has one without calls or window"},
		"no pattern":                {func(p *Provider) { p.Contacts.IDPattern = "" }, `contacts: IDPattern "" is not a regular expression`},
		"a broken pattern":          {func(p *Provider) { p.Contacts.IDPattern = "(" }, `contacts: IDPattern "(" is not a regular expression`},
		"a pattern of anything":     {func(p *Provider) { p.Contacts.IDPattern = ".+" }, `contacts: IDPattern accepts "a/b"`},
		"a pattern of nothing":      {func(p *Provider) { p.Contacts.IDPattern = `\d*` }, `contacts: IDPattern accepts ""`},
		"a pattern with dots":       {func(p *Provider) { p.Contacts.IDPattern = `[\w.]+` }, `contacts: IDPattern accepts ".."`},
		"a pattern with spaces":     {func(p *Provider) { p.Contacts.IDPattern = `[\d ]+` }, `contacts: IDPattern accepts "1 "`},
		"a pattern with odd spaces": {func(p *Provider) { p.Contacts.IDPattern = `[^/?#%\s.]+` }, `contacts: IDPattern accepts "1\u00a0"`},
		"a pattern of many lines":   {func(p *Provider) { p.Contacts.IDPattern = `\d+\s?` }, `contacts: IDPattern accepts "1\n"`},
		"a pattern with escapes":    {func(p *Provider) { p.Contacts.IDPattern = `[\w%]+` }, `contacts: IDPattern accepts "a%2fb"`},
		"an unknown field":          {func(p *Provider) { p.Contacts.Get.Returned = []string{"id", "nickname"} }, `contacts: Get: the model has no field "nickname"`},
		"an unknown inner field":    {func(p *Provider) { p.Contacts.List.Returned = []string{"addresses.planet"} }, `contacts: List: the model has no field "addresses.planet"`},
		"a path through a scalar":   {func(p *Provider) { p.Contacts.List.Returned = []string{"name.first"} }, `contacts: List: the model has no field "name.first"`},
		"an empty path":             {func(p *Provider) { p.Contacts.List.Returned = []string{""} }, `contacts: List: the model has no field ""`},
		"an index in a path":        {func(p *Provider) { p.Contacts.List.Returned = []string{"addresses[0].city"} }, `contacts: List: the model has no field "addresses[0].city"`},
		"no page cap":               {func(p *Provider) { p.Contacts.List.PageCap = 0 }, "contacts: List.PageCap is not set"},
		"a list without a function": {func(p *Provider) { p.Contacts.List.Do = nil }, "contacts: List.Do is nil"},
		"a get without a function":  {func(p *Provider) { p.Contacts.Get.Do = nil }, "contacts: Get.Do is nil"},
		"a delete without one":      {func(p *Provider) { p.Contacts.Delete.Do = nil }, "contacts: Delete.Do is nil"},
		"a create without one":      {func(p *Provider) { p.Contacts.Create.Do = nil }, "contacts: Create.Do is nil"},
		"an update without one":     {func(p *Provider) { p.Contacts.Update.Do = nil }, "contacts: Update.Do is nil"},
		"an upsert that looks not":  {func(p *Provider) { p.Contacts.Upsert.Find = nil }, "contacts: Upsert.Find is nil"},
		"an upsert of nothing":      {func(p *Provider) { p.Contacts.Create = nil }, "contacts: an upsert needs Create and Update"},
		"a batch without one":       {func(p *Provider) { p.Contacts.BatchDelete.Do = nil }, "contacts: BatchDelete.Do is nil"},
		"a merge without one":       {func(p *Provider) { p.Contacts.Merge.Do = nil }, "contacts: Merge.Do is nil"},
		"a batch of less than none": {func(p *Provider) { p.Contacts.BatchDelete.MaxIDs = -1 }, "contacts: BatchDelete: the most records are -1"},
		"required, not writable":    {func(p *Provider) { p.Contacts.Create.Required = []string{"name"} }, `contacts: Create: "name" is required but cannot be written`},
		"writing what is not there": {func(p *Provider) { p.Contacts.Update.Writable = []string{"nickname"} }, `contacts: Update: the model has no field "nickname"`},
		"writing an id":             {func(p *Provider) { p.Contacts.Create.Writable = []string{"id", "last_name"} }, `contacts: Create: "id" is never written`},
		"writing a time of change":  {func(p *Provider) { p.Contacts.Update.Writable = []string{"updated_at"} }, `contacts: Update: "updated_at" is never written`},
		"a version of a new record": {func(p *Provider) { p.Contacts.Create.Writable = []string{"etag", "last_name"} }, `contacts: Create: "etag" guards an update`},
		"a filter of nothing":       {func(p *Provider) { p.Contacts.List.Filters = EqualTo("nickname") }, `contacts: List: the model has no field "nickname"`},
		"a filter that does not":    {func(p *Provider) { p.Contacts.List.Filters = []Filter{{Field: "name"}} }, `contacts: List: the filter "name" has no operators`},
		"a span of no time":         {func(p *Provider) { p.Contacts.List.Filters = ByTime("last_name") }, `contacts: List: the filter "last_name" compares what is no time`},
		"an order by vendor data":   {func(p *Provider) { p.Contacts.List.SortKeys = []string{"remote_data"} }, `contacts: List: lists are not ordered by "remote_data"`},
		"an order by nothing":       {func(p *Provider) { p.Contacts.List.SortKeys = []string{"nickname"} }, `contacts: List: the model has no field "nickname"`},
	} {
		t.Run(name, func(t *testing.T) {
			provider := writer()
			c.mutate(provider)
			_, err := provider.manifest(false)
			require.ErrorContains(t, err, c.want)
			_, err = newServer(provider, false, nil, nil)
			require.ErrorContains(t, err, c.want, "and nothing is served")
		})
	}
}

func TestAllOfAnAuthorsMistakesAreToldAtOnce(t *testing.T) {
	provider := acme()
	provider.Slug, provider.DisplayName, provider.Version, provider.AllowedHosts = "A", "", "one", nil
	provider.Authentication[0].Schema = nil
	provider.Contacts.IDPattern = ".*"
	provider.Contacts.List.PageCap = -1
	provider.Contacts.Get.Returned = []string{"x", "y"}
	_, err := provider.manifest(false)
	require.Error(t, err)
	for _, want := range []string{"slug", "DisplayName", "version", "AllowedHosts", "schema", `accepts ""`, `accepts ".."`, `accepts "a/b"`, `accepts "1 "`, "PageCap", `"x"`, `"y"`} {
		assert.Contains(t, err.Error(), want)
	}
}

func TestPatternsThatVendorsNeedAreAccepted(t *testing.T) {
	for _, pattern := range []string{`\d+`, `[1-9]\d{0,18}`, `[0-9a-f]{24}`, `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`, `[A-Za-z0-9_-]{1,64}`, `me|\d+`, `[a-z]+(\.[a-z]+)*@?`} {
		provider := acme()
		provider.Contacts.IDPattern = pattern
		_, err := provider.manifest(false)
		assert.NoError(t, err, pattern)
	}
}

func TestAProviderMayHaveAnyPartOfAResource(t *testing.T) {
	for mask := range 8 {
		provider := acme()
		want := 0
		for i, drop := range []func(){func() { provider.Contacts.List = nil }, func() { provider.Contacts.Get = nil }, func() { provider.Contacts.Delete = nil }} {
			if mask&(1<<i) != 0 {
				want++
				continue
			}
			drop()
		}
		manifest, err := provider.manifest(false)
		require.NoError(t, err)
		assert.Len(t, manifest.GetResources()[0].GetMethods(), want)
	}
}

func TestEveryPathOfTheModelCanBeReturned(t *testing.T) {
	provider := acme()
	provider.Contacts.Get = &Get[crm.Contact]{
		Returned: []string{
			"id", "first_name", "last_name", "name", "title", "account", "account.id", "account.name", "owner.id", "addresses", "addresses.street_1", "addresses.postal_code",
			"email_addresses.email", "phone_numbers.extension", "urls.url", "tags.name", "custom_fields", "last_activity_at", "created_at", "updated_at", "etag", "remote_data",
		},
		Do: func(context.Context, *Call, string) (*crm.Contact, error) { return nil, nil },
	}
	_, err := provider.manifest(false)
	require.NoError(t, err)
}
