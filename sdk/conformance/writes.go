package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/internal/model"
)

// writeChecks are about what changes something: new records, changes, upserts,
// many deletes, merges.
//
// What can be demanded of every vendor: what was accepted is there afterwards,
// and nothing else has changed; what cannot be held is refused, or told in a
// warning when that is allowed, and never lost in silence; what is refused is
// refused before anything was sent. A vendor may refuse a value that it finds
// odd, as long as the plugin says so.
var writeChecks = []check{
	{
		name:   "writes/create",
		title:  "a create makes one record that shows each writable field as it was given; what is not writable, or lacks what is required, is refused without asking the vendor",
		advice: "Map every field in writable_fields, and advertise no others; answer INVALID_BODY for required ones that are missing and LOSSY_WRITE for those that cannot be written, before the first request. Give the record with the id that the vendor gave it.",
		needs:  needsVendor,
		alone:  true,
		run:    creates,
	},
	{
		name:   "writes/update",
		title:  "an update changes the named fields and nothing else, empties those that are to be emptied, and replaces whole lists",
		advice: "Send what the request names and nothing more: a field that is not set stays as it is, one in clear_fields is emptied, a list that is set is the whole list. Where the vendor replaces whole records, read the record first. Answer with the record as it is then.",
		needs:  needsVendor,
		alone:  true,
		run:    updates,
	},
	{
		name:   "writes/etag",
		title:  "a change that was made for an older version of the record is refused with STALE_VERSION and changes nothing",
		advice: "Give an etag with every record that changes whenever the record does, and compare it before an update that brings one, or let the vendor do so. Without versions leave etag out of writable_fields and refuse an update that brings one.",
		needs:  needsVendor,
		alone:  true,
		run:    guards,
	},
	{
		name:   "writes/upsert",
		title:  "an upsert changes the record that has the address, makes one where none has, and does neither where several have",
		advice: "Look for the first address as the vendor writes it; one record found is updated, none is created (say created), several are CONFLICT. The address alone says who is meant: the others that the record has stay.",
		needs:  needsVendor,
		alone:  true,
		run:    upserts,
	},
	{
		name:   "writes/batch-delete",
		title:  "a batch delete ends the named records and no others, and tells for each what became of it, in their order",
		advice: "Give one outcome for each id in the order of the request; a record that is not there is RECORD_NOT_FOUND in its outcome and does not fail the others.",
		needs:  needsVendor,
		alone:  true,
		run:    batchDeletes,
	},
	{
		name:   "writes/merge",
		title:  "a merge leaves the master with its id, ends the duplicates, and touches no other record",
		advice: "Let the master keep its id also where the vendor would choose; a record that is not there is RECORD_NOT_FOUND, before anything is merged.",
		needs:  needsVendor,
		alone:  true,
		run:    merges,
	},
	{
		name:   "writes/dry-run",
		title:  "a dry run sends nothing, not even look-ups, and shows what would be sent",
		advice: "With dry_run check all that a write checks, build each request and put it into result.vendor_requests instead of sending it, credentials struck out, the one that the method is about with main set. No record and no outcome comes with it.",
		needs:  needsVendor,
		run:    dryRuns,
	},
	{
		name:   "writes/losses",
		title:  "what the vendor has no place for is LOSSY_WRITE before anything is changed or, with allow_lossy, left out and told; nothing is lost in silence",
		advice: "Count the places before the first request; name each part that has none by its path, such as phone_numbers[3], in the error's fields or, with allow_lossy, in result.warnings.",
		needs:  needsVendor,
		alone:  true,
		run:    losses,
	},
	{
		name:   "writes/remote-data",
		title:  "remote_data reaches the vendor's body as it was given, beside what was mapped",
		advice: "Put the keys of remote_data into the body of the main request last, as they are: a JSON parser that reads numbers as floating point changes 64-bit ids.",
		needs:  needsVendor,
		alone:  true,
		run:    remoteWrites,
	},
}

// refused tells whether a write was refused for what it asked for.
func refused(a *answer) bool {
	switch a.reason() {
	case errs.LossyWrite, errs.InvalidBody, errs.Unsupported, errs.InvalidParameter:
		return true
	}
	return false
}

// vendorRefused tells whether the vendor, or the plugin that knows it, did not
// want such a value.
func vendorRefused(a *answer) bool {
	switch a.reason() {
	case errs.VendorRejected, errs.VendorConflict, errs.VendorPrecondition:
		return true
	}
	return refused(a)
}

// refusedUnasked notes a write that is not refused, or only after the vendor was
// asked something.
func (x *trial) refusedUnasked(c call, what string) {
	d := x.vendor.open(nil)
	defer d.close()
	c.account = x.account(d.url)
	a := x.do(c)
	switch n := len(d.visits()); {
	case !refused(a):
		x.problem("%s: %s answered %s instead of being refused", c.method, what, a)
	case n > 0:
		x.problem("%s: %s was refused only after the vendor was asked: %v", c.method, what, d.visits())
	}
}

// unwritable are fields that a method does not take.
func (m *method) unwritable(record protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	var found []protoreflect.FieldDescriptor
	for i := range record.Fields().Len() {
		field := record.Fields().Get(i)
		if name := string(field.Name()); name == "etag" || !model.Touches(m.advertised.GetWritableFields(), name) {
			found = append(found, field)
		}
	}
	return found
}

// refusals notes what of a write ought to be refused and is not.
func (x *trial) refusals(c call) {
	k := x.maker(c.method)
	for _, field := range c.method.unwritable(k.record) {
		changed := c
		changed.record = proto.Clone(c.record.Interface()).ProtoReflect()
		all := make([]string, 0, 8)
		for i := range k.record.Fields().Len() {
			all = append(all, string(k.record.Fields().Get(i).Name()))
		}
		if !k.fill(changed.record, all, string(field.Name()), 0) {
			continue // no value is known
		}
		x.refusedUnasked(changed, "a record with "+string(field.Name())+", which is not among its writable_fields,")
	}
	for _, bad := range []string{"custom_fields", "remote_data"} {
		if model.Covers(c.method.advertised.GetWritableFields(), bad) {
			changed := c
			changed.record = proto.Clone(c.record.Interface()).ProtoReflect()
			changed.record.Set(k.field(bad), protoreflect.ValueOfBytes([]byte(`["no object"]`)))
			x.refusedUnasked(changed, bad+" that is a list")
		}
	}
}

// listedIDs are the ids of all records, as they are listed now.
func (x *trial) listedIDs(m *method) []string {
	lister := x.sibling(m, list)
	p, err := x.living(x.ctx)
	if lister == nil || err != nil {
		return nil
	}
	var ids []string
	for _, page := range x.walk(x.ctx, p, lister, x.account(x.vendor.emulator), 50, "") {
		ids = append(ids, page.ids()...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// read gives a record as a get, or else a list, shows it; nil when it does not.
func (x *trial) read(m *method, id string) protoreflect.Message {
	account := x.account(x.vendor.emulator)
	if getter := x.sibling(m, get); getter != nil {
		if a := x.do(call{method: getter, account: account, id: id}); a.ok() && len(a.records) == 1 {
			return a.records[0]
		}
		return nil
	}
	lister := x.sibling(m, list)
	p, err := x.living(x.ctx)
	if lister == nil || err != nil {
		return nil
	}
	for _, page := range x.walk(x.ctx, p, lister, account, 50, "") {
		for _, record := range page.records {
			if idOf(record) == id {
				return record
			}
		}
	}
	return nil
}

// gave looks at the record that a write gave and at what is read afterwards,
// and gives the latter.
func (x *trial) gave(m *method, a *answer, given protoreflect.Message, what string) protoreflect.Message {
	x.wrote(m, given)
	if len(a.records) != 1 {
		x.problem("%s: %s gave %d records instead of one", m, what, len(a.records))
		return nil
	}
	x.sound(m, a.records[0])
	for _, missing := range lacks(given, a.records[0]) {
		x.problem("%s: the answer to %s does not show it: %s", m, what, missing)
	}
	id := idOf(a.records[0])
	got := x.read(m, id)
	if got == nil {
		x.problem("%s: the record %s, which %s gave, cannot be read", m, id, what)
		return nil
	}
	for _, missing := range lacks(given, got) {
		x.problem("%s: after %s the record %s does not show it: %s", m, what, id, missing)
	}
	return got
}

// wrote remembers the custom fields of a record that was written.
func (x *trial) wrote(m *method, record protoreflect.Message) {
	field := record.Descriptor().Fields().ByName("custom_fields")
	stock := x.stocks[m.resource]
	if field == nil || stock == nil {
		return
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(record.Get(field).Bytes(), &members)
	x.suite.mu.Lock()
	defer x.suite.mu.Unlock()
	if stock.members == nil {
		stock.members = map[string]bool{}
	}
	for name := range members {
		stock.members[name] = true
	}
}

// members are the custom fields that were written so far.
func (x *trial) members(m *method) map[string]bool {
	x.suite.mu.Lock()
	defer x.suite.mu.Unlock()
	if stock := x.stocks[m.resource]; stock != nil {
		return maps.Clone(stock.members)
	}
	return nil
}

// plainFields are those whose plain values every vendor that takes the field
// has to take. For others the value may be wrong for the vendor.
var plainFields = []string{"first_name", "last_name", "name", "title", "email_addresses", "phone_numbers", "account", "urls"}

// foundFields are those whose values are taken from listed records.
var foundFields = []string{"account", "owner", "tags", "custom_fields"}

// oneByOne tries each writable field of a method.
func (x *trial) oneByOne(m *method, try func(name string, record protoreflect.Message) *answer, draft func(name string, nth int) (protoreflect.Message, bool)) {
	k := x.maker(m)
	for _, name := range m.writableFields() {
		attempts := 1
		if field := k.field(name); field.IsList() && name != "tags" {
			attempts = len(k.types(field)) // a place may be for one type alone
		} else if contains(foundFields, name) {
			attempts = 8 // a few may be computed by the vendor, or point to what is no longer there
		}
		var a *answer
		for nth := range attempts {
			record, ok := draft(name, nth)
			if !ok {
				break
			}
			if a = try(name, record); a == nil || a.ok() || !vendorRefused(a) {
				break
			}
		}
		switch {
		case a == nil || a.ok():
		case !vendorRefused(a):
			x.problem("%s: with %s it answered %s", m, name, a)
		case contains(plainFields, name):
			x.problem("%s: %s is among its writable_fields, and with a plain value it answered %s", m, name, a)
		default:
			x.note("%s: no value was found that the emulator takes for %s: %s", m, name, a)
		}
	}
}

func creates(x *trial) {
	for _, m := range x.anew(create) {
		stock, k := x.stocks[m.resource], x.maker(m)
		if stock == nil || stock.creating == nil {
			x.problem("%s: the manifest has no writable field that the suite knows a value for", m)
			continue
		}
		if !x.creates(m) {
			x.problem("%s: with %s it answered %s, and with fewer fields no better", m, strings.Join(stock.base, ", "), stock.creating)
			continue
		}
		if stock.further {
			x.note("%s: the required_fields alone do not make a record; with %s they do", m, strings.Join(stock.base, ", "))
		}
		paths := m.advertised.GetWritableFields()
		before := x.listedIDs(m)
		record := x.fresh(m)
		a := x.do(call{method: m, account: x.account(x.vendor.emulator), record: record})
		if !a.ok() {
			x.problem("%s: with %s it answered %s", m, strings.Join(stock.base, ", "), a)
			continue
		}
		x.gave(m, a, record, "a new record")
		if now := x.listedIDs(m); before != nil {
			if more := without(now, before); len(more) != 1 || len(a.records) != 1 || more[0] != idOf(a.records[0]) {
				x.problem("%s: it gave the record %v, and the list has got %s", m, a.ids(), some(more))
			}
			if gone := without(before, now); len(gone) > 0 {
				x.problem("%s: after a new record the list lacks %s", m, some(gone))
			}
		}
		x.oneByOne(m, func(name string, record protoreflect.Message) *answer {
			a := x.do(call{method: m, account: x.account(x.vendor.emulator), record: record})
			if a.ok() {
				x.gave(m, a, record, "a new record with "+name)
			}
			return a
		}, func(name string, nth int) (protoreflect.Message, bool) {
			names := append(slices.Clone(stock.base), name)
			if contains(stock.base, name) {
				return nil, false // which was tried already
			}
			record, filled := k.attempt(nth, paths, names)
			return record, contains(filled, name)
		})
		x.refusals(call{method: m, record: x.fresh(m)})
		for _, path := range m.advertised.GetRequiredFields() {
			name, _, _ := strings.Cut(path, ".")
			record := x.fresh(m)
			record.Clear(k.field(name))
			if whole := k.field("name"); whole != nil && strings.HasSuffix(name, "_name") {
				record.Clear(whole) // of which it may be made
			}
			x.refusedUnasked(call{method: m, record: record}, "a record without "+path+", which is required,")
		}
		x.refusedUnasked(call{method: m, record: emptyItem(x.fresh(m), k, paths)}, "an item of a list with nothing in it")
	}
}

// emptyItem gives a record with an item that says nothing; of a list that the
// method takes or, where it takes none, an unknown one.
func emptyItem(record protoreflect.Message, k *maker, paths []string) protoreflect.Message {
	for _, name := range []string{"email_addresses", "phone_numbers", "urls", "tags", "addresses"} {
		if field := k.field(name); field != nil && model.Touches(paths, name) {
			record.Mutable(field).List().Append(protoreflect.ValueOfMessage(typeOf(field.Message()).New()))
			return record
		}
	}
	if field := k.field("email_addresses"); field != nil {
		item := typeOf(field.Message()).New()
		item.Set(field.Message().Fields().ByName("email"), protoreflect.ValueOfString("conformance@example.com"))
		record.Mutable(field).List().Append(protoreflect.ValueOfMessage(item))
	}
	return record
}

// rich makes a record with as many fields as the emulator takes, so that what
// an update must leave alone is there. It is the one that may be changed where
// none can be made.
func (x *trial) rich(m *method) string {
	creator := x.sibling(m, create)
	if creator == nil || !x.creates(m) {
		return x.changeable(m)
	}
	names := x.stocks[m.resource].base
	id := ""
	for _, name := range append([]string{""}, creator.writableFields()...) {
		with := names
		if name != "" {
			if contains(names, name) || name == "name" {
				continue
			}
			with = append(slices.Clone(names), name)
		}
		record, _ := x.maker(m).draft(creator.advertised.GetWritableFields(), with)
		if a := x.do(call{method: creator, account: x.account(x.vendor.emulator), record: record}); a.ok() && len(a.records) == 1 {
			names, id = with, idOf(a.records[0])
			x.wrote(m, record)
		}
	}
	return id
}

func updates(x *trial) {
	for _, m := range x.anew(modify) {
		id := x.rich(m)
		if id == "" {
			x.skip("%s: no record is known that can be changed", m)
			continue
		}
		k, paths := x.maker(m), m.advertised.GetWritableFields()
		bystander := x.lasting(m)
		aside := x.read(m, bystander)
		x.oneByOne(m, func(name string, record protoreflect.Message) *answer {
			before := x.read(m, id)
			if before == nil {
				x.problem("%s: the record %s cannot be read", m, id)
				return nil
			}
			a := x.do(call{method: m, account: x.account(x.vendor.emulator), id: id, record: record})
			what := "a change of " + name
			if a.ok() {
				if len(a.records) == 1 && idOf(a.records[0]) != id {
					x.problem("%s: asked to change the record %s it gave %s", m, id, idOf(a.records[0]))
				}
				x.gave(m, a, record, what)
			}
			x.unchanged(m, id, before, []string{name}, what, a.ok())
			return a
		}, func(name string, nth int) (protoreflect.Message, bool) {
			record, filled := k.attempt(nth, paths, []string{name})
			return record, contains(filled, name)
		})
		x.emptying(m, id)
		x.shrinking(m, id)
		if c, ok := x.idle(m, nil); ok {
			c.id = id
			x.refusals(c)
			for what, clear := range map[string][]string{"a field to be emptied that is none": {"no_such_field"}, "an id to be emptied": {"id"}} {
				emptied := c
				emptied.record, emptied.clear = nil, clear
				x.refusedUnasked(emptied, what)
			}
		}
		x.unknown(m)
		if now := x.read(m, bystander); bystander != id && aside != nil && (now == nil || !proto.Equal(aside.Interface(), now.Interface())) {
			x.problem("%s: the record %s was not asked to be changed and has changed", m, bystander)
		}
	}
}

// unchanged notes what has changed in a record beside what was named; when the
// change was refused, that is everything.
func (x *trial) unchanged(m *method, id string, before protoreflect.Message, named []string, what string, done bool) {
	after := x.read(m, id)
	if after == nil {
		x.problem("%s: after %s the record %s cannot be read", m, what, id)
		return
	}
	if !done {
		named = nil
	}
	for _, change := range changedBeside(before, after, named, x.members(m)) {
		if done {
			x.problem("%s: %s changed more than that: %s", m, what, change)
		} else {
			x.problem("%s: %s was refused and yet changed something: %s", m, what, change)
		}
	}
}

// emptying tries to empty each field. A vendor may refuse, but not pretend.
func (x *trial) emptying(m *method, id string) {
	k := x.maker(m)
	var required []string
	if creator := x.sibling(m, create); creator != nil {
		required = append(topLevel(creator.advertised.GetRequiredFields()), x.stocks[m.resource].base...)
	}
	for _, name := range m.writableFields() {
		before := x.read(m, id)
		if before == nil || isEmpty(before, k.field(name), x.members(m)) || contains(required, name) || name == "name" {
			continue
		}
		what := "emptying " + name
		a := x.do(call{method: m, account: x.account(x.vendor.emulator), id: id, clear: []string{name}})
		if !a.ok() && !vendorRefused(a) {
			x.problem("%s: %s answered %s", m, what, a)
		}
		x.unchanged(m, id, before, []string{name}, what, a.ok())
		if after := x.read(m, id); a.ok() && after != nil && !isEmpty(after, k.field(name), x.members(m)) {
			x.problem("%s: %s was done, and %s is there: %s", m, what, name, show(k.field(name), after.Get(k.field(name))))
		}
	}
}

// shrinking writes two items of a list and then one, where two have places.
func (x *trial) shrinking(m *method, id string) {
	k, paths := x.maker(m), m.advertised.GetWritableFields()
	for _, name := range m.writableFields() {
		field := k.field(name)
		if !field.IsList() || name == "tags" {
			continue
		}
		record := typeOf(k.record).New()
		items := record.Mutable(field).List()
		for i := range 2 {
			if item, ok := k.item(paths, field, i); ok {
				items.Append(protoreflect.ValueOfMessage(item))
			}
		}
		account := x.account(x.vendor.emulator)
		if items.Len() < 2 || !x.do(call{method: m, account: account, id: id, record: record}).ok() {
			continue
		}
		items.Truncate(1)
		if a := x.do(call{method: m, account: account, id: id, record: record}); a.ok() {
			x.gave(m, a, record, "a list of "+name+" with one item less")
		} else {
			x.problem("%s: with a list of %s with one item less it answered %s", m, name, a)
		}
	}
}

func guards(x *trial) {
	for _, m := range x.anew(modify) {
		c, ok := x.idle(m, x.account(x.vendor.emulator))
		if !ok {
			x.skip("%s: no record is known that can be changed", m)
			continue
		}
		name := m.simple()
		again := func(etag *string) *answer {
			c.record, _ = x.maker(m).draft(m.advertised.GetWritableFields(), []string{name})
			c.etag = etag
			return x.do(c)
		}
		if !contains(m.advertised.GetWritableFields(), "etag") {
			x.refusedUnasked(call{method: m, id: c.id, record: c.record, etag: new("conformance")}, "an etag, though etag is not among its writable_fields,")
			continue
		}
		before := x.read(m, c.id)
		if before == nil || textIn(before, "etag") == "" {
			x.problem("%s: etag is among its writable_fields, and the record %s has none", m, c.id)
			continue
		}
		old := textIn(before, "etag")
		if a := again(&old); !a.ok() {
			x.problem("%s: with the record's own etag it answered %s", m, a)
			continue
		}
		after := x.read(m, c.id)
		if after != nil && textIn(after, "etag") == old { // it may be the time of change, in whole seconds
			time.Sleep(1100 * time.Millisecond)
			again(nil)
			after = x.read(m, c.id)
		}
		if after == nil || textIn(after, "etag") == old {
			x.problem("%s: the record %s was changed, and its etag is still %q", m, c.id, old)
			continue
		}
		if a := again(&old); a.reason() != errs.StaleVersion {
			x.problem("%s: with the etag of an older version it answered %s instead of stale_version", m, a)
		}
		x.unchanged(m, c.id, after, nil, "a change for an older version", false)
		if last := x.read(m, c.id); last != nil && textIn(last, "etag") != textIn(after, "etag") {
			x.problem("%s: a change for an older version was refused, and the etag has changed", m)
		}
	}
}

func upserts(x *trial) {
	for _, m := range x.anew(upsert) {
		c, ok := x.idle(m, x.account(x.vendor.emulator))
		if !ok {
			x.skip("%s: no new record can be made; writes/create tells why", m)
			continue
		}
		k := x.maker(m)
		emails := k.field("email_addresses")
		if emails == nil || !c.record.Has(emails) {
			x.problem("%s: an upsert finds its record by an e-mail address, and email_addresses is not writable", m)
			continue
		}
		address := textIn(c.record.Get(emails).List().Get(0).Message(), "email")
		before := x.listedIDs(m)
		first := x.do(c)
		if !first.ok() {
			x.problem("%s: with an address that nobody has it answered %s", m, first)
			continue
		}
		if !first.created {
			x.problem("%s: nobody had the address, and the answer does not say created", m)
		}
		x.gave(m, first, c.record, "an upsert of an address that nobody has")
		second := c
		second.record = x.fresh(m, "email_addresses")
		second.record.Mutable(emails).List().Get(0).Message().Set(emails.Message().Fields().ByName("email"), protoreflect.ValueOfString(address))
		a := x.do(second)
		switch {
		case !a.ok():
			x.problem("%s: a second time with the same address it answered %s", m, a)
		case a.created:
			x.problem("%s: a second time with the same address the answer says created", m)
		case len(a.records) != 1 || len(first.records) != 1 || idOf(a.records[0]) != idOf(first.records[0]):
			x.problem("%s: a second time with the same address it gave the record %v instead of %v", m, a.ids(), first.ids())
		default:
			x.gave(m, a, second.record, "a second upsert of an address")
		}
		if more := without(x.listedIDs(m), before); before != nil && len(more) != 1 {
			x.problem("%s: two upserts of one address made %d records: %s", m, len(more), some(more))
		}
		if len(first.records) == 1 {
			x.addressesStay(m, second, idOf(first.records[0]))
		}
		bare := second
		bare.record = proto.Clone(second.record.Interface()).ProtoReflect()
		bare.record.Clear(emails)
		x.refusedUnasked(bare, "a record without an address")
		x.ambiguous(m)
	}
}

// addressesStay holds an upsert by one address to leave the others alone.
func (x *trial) addressesStay(m *method, c call, id string) {
	modifier := x.sibling(m, modify)
	k := x.maker(m)
	emails := k.field("email_addresses")
	if modifier == nil {
		return
	}
	two := typeOf(k.record).New()
	two.Mutable(emails).List().Append(protoreflect.ValueOfMessage(proto.Clone(c.record.Get(emails).List().Get(0).Message().Interface()).ProtoReflect()))
	if item, ok := k.item(modifier.advertised.GetWritableFields(), emails, 1); ok {
		two.Mutable(emails).List().Append(protoreflect.ValueOfMessage(item))
	}
	if !x.do(call{method: modifier, account: c.account, id: id, record: two}).ok() {
		return // there is one place
	}
	before := x.read(m, id)
	a := x.do(c)
	if !a.ok() {
		x.problem("%s: for a record with two addresses it answered %s", m, a)
		return
	}
	after := x.read(m, id)
	if before != nil && after != nil && before.Get(emails).List().Len() != after.Get(emails).List().Len() {
		x.problem("%s: an upsert by one address changed the others: %s became %s", m, listInShort(before.Get(emails).List()), listInShort(after.Get(emails).List()))
	}
}

// ambiguous looks for an address that two records have.
func (x *trial) ambiguous(m *method) {
	creator := x.sibling(m, create)
	emails := x.maker(m).field("email_addresses")
	if creator == nil || !model.Touches(creator.advertised.GetWritableFields(), "email_addresses") {
		return
	}
	record := x.fresh(m, "email_addresses")
	account := x.account(x.vendor.emulator)
	for range 2 {
		if !record.Has(emails) || !x.do(call{method: creator, account: account, record: record}).ok() {
			return // the vendor allows one record for an address
		}
	}
	if a := x.do(call{method: m, account: account, record: record}); a.reason() != errs.Conflict && a.reason() != errs.VendorConflict {
		x.problem("%s: with an address that two records have it answered %s instead of conflict", m, a)
	}
}

func batchDeletes(x *trial) {
	for _, m := range x.anew(removeMany) {
		var ids []string
		for range 3 {
			if id := x.expendable(x.ctx, m); id != "" {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			x.skip("%s: no record is known that can be deleted", m)
			continue
		}
		before := x.listedIDs(m)
		asked := ids
		strangers := without(x.strangers(m), before)
		if most := int(m.advertised.GetMaxRecords()); len(strangers) > 0 && !x.hidden(m, strangers[0]) && (most == 0 || len(ids) < most) {
			asked = append(slices.Insert(slices.Clone(ids[:len(ids)-1]), len(ids)/2, strangers[0]), ids[len(ids)-1])
		}
		if most := int(m.advertised.GetMaxRecords()); most > 0 && len(asked) > most {
			asked = asked[:most]
		}
		a := x.do(call{method: m, account: x.account(x.vendor.emulator), ids: asked})
		if !a.ok() && len(asked) > 1 {
			x.problem("%s: for %d records, one of which was never there, it answered %s", m, len(asked), a)
			continue
		}
		if len(a.outcomes) != len(asked) {
			x.problem("%s: for %d records it gave %d outcomes", m, len(asked), len(a.outcomes))
			continue
		}
		for i, o := range a.outcomes {
			reason := o.GetError().GetReason()
			switch {
			case o.GetId() != asked[i]:
				x.problem("%s: outcome %d is of the record %s, and %s was asked for there", m, i, o.GetId(), asked[i])
			case contains(ids, asked[i]) && o.GetError() != nil:
				x.problem("%s: the record %s was there, and its outcome is %s (%.200s)", m, asked[i], errs.Name(reason), o.GetError().GetMessage())
			case !contains(ids, asked[i]) && reason != errs.RecordNotFound && (o.GetError() != nil || x.repeats(m) != providerv1.DeleteSemantics_REPEAT_SUCCEEDS):
				x.problem("%s: the record %s was never there, and its outcome is not record_not_found: %s", m, asked[i], o)
			}
		}
		now := x.listedIDs(m)
		for _, id := range ids {
			if contains(asked, id) && contains(now, id) {
				x.problem("%s: the record %s was deleted, and the list still has it", m, id)
			}
		}
		if gone := without(without(before, now), asked); len(gone) > 0 {
			x.problem("%s: others are gone too: %s", m, some(gone))
		}
		x.refusedUnasked(call{method: m}, "a call that names no record")
		if most := int(m.advertised.GetMaxRecords()); most > 0 && most < 2000 {
			x.refusedUnasked(call{method: m, ids: slices.Repeat([]string{x.lasting(m)}, most+1)}, fmt.Sprintf("a call with %d ids, where max_records is %d,", most+1, most))
		}
		x.unknown(m)
	}
}

func merges(x *trial) {
	for _, m := range x.anew(merge) {
		c, there := x.about(m, x.account(x.vendor.emulator))
		if !there {
			x.skip("%s: no records are known that can be merged", m)
			continue
		}
		before := x.listedIDs(m)
		a := x.do(c)
		if !a.ok() {
			x.problem("%s: for the records %s and %s it answered %s", m, c.master, c.duplicates[0], a)
			continue
		}
		if len(a.records) != 1 || !strings.EqualFold(idOf(a.records[0]), c.master) {
			x.problem("%s: asked to merge into the record %s it gave %v", m, c.master, a.ids())
		}
		if x.read(m, c.master) == nil {
			x.problem("%s: the record %s, into which others were merged, cannot be read", m, c.master)
		}
		if x.read(m, c.duplicates[0]) != nil {
			x.problem("%s: the record %s was merged into another and can still be read", m, c.duplicates[0])
		}
		now := x.listedIDs(m)
		if gone := without(without(before, now), c.duplicates); len(gone) > 0 {
			x.problem("%s: others are gone too: %s", m, some(gone))
		}
		if more := without(now, before); before != nil && len(more) > 0 {
			x.problem("%s: it made new records: %s", m, some(more))
		}
		x.refusedUnasked(call{method: m, master: c.master}, "a call without duplicates")
		x.refusedUnasked(call{method: m, master: c.master, duplicates: []string{c.master}}, "a record that is to be merged into itself")
		for _, id := range x.strangers(m) {
			if x.hidden(m, id) {
				continue
			}
			for what, odd := range map[string]call{"into": {master: id, duplicates: []string{c.master}}, "of": {master: c.master, duplicates: []string{id}}} {
				odd.method, odd.account = m, x.account(x.vendor.emulator)
				if a := x.do(odd); a.reason() != errs.RecordNotFound && a.reason() != errs.VendorRejected {
					x.problem("%s: a merge %s the record %s, which was never there, answered %s instead of record_not_found", m, what, id, a)
				}
			}
		}
		if gone := without(now, x.listedIDs(m)); len(gone) > 0 {
			x.problem("%s: after merges that could not be the list lacks %s", m, some(gone))
		}
	}
}

func dryRuns(x *trial) {
	methods := x.writing()
	if len(methods) == 0 {
		x.skip("nothing that changes anything is advertised")
	}
	for _, m := range methods {
		d := x.vendor.open(nil)
		c, there := x.about(m, x.account(d.url))
		if !there {
			continue
		}
		c.dryRun = true
		a := x.do(c)
		if n := len(d.visits()); n > 0 {
			x.problem("%s: in a dry run it sent %d requests: %v", m, n, d.visits())
		}
		if !a.ok() {
			x.problem("%s: a dry run answered %s", m, a)
			continue
		}
		if len(a.records)+len(a.outcomes) > 0 {
			x.problem("%s: a dry run gave %d records and outcomes, as if something had been done", m, len(a.records)+len(a.outcomes))
		}
		main := 0
		for _, r := range a.result.GetVendorRequests() {
			if r.GetMain() {
				main++
			}
			if r.GetMethod() == "" || !strings.HasPrefix(r.GetUrl(), d.url+"/") {
				x.problem("%s: a dry run shows a request %s %s, which would not go to %s", m, r.GetMethod(), r.GetUrl(), d.url)
			}
		}
		if main == 0 {
			x.problem("%s: a dry run shows no request with main set; it shows %d in all", m, len(a.result.GetVendorRequests()))
			continue
		}
		// What is shown is what is sent.
		shown, _ := x.dry(x.ctx, c)
		c.dryRun = false
		if done := x.do(c); done.ok() && !slices.ContainsFunc(d.visits(), func(v *visit) bool { return shown[v.what()] }) {
			x.problem("%s: none of the requests that it sent, %v, is the one that the dry run showed", m, d.visits())
		}
	}
	for _, m := range x.of(create) {
		if required := m.advertised.GetRequiredFields(); len(required) > 0 {
			if a := x.do(call{method: m, account: x.account(nobody), dryRun: true}); a.ok() {
				x.problem("%s: a dry run without %s, which is required, answered success", m, strings.Join(required, ", "))
			}
		}
	}
}

// manyItems are more than most vendors have places for.
const manyItems = 25

func losses(x *trial) {
	methods := append(x.anew(create), x.of(modify)...)
	for _, m := range methods {
		k, paths := x.maker(m), m.advertised.GetWritableFields()
		for _, name := range m.writableFields() {
			field := k.field(name)
			if !field.IsList() || name == "tags" {
				continue
			}
			for what, fill := range map[string]func(items protoreflect.List) bool{
				fmt.Sprintf("%d %s", manyItems, name): func(items protoreflect.List) bool {
					for i := range manyItems {
						item, ok := k.item(paths, field, i)
						if !ok {
							return false
						}
						items.Append(protoreflect.ValueOfMessage(item))
					}
					return true
				},
				name + " of an unheard-of type": func(items protoreflect.List) bool {
					item, ok := k.item(paths, field, 0)
					kind := field.Message().Fields().ByName("type")
					if !ok || kind == nil || !model.Covers(paths, name+".type") {
						return false
					}
					item.Set(kind, protoreflect.ValueOfString("conformance"))
					items.Append(protoreflect.ValueOfMessage(item))
					return true
				},
			} {
				c, ok := x.idle(m, nil)
				if !ok {
					continue
				}
				if m.kind == modify {
					c.record = typeOf(k.record).New()
				}
				items := c.record.NewField(field).List()
				if !fill(items) {
					continue
				}
				c.record.Set(field, protoreflect.ValueOfList(items))
				x.nothingLost(c, field, what)
			}
		}
	}
}

// nothingLost writes a list, first strictly and then with losses allowed.
func (x *trial) nothingLost(c call, field protoreflect.FieldDescriptor, what string) {
	m := c.method
	d := x.vendor.open(nil)
	defer d.close()
	own := x.own(x.ctx, call{method: m, account: x.account(d.url), id: c.id, record: c.record, lossy: true})
	c.account = x.account(d.url)
	a := x.do(c)
	switch {
	case a.ok():
		x.gave(m, a, c.record, "a record with "+what)
		return
	case a.reason() != errs.LossyWrite:
		if !vendorRefused(a) {
			x.problem("%s: with %s it answered %s", m, what, a)
		}
		return
	}
	if len(a.detail.GetFields()) == 0 {
		x.problem("%s: with %s it answered lossy_write without naming the parts (detail.fields)", m, what)
	}
	for _, v := range d.visits() {
		if own(v) {
			x.problem("%s: with %s it answered lossy_write after it had sent %s", m, what, v)
		}
	}
	c.account, c.lossy = x.account(x.vendor.emulator), true
	a = x.do(c)
	if !a.ok() {
		if !vendorRefused(a) || a.reason() == errs.LossyWrite {
			x.problem("%s: with %s and allow_lossy it answered %s", m, what, a)
		}
		return
	}
	told := map[string]bool{}
	for _, w := range a.result.GetWarnings() {
		told[w.GetField()] = true
	}
	if len(told) == 0 {
		x.problem("%s: with %s and allow_lossy it left something out and told of nothing in result.warnings", m, what)
		return
	}
	// What no warning names must be there.
	kept := c.record.NewField(field).List()
	for i := range c.record.Get(field).List().Len() {
		at := fmt.Sprintf("%s[%d]", field.Name(), i)
		if told[at] {
			continue
		}
		item := proto.Clone(c.record.Get(field).List().Get(i).Message().Interface()).ProtoReflect()
		for j := range field.Message().Fields().Len() {
			if part := field.Message().Fields().Get(j); told[at+"."+string(part.Name())] {
				item.Clear(part)
			}
		}
		kept.Append(protoreflect.ValueOfMessage(item))
	}
	if told[string(field.Name())] {
		return // the list as a whole was left out
	}
	rest := proto.Clone(c.record.Interface()).ProtoReflect()
	rest.Set(field, protoreflect.ValueOfList(kept))
	x.gave(m, a, rest, "a record with "+what+", of which warnings name "+some(sortedKeys(told))+",")
}

func sortedKeys(m map[string]bool) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func remoteWrites(x *trial) {
	const digits = `{"long":9007199254740993,"trail":1.10,"power":1E+2,"escaped":"\u00fc\/"}`
	none := true
	if !x.reset() {
		return
	}
	for _, m := range x.of(create, modify, upsert) {
		if !contains(m.advertised.GetWritableFields(), "remote_data") {
			continue
		}
		d := x.vendor.open(nil)
		c, there := x.about(m, x.account(d.url))
		if !there {
			continue
		}
		none = false
		c.record.Set(x.maker(m).field("remote_data"), protoreflect.ValueOfBytes([]byte(`{"conformance_remote":`+digits+`}`)))
		own := x.own(x.ctx, c)
		a := x.do(c)
		arrived := false
		for _, v := range d.visits() {
			if !own(v) || !bytes.Contains(v.body, []byte("conformance_remote")) {
				continue
			}
			arrived = true
			if !json.Valid(v.body) || !bytes.Contains(compact(v.body), []byte(`"conformance_remote":`+digits)) {
				x.problem("%s: remote_data came changed: %.300s", m, around(v.body, "conformance_remote"))
			}
		}
		if !arrived {
			x.problem("%s: remote_data did not reach the vendor's body; the call answered %s", m, a)
		}
	}
	if none {
		x.skip("no method takes remote_data")
	}
}
