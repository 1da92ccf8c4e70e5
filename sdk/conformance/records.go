package conformance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// recordChecks are about what is advertised and works, and what is not.
var recordChecks = []check{
	{
		name:   "emulator/start",
		title:  "the emulator starts and tells where it is and what an account there looks like",
		advice: "Print one line, {\"url\", \"control_url\", \"context\"}, once both listeners are open; without base_url the context has to fit the schema of an authentication method.",
		needs:  needsManifest,
		run: func(x *trial) {
			switch {
			case !x.manifest.GetHasEmulator():
				x.skip("%s", x.noVendor)
			case x.noVendor != "":
				x.problem("%s", x.noVendor)
			}
		},
	},
	{
		name:   "emulator/control",
		title:  "the emulator can be controlled: calls, faults and reset",
		advice: "Serve the control interface on a loopback listener of its own, as sdk/emulator/README.md describes it; in Go the kit does that.",
		needs:  needsVendor,
		alone:  true,
		run:    emulatorControl,
	},
	{
		name:   "methods/unadvertised",
		title:  "what is not advertised answers UNIMPLEMENTED",
		advice: "Answer every method that the manifest does not list with the gRPC code UNIMPLEMENTED, or do not serve the service; advertise what works.",
		needs:  needsProcess,
		run:    unadvertised,
	},
	{
		name:   "methods/connection",
		title:  "CheckConnection succeeds with good credentials and says whose fault it is with bad ones",
		advice: "Ask the vendor by a call that changes nothing; a refusal is VENDOR_UNAUTHENTICATED or VENDOR_FORBIDDEN. Answer UNSUPPORTED where the vendor offers no way to tell.",
		needs:  needsVendor,
		run:    connection,
	},
	{
		name:   "methods/list",
		title:  "a list gives sound records, all of the seed",
		advice: "Every record needs an id that fits the pattern, valid JSON in remote_data and custom_fields, and only fields of its own; follow the vendor's pages to their end.",
		needs:  needsVendor,
		alone:  true,
		run:    lists,
	},
	{
		name:   "methods/get",
		title:  "a get gives the record that was asked for, and RECORD_NOT_FOUND for one that was deleted or never there",
		advice: "Return the record with the very id of the request; map the vendor's not-found to RECORD_NOT_FOUND, for ids that were never issued too; change nothing.",
		needs:  needsVendor,
		alone:  true,
		run:    gets,
	},
	{
		name:   "methods/delete",
		title:  "a delete ends the record and no other, a second one answers as advertised, and one of an id never issued RECORD_NOT_FOUND",
		advice: "Delete by one request that changes something; a record that is not there is RECORD_NOT_FOUND, never a success, unless delete.repeat says that a repeat succeeds.",
		needs:  needsVendor,
		alone:  true,
		run:    deletes,
	},
	{
		name:   "methods/filters",
		title:  "filters and sort keys that are not advertised are refused, never ignored",
		advice: "Answer INVALID_PARAMETER or UNSUPPORTED to a filter or sort key that the manifest does not list: ignoring it would give the wrong records.",
		needs:  needsVendor,
		run:    filters,
	},
	{
		name:   "methods/vendor-answer",
		title:  "the vendor's own answer comes whole when it is wanted, and not otherwise",
		advice: "Put status, content type and body of the main call into result.vendor_answer when want_vendor_answer is set, and leave it out when it is not.",
		needs:  needsVendor,
		run:    vendorAnswers,
	},
	{
		name:   "methods/remote-query",
		title:  "remote_query reaches the vendor's query string and nothing else",
		advice: "Add the parameters to the main call's query, escaped, names as often as they come; never paste them into a URL.",
		needs:  needsVendor,
		run:    remoteQuery,
	},
	{
		name:   "methods/remote-data",
		title:  "remote_data is the vendor's record to the digit",
		advice: "Cut remote_data and custom_fields out of the vendor's body as bytes; a JSON parser that reads numbers as floating point changes 64-bit ids.",
		needs:  needsVendor,
		run:    remoteData,
	},
}

func emulatorControl(x *trial) {
	v := x.vendor
	count := func() int {
		status, body, err := v.controlled(x.ctx, http.MethodGet, "/calls", "")
		var calls []struct {
			Method, Path, Query string
			Headers             map[string][]string
		}
		if err != nil || status != http.StatusOK || json.Unmarshal(body, &calls) != nil {
			x.problem("GET /calls does not answer 200 and a list of requests: %d %.200s %v", status, body, err)
			return -1
		}
		for _, c := range calls {
			if c.Method == "" || !strings.HasPrefix(c.Path, "/") {
				x.problem("GET /calls has a request without method or path")
			}
		}
		return len(calls)
	}
	if err := v.reset(x.ctx); err != nil {
		x.problem("%v", err)
		return
	}
	ask := func() int {
		request, err := http.NewRequestWithContext(x.ctx, http.MethodGet, v.emulator+"/", nil)
		if err != nil {
			return 0
		}
		response, err := v.http.Do(request)
		if err != nil {
			return 0
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	ask()
	if n := count(); n != 1 {
		x.problem("after a reset and one request GET /calls tells of %d", n)
	}
	if status, body, err := v.controlled(x.ctx, http.MethodPost, "/faults", `{"match":{"method":"GET","path":"*"},"fault":{"status":418,"body":{"a":1}},"times":1}`); err != nil || status > 299 {
		x.problem("POST /faults answered %d %.200s %v", status, body, err)
	}
	if first, second := ask(), ask(); first != http.StatusTeapot || second == http.StatusTeapot {
		x.problem("a fault with status 418, once, gave %d and then %d", first, second)
	}
	if status, body, err := v.controlled(x.ctx, http.MethodGet, "/switches", ""); err != nil || status != http.StatusOK || compact(body) == nil {
		x.problem("GET /switches answered %d %.200s %v", status, body, err)
	}
	if status, _, err := v.controlled(x.ctx, http.MethodDelete, "/calls", ""); err != nil || status > 299 || count() != 0 {
		x.problem("DELETE /calls did not forget the requests")
	}
	if err := v.reset(x.ctx); err != nil {
		x.problem("%v", err)
	}
}

func unadvertised(x *trial) {
	account := x.account(nobody)
	for _, m := range x.methods {
		if m.advertised != nil {
			continue
		}
		a := x.do(call{method: m, account: account, id: "1"})
		if noCredentials := account.GetCredentials() == nil && a.reason() == errs.InvalidParameter; a.code != codes.Unimplemented && !noCredentials {
			x.problem("%s is not advertised and answered %s", m, a)
		}
	}
	// A host of a later minor of the protocol may ask for what this one lacks.
	unknown := *connectionCheck
	unknown.path = "/unicrm.provider.v1.ProviderService/NoSuchMethod"
	if a := x.do(call{method: &unknown, account: account}); a.code != codes.Unimplemented {
		x.problem("a method that the protocol does not have answered %s", a)
	}
}

func connection(x *trial) {
	if !x.connection {
		x.skip("the plugin offers no way to check a connection")
		return
	}
	if a := x.do(call{method: connectionCheck, account: x.account(x.vendor.emulator)}); !a.ok() {
		x.problem("with the emulator's own credentials it answered %s", a)
	}
	if x.planted.json == nil {
		return
	}
	a := x.do(call{method: connectionCheck, account: x.accountWith(x.planted, x.vendor.emulator)})
	switch a.reason() {
	case errs.VendorUnauthenticated, errs.VendorForbidden:
	default:
		x.problem("with credentials that the vendor does not know it answered %s instead of vendor_unauthenticated", a)
	}
}

// sound holds a record to what the protocol promises of every one.
func (x *trial) sound(m *method, record protoreflect.Message) {
	id := idOf(record)
	if id == "" {
		x.problem("%s: a record has no id", m)
		return
	}
	if m.ids != nil && !m.ids.MatchString(id) {
		x.problem("%s: the id %q does not fit record_id_pattern %q, so a host would not let it be asked for", m, id, m.of.GetRecordIdPattern())
	}
	fields := record.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		rule, _ := proto.GetExtension(field.Options(), crmv1.E_Field).(*crmv1.FieldRule)
		if rule.GetFormat() != crmv1.Format_FORMAT_JSON || !record.Has(field) {
			continue
		}
		value := record.Get(field).Bytes()
		if !json.Valid(value) {
			x.problem("%s: the %s of the record %s is not JSON: %.100q", m, field.Name(), id, value)
		}
		if field.Name() == "custom_fields" && !bytes.HasPrefix(bytes.TrimSpace(value), []byte("{")) {
			x.problem("%s: the custom_fields of the record %s are no JSON object: %.100q", m, id, value)
		}
	}
}

func lists(x *trial) {
	methods := x.anew(list)
	for _, m := range methods {
		d := x.vendor.open(nil)
		p, err := x.living(x.ctx)
		if err != nil {
			return
		}
		pages := x.walk(x.ctx, p, m, x.account(d.url), 0, "")
		ids := x.whole(pages, m.String())
		var records []protoreflect.Message
		for _, page := range pages {
			for _, record := range page.records {
				x.sound(m, record)
				records = append(records, record)
			}
		}
		x.unfilled(m, m.advertised.GetReturnedFields(), records)
		if m.resource == "contacts" && len(ids) < seed { // the seed is of contacts
			x.problem("%s: %d records came, and the emulator was started with %d", m, len(ids), seed)
		}
		if d.writes() > 0 && !x.searches(d) {
			x.problem("%s: it sent requests that may change something", m)
		}
	}
}

// unfilled notes the advertised fields that none of the records has. It is no
// failure: the emulator may have no such value.
func (x *trial) unfilled(m *method, paths []string, records []protoreflect.Message) {
	var empty []string
	for _, path := range paths {
		if !slices.ContainsFunc(records, func(record protoreflect.Message) bool { return fills(record, strings.Split(path, ".")) }) {
			empty = append(empty, path)
		}
	}
	if len(records) > 0 && len(empty) > 0 {
		x.note("%s: returned_fields has %s, which no record of the emulator's seed fills: give one a value there, or advertise less", m, strings.Join(empty, ", "))
	}
}

// fills tells whether a message has a value at a path; of a list one element is
// enough.
func fills(message protoreflect.Message, path []string) bool {
	field := message.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	switch {
	case field == nil || !message.Has(field):
		return false
	case len(path) == 1 || field.Message() == nil:
		return true
	case !field.IsList():
		return fills(message.Get(field).Message(), path[1:])
	}
	elements := message.Get(field).List()
	for i := range elements.Len() {
		if fills(elements.Get(i).Message(), path[1:]) {
			return true
		}
	}
	return false
}

// strangers are ids that the vendor could have issued and has not: one that is
// listed with one character changed to another of its kind. They differ where
// the listed ids do, since elsewhere an id may say what it is, such as the
// version of a UUID; the first places come first, as neighbours may exist
// without being listed.
func (s *suite) strangers(m *method) []string {
	stock := s.stocks[m.resource]
	if stock == nil || m.ids == nil {
		return nil
	}
	taken := map[string]bool{}
	for _, id := range stock.all {
		taken[strings.ToLower(id)] = true
	}
	id := s.lasting(m)
	var varying, fixed []string
	for at := range len(id) {
		varies := slices.ContainsFunc(stock.all, func(other string) bool { return len(other) == len(id) && other[at] != id[at] })
		for _, kind := range []string{"0123456789", "abcdef", "ABCDEF", "ghijklmnopqrstuvwxyz", "GHIJKLMNOPQRSTUVWXYZ"} {
			was := strings.IndexByte(kind, id[at])
			if was < 0 {
				continue
			}
			for i := range len(kind) - 1 { // the one farthest away first
				made := id[:at] + kind[(was+len(kind)/2+i)%len(kind):][:1] + id[at+1:]
				if taken[strings.ToLower(made)] || !m.ids.MatchString(made) {
					continue
				}
				if varies {
					varying = append(varying, made)
				} else {
					fixed = append(fixed, made)
				}
				break
			}
		}
	}
	made := append(varying, fixed...)
	return made[:min(len(made), 3)]
}

// hidden tells whether the vendor has a record that the list kept from the
// suite: a get finds it, and not by the plugin's word alone.
func (x *trial) hidden(m *method, id string) bool {
	getter := x.sibling(m, get)
	if getter == nil {
		return false
	}
	d := x.vendor.open(nil)
	defer d.close()
	return x.do(call{method: getter, account: x.account(d.url), id: id}).ok() && slices.ContainsFunc(d.visits(), func(v *visit) bool {
		return v.reply != nil && v.reply.status/100 == 2 && bytes.Contains(v.reply.body, []byte(id))
	})
}

// unknown calls a method for records that never existed, and notes what is
// wrong with its answers and with the list afterwards.
func (x *trial) unknown(m *method) {
	account := x.account(x.vendor.emulator)
	listed := func() []string {
		lister := x.sibling(m, list)
		p, err := x.living(x.ctx)
		if lister == nil || err != nil {
			return nil
		}
		var ids []string
		for _, page := range x.walk(x.ctx, p, lister, account, 50, "") {
			ids = append(ids, page.ids()...)
		}
		return ids
	}
	before := listed()
	for _, id := range x.strangers(m) {
		if x.hidden(m, id) {
			continue
		}
		a := x.do(x.aimed(m, account, id))
		if a.ok() && (m.kind == remove || m.kind == removeMany) && x.repeats(m) == providerv1.DeleteSemantics_REPEAT_SUCCEEDS {
			continue // a vendor that cannot tell the two apart
		}
		if a.reason() != errs.RecordNotFound {
			x.problem("%s: the id %s fits record_id_pattern and was never listed, and for it it answered %s instead of record_not_found", m, id, a)
		}
	}
	if gone := without(before, listed()); len(gone) > 0 {
		x.problem("%s: after calls with ids that were never listed the list lacks %s", m, some(gone))
	}
}

// repeats is what a repeated delete answers, as far as it is advertised.
func (s *suite) repeats(m *method) providerv1.DeleteSemantics_Repeat {
	if remover := s.sibling(m, remove); remover != nil {
		return remover.advertised.GetDelete().GetRepeat()
	}
	return providerv1.DeleteSemantics_REPEAT_UNSPECIFIED
}

// aimed is a call of a method for the record with an id.
func (s *suite) aimed(m *method, account *providerv1.Account, id string) call {
	c, _ := s.idle(m, account)
	if c.id = id; m.kind == removeMany {
		c.ids = []string{id}
	} else if m.kind == merge {
		c.master = id
	}
	return c
}

// searches tells whether the writes at a door were all searches: some vendors
// have lists behind a POST.
func (s *suite) searches(d *door) bool {
	for _, v := range d.visits() {
		if v.writes() && v.Method != http.MethodPost {
			return false
		}
	}
	return true
}

func gets(x *trial) {
	methods := x.anew(get)
	for _, m := range methods {
		known := x.stocks[m.resource]
		if known == nil || len(known.all) == 0 {
			x.skip("%s cannot be listed, so no id is known", m.resource)
			continue
		}
		account := x.account(x.vendor.emulator)
		var records []protoreflect.Message
		step := max(len(known.all)/20, 1)
		for i := 0; i < len(known.all); i += step {
			id := known.all[i]
			a := x.do(call{method: m, account: account, id: id})
			switch {
			case !a.ok():
				x.problem("%s: the record %s is in the list, and asked for it answered %s", m, id, a)
			case len(a.records) != 1 || !strings.EqualFold(idOf(a.records[0]), id):
				x.problem("%s: asked for the record %s it gave %v", m, id, a.ids())
			default:
				x.sound(m, a.records[0])
				records = append(records, a.records[0])
			}
		}
		fields := m.advertised.GetReturnedFields()
		if lister := x.sibling(m, list); lister != nil { // which has looked at all records
			fields = without(fields, lister.advertised.GetReturnedFields())
		}
		x.unfilled(m, fields, records)
		x.unknown(m)
		remover := x.sibling(m, remove)
		if remover == nil {
			continue
		}
		if gone := x.deletable(remover); gone != "" && x.do(call{method: remover, account: account, id: gone}).ok() {
			if a := x.do(call{method: m, account: account, id: gone}); a.reason() != errs.RecordNotFound {
				x.problem("%s: the record %s was deleted, and asked for it answered %s instead of record_not_found", m, gone, a)
			}
		}
	}
}

func deletes(x *trial) {
	methods := x.anew(remove)
	for _, m := range methods {
		lister := x.sibling(m, list)
		if lister == nil {
			x.skip("%s cannot be listed, so no id is known", m.resource)
			continue
		}
		d := x.vendor.open(nil)
		account := x.account(d.url)
		id := x.deletable(m)
		if id == "" {
			a := x.do(call{method: m, account: account, id: x.lasting(m)})
			x.problem("%s: none of the records that are listed could be deleted; for %s it answered %s", m, x.lasting(m), a)
			continue
		}
		first := x.do(call{method: m, account: account, id: id})
		if !first.ok() {
			x.problem("%s: for the record %s it answered %s", m, id, first)
			continue
		}
		if first.result.GetAlreadyDeleted() {
			x.problem("%s: it says already_deleted though the connection did not break", m)
		}
		if n := d.writes(); n != 1 {
			x.problem("%s: it sent %d requests that may change something, instead of one: %v", m, n, d.visits())
		}
		p, err := x.living(x.ctx)
		if err != nil {
			return
		}
		if contains(x.whole(x.walk(x.ctx, p, lister, account, 50, ""), lister.String()), id) {
			x.problem("%s: the record %s was deleted, and the list still has it", m, id)
		}
		second := x.do(call{method: m, account: account, id: id})
		switch repeat := m.advertised.GetDelete().GetRepeat(); {
		case repeat == providerv1.DeleteSemantics_REPEAT_SUCCEEDS && !second.ok():
			x.problem("%s: delete.repeat says that a repeat succeeds, and it answered %s", m, second)
		case repeat == providerv1.DeleteSemantics_REPEAT_NOT_FOUND && second.reason() != errs.RecordNotFound:
			x.problem("%s: delete.repeat says that a repeat is not found, and it answered %s", m, second)
		case !second.ok() && second.reason() != errs.RecordNotFound:
			x.problem("%s: a repeat answered %s, which is neither success nor record_not_found", m, second)
		}
		x.unknown(m)
	}
}

func filters(x *trial) {
	methods := x.of(list)
	if len(methods) == 0 {
		x.skip("no list is advertised")
	}
	for _, m := range methods {
		record := recordOf(m.resource)
		if record == nil {
			continue
		}
		advertised := append([]string(nil), m.advertised.GetSortKeys()...)
		for _, filter := range m.advertised.GetFilters() {
			advertised = append(advertised, filter.GetField())
		}
		field := ""
		for i := range record.Fields().Len() {
			if name := string(record.Fields().Get(i).Name()); name != "id" && !contains(advertised, name) {
				field = name
				break
			}
		}
		if field == "" {
			continue
		}
		for what, edit := range map[string]func(protoreflect.Message){
			"a filter": func(r protoreflect.Message) {
				appendTo(r, "filters", &providerv1.Filter{Field: field, Operator: providerv1.Operator_OPERATOR_EQ, Value: "no such value"})
			},
			"a sort key": func(r protoreflect.Message) { appendTo(r, "sort", &providerv1.SortKey{Field: field}) },
		} {
			a := x.do(call{method: m, account: x.account(x.vendor.emulator), size: 5, edit: edit})
			if a.reason() != errs.InvalidParameter && a.reason() != errs.Unsupported {
				x.problem("%s: %s on %s, which is not advertised, answered %s", m, what, field, a)
			}
		}
	}
}

// appendTo adds a message to a repeated field.
func appendTo(m protoreflect.Message, name protoreflect.Name, value proto.Message) {
	if field := m.Descriptor().Fields().ByName(name); field != nil {
		m.Mutable(field).List().Append(protoreflect.ValueOfMessage(value.ProtoReflect()))
	}
}

// mainOf makes a call and finds its main request: the one whose answer the
// plugin gives as the vendor's. It is nil where the plugin gives none.
func (x *trial) mainOf(c call) *visit {
	d := x.vendor.open(nil)
	defer d.close()
	c.account = x.account(d.url)
	c.wantAnswer = true
	a := x.do(c)
	if !a.ok() {
		return nil
	}
	var found *visit
	for _, v := range d.visits() {
		if v.reply != nil && v.reply.status == int(a.result.GetVendorAnswer().GetStatus()) && bytes.Equal(v.reply.body, a.result.GetVendorAnswer().GetBody()) {
			found = v
		}
	}
	return found
}

func vendorAnswers(x *trial) {
	for _, m := range x.aboutRecords() {
		d := x.vendor.open(nil)
		c, there := x.about(m, x.account(d.url))
		if !there {
			continue
		}
		c.wantAnswer = true
		a := x.do(c)
		if !a.ok() {
			x.problem("%s answered %s", m, a)
			continue
		}
		given := a.result.GetVendorAnswer()
		if given == nil {
			x.problem("%s: vendor_answer was wanted and is not there", m)
			continue
		}
		found := false
		for _, v := range d.visits() {
			found = found || v.reply != nil && v.reply.status == int(given.GetStatus()) && bytes.Equal(v.reply.body, given.GetBody()) &&
				v.reply.header.Get("Content-Type") == given.GetContentType()
		}
		if !found {
			x.problem("%s: vendor_answer is none of the answers that the vendor gave: %d %s %.200q", m, given.GetStatus(), given.GetContentType(), given.GetBody())
		}
		if c, there = x.about(m, x.account(d.url)); !there {
			continue
		}
		if a := x.do(c); a.ok() && a.result.GetVendorAnswer() != nil {
			x.problem("%s: vendor_answer was not wanted and is there", m)
		}
	}
}

func remoteQuery(x *trial) {
	odd := []*providerv1.QueryParameter{
		{Name: "conformance", Value: "one two"}, {Name: "conformance", Value: "&x=1#?/../%2e"}, {Name: "deep[a][]", Value: ""}, {Name: "../?#&=", Value: "ü"},
	}
	for _, m := range x.aboutRecords() {
		c, there := x.about(m, nil)
		if !there {
			continue
		}
		main := x.mainOf(c)
		if m.writes() { // which needs another record by now
			c, there = x.about(m, nil)
		}
		if main == nil || !there {
			continue // methods/vendor-answer tells of it
		}
		d := x.vendor.open(nil)
		c.account, c.query = x.account(d.url), odd
		a := x.do(c)
		carried := false
		for _, v := range d.visits() {
			if !v.URL.Query().Has("conformance") {
				continue
			}
			carried = true
			if !m.writes() && !v.same(main) {
				x.problem("%s: with remote_query the request is %s, and without it %s", m, v, main)
			}
			values := v.URL.Query()
			if got := values["conformance"]; len(got) != 2 || got[0] != odd[0].GetValue() || got[1] != odd[1].GetValue() {
				x.problem("%s: conformance came as %q", m, got)
			}
			if !values.Has("deep[a][]") || values.Get("../?#&=") != "ü" {
				x.problem("%s: names or values came changed: %s", m, v.URL.RawQuery)
			}
		}
		if m.writes() && a.reason() == errs.InvalidParameter && d.writes() == 0 {
			x.note("%s: it takes no remote_query: %s", m, a) // the query may choose the record
			continue
		}
		if !carried {
			x.problem("%s: remote_query did not reach the vendor; the call answered %s", m, a)
		}
	}
}

func remoteData(x *trial) {
	for _, m := range x.of(list, get) {
		c, there := x.about(m, nil)
		if !there {
			continue
		}
		main := x.mainOf(c)
		if main == nil {
			continue
		}
		ids := x.idsOf(c)
		if !contains(m.advertised.GetReturnedFields(), "remote_data") {
			continue
		}
		const digits = `{"long":9007199254740993,"trail":1.10,"power":1E+2,"escaped":"\u00fc\/"}`
		d := x.vendor.open(main.change(func(body []byte) []byte { return addToRecords(body, ids, "conformance_digits", digits) }))
		c.account = x.account(d.url)
		c.size = 10
		a := x.do(c)
		if !a.ok() {
			x.problem("%s: with a field in the records that it does not know it answered %s", m, a)
			continue
		}
		compacted := []byte{}
		for _, v := range d.visits() {
			if v.reply != nil {
				compacted = append(compacted, compact(v.reply.body)...)
			}
		}
		for _, record := range a.records {
			if !contains(ids, idOf(record)) {
				continue // one that paging has kept from the suite, so the field was not added to it
			}
			data := bytesOf(record, "remote_data")
			switch {
			case data == nil:
				x.problem("%s: the record %s has no remote_data", m, idOf(record))
			case !bytes.Contains(data, []byte("9007199254740993")) || !bytes.Contains(data, []byte("1.10")) || !bytes.Contains(data, []byte("1E+2")):
				x.problem("%s: numbers in remote_data of the record %s are not as the vendor wrote them: %.300s", m, idOf(record), around(data, "conformance_digits"))
			case !bytes.Contains(compacted, compact(data)):
				x.problem("%s: remote_data of the record %s is not a piece of the vendor's answer: %.300s", m, idOf(record), data)
			}
		}
	}
}

// around cuts out what follows a word.
func around(data []byte, word string) []byte {
	if i := bytes.Index(data, []byte(word)); i >= 0 {
		return data[i:]
	}
	return data
}
