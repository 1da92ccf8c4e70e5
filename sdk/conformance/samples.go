package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/internal/model"
)

// This file makes what the checks of writes write. Of a vendor it knows nothing
// but the manifest and the records that are listed: those tell which accounts,
// owners, types, tags and custom fields there are. Texts are plain ones that no
// vendor has a reason to refuse or to change.

// maker makes records of a resource.
type maker struct {
	record protoreflect.MessageDescriptor
	listed []protoreflect.Message
	next   func() int // a number that was not used before
}

func (s *suite) maker(m *method) *maker {
	made := &maker{record: recordOf(m.resource), next: func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.made++
		return s.made
	}}
	if stock := s.stocks[m.resource]; stock != nil {
		made.listed = stock.records
	}
	return made
}

// letters writes a number in letters: names with digits look odd to some vendors.
func letters(n int) string {
	text := ""
	for ; n > 0; n /= 26 {
		text = string(rune('a'+n%26)) + text
	}
	return text
}

// field is a field of the record, nil when there is none.
func (k *maker) field(name string) protoreflect.FieldDescriptor {
	return k.record.Fields().ByName(protoreflect.Name(name))
}

// draft makes a record with the named fields, as far as the paths allow. It
// tells which of them it could give a value.
func (k *maker) draft(paths, names []string) (protoreflect.Message, []string) {
	return k.attempt(0, paths, names)
}

// attempt makes a record whose lists have items of the nth type.
func (k *maker) attempt(nth int, paths, names []string) (protoreflect.Message, []string) {
	record := typeOf(k.record).New()
	var filled []string
	for _, name := range names {
		if k.fill(record, paths, name, nth) {
			filled = append(filled, name)
		}
	}
	return record, filled
}

// typeOf finds the Go type of a message.
func typeOf(message protoreflect.MessageDescriptor) protoreflect.MessageType {
	found, err := protoregistry.GlobalTypes.FindMessageByName(message.FullName())
	if err != nil {
		panic("conformance: the protocol lacks " + string(message.FullName())) // it is linked in
	}
	return found
}

// fill gives a field of a record a value that it had not before.
func (k *maker) fill(record protoreflect.Message, paths []string, name string, nth int) bool {
	field := k.field(name)
	switch {
	case field == nil || !model.Touches(paths, name):
		return false
	case field.IsList():
		item, ok := k.item(paths, field, nth)
		if !ok {
			return false
		}
		items := record.NewField(field).List()
		items.Append(protoreflect.ValueOfMessage(item))
		record.Set(field, protoreflect.ValueOfList(items))
		return true
	case isTimestamp(field):
		at := timestamppb.New(time.Date(2024, time.March, 5, 9, 30, 0, 0, time.UTC).Add(time.Duration(k.next()) * time.Hour))
		record.Set(field, protoreflect.ValueOfMessage(at.ProtoReflect()))
		return true
	case field.Message() != nil:
		return k.reference(record, paths, field)
	case field.Kind() == protoreflect.BytesKind:
		return k.custom(record, field)
	case field.Kind() != protoreflect.StringKind:
		return false
	case name == "name":
		// It may be made of its parts, so it must not contradict them.
		first, last := k.field("first_name"), k.field("last_name")
		text := strings.TrimSpace(textAt(record, first) + " " + textAt(record, last))
		if text == "" {
			text = "Ada Quill" + letters(k.next())
		}
		record.Set(field, protoreflect.ValueOfString(text))
		return true
	default:
		record.Set(field, protoreflect.ValueOfString(k.text(field)))
		return true
	}
}

func textAt(record protoreflect.Message, field protoreflect.FieldDescriptor) string {
	if field == nil {
		return ""
	}
	return record.Get(field).String()
}

func isTimestamp(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && field.Message().FullName() == "google.protobuf.Timestamp"
}

func formatOf(field protoreflect.FieldDescriptor) crmv1.Format {
	rule, _ := proto.GetExtension(field.Options(), crmv1.E_Field).(*crmv1.FieldRule)
	return rule.GetFormat()
}

// text is a plain text for a field.
func (k *maker) text(field protoreflect.FieldDescriptor) string {
	n := k.next()
	switch formatOf(field) {
	case crmv1.Format_FORMAT_EMAIL:
		return fmt.Sprintf("conformance-%d@example.com", n)
	case crmv1.Format_FORMAT_PHONE:
		return fmt.Sprintf("+44 20 7946 %04d", n%10_000)
	}
	switch field.Name() {
	case "url":
		return fmt.Sprintf("https://example.com/conformance-%d", n)
	case "street_1":
		return fmt.Sprintf("%d Ink Lane", n)
	case "postal_code":
		return "LS1 1AA"
	}
	word := "Quill" + letters(n)
	if field.Name() == "title" {
		word = "Buyer " + letters(n)
	}
	return word
}

// reference points to another record that a listed one points to: by its id
// or, where that cannot be written, by its name.
func (k *maker) reference(record protoreflect.Message, paths []string, field protoreflect.FieldDescriptor) bool {
	for _, part := range []string{"id", "name"} {
		inner := field.Message().Fields().ByName(protoreflect.Name(part))
		if inner == nil || !model.Covers(paths, string(field.Name())+"."+part) {
			continue
		}
		count := map[string]int{}
		for _, listed := range k.listed {
			if listed.Has(field) {
				count[textAt(listed.Get(field).Message(), inner)]++
			}
		}
		delete(count, "")
		// The seed has records that point to what is no longer there; what many
		// point to is.
		if values := byCount(count); len(values) > 0 {
			values = values[:min(len(values), 3)]
			if count[values[0]] > 1 {
				values = slices.DeleteFunc(values, func(value string) bool { return count[value] == 1 })
			}
			record.Mutable(field).Message().Set(inner, protoreflect.ValueOfString(values[k.next()%len(values)]))
			return true
		}
	}
	return false
}

func textIn(message protoreflect.Message, name protoreflect.Name) string {
	return textAt(message, message.Descriptor().Fields().ByName(name))
}

// custom gives one of the custom fields that listed records have, with one of
// their values.
func (k *maker) custom(record protoreflect.Message, field protoreflect.FieldDescriptor) bool {
	members := k.customFields()
	if field.Name() != "custom_fields" || len(members) == 0 {
		return false
	}
	m := members[k.next()%len(members)]
	record.Set(field, protoreflect.ValueOfBytes(objectOf(m)))
	return true
}

// customField is a custom field with a value that some record has.
type customField struct {
	name  string
	value json.RawMessage
}

func objectOf(m customField) []byte {
	name, _ := json.Marshal(m.name)
	return bytes.Join([][]byte{[]byte("{"), name, []byte(":"), m.value, []byte("}")}, nil)
}

// customFields are the custom fields of the listed records that have a value
// somewhere, in the order of their names.
func (k *maker) customFields() []customField {
	field := k.field("custom_fields")
	found := map[string]json.RawMessage{}
	for _, listed := range k.listed {
		if field == nil || !listed.Has(field) {
			continue
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(listed.Get(field).Bytes(), &members) != nil {
			continue
		}
		for name, value := range members {
			if !saysNothing(value) {
				found[name] = compact(value)
			}
		}
	}
	var all []customField
	for name, value := range found {
		all = append(all, customField{name, value})
	}
	slices.SortFunc(all, func(a, b customField) int { return strings.Compare(a.name, b.name) })
	return all
}

// saysNothing tells whether a JSON value is one of the ways to write nothing.
func saysNothing(value json.RawMessage) bool {
	return contains([]string{"", "null", `""`, "[]", "{}"}, string(compact(value)))
}

// item makes an item of a list. nth chooses its type among those that listed
// records have.
func (k *maker) item(paths []string, field protoreflect.FieldDescriptor, nth int) (protoreflect.Message, bool) {
	list := string(field.Name())
	fields := field.Message().Fields()
	item := typeOf(field.Message()).New()
	can := func(part protoreflect.FieldDescriptor) bool {
		return model.Covers(paths, list+"."+string(part.Name()))
	}
	set := func(part protoreflect.FieldDescriptor, text string) {
		if part != nil && text != "" && can(part) {
			item.Set(part, protoreflect.ValueOfString(text))
		}
	}
	switch list {
	case "addresses":
		like := k.anyItem(field)
		for i := range fields.Len() {
			part := fields.Get(i)
			switch part.Name() {
			case "id", "type":
			case "street_1":
				set(part, k.text(part))
			case "city":
				set(part, "Leeds")
			case "country", "state", "postal_code": // which vendors may check against each other
				if like != nil {
					set(part, textAt(like, part))
				}
			}
		}
		if like != nil && textIn(like, "city") != "" {
			set(fields.ByName("city"), textIn(like, "city"))
		}
	case "tags":
		if like := k.anyItem(field); like != nil {
			set(fields.ByName("name"), textIn(like, "name"))
			if !item.Has(fields.ByName("name")) {
				set(fields.ByName("id"), textIn(like, "id"))
			}
		} else {
			set(fields.ByName("name"), "conformance")
		}
		return item, item.IsValid() && proto.Size(item.Interface()) > 0
	default:
		for i := range fields.Len() {
			if part := fields.Get(i); part.Name() != "id" && part.Name() != "type" && part.Name() != "extension" {
				set(part, k.text(part))
			}
		}
	}
	if proto.Size(item.Interface()) == 0 {
		return nil, false
	}
	types := k.types(field)
	set(fields.ByName("type"), types[nth%len(types)])
	return item, true
}

// anyItem is an item of a list that a listed record has; nil when none has one.
func (k *maker) anyItem(field protoreflect.FieldDescriptor) protoreflect.Message {
	for _, listed := range k.listed {
		if items := listed.Get(field).List(); items.Len() > 0 {
			return items.Get(0).Message()
		}
	}
	return nil
}

// types are the types that items of a list may have: those of listed records,
// the most frequent one first, then those that the protocol names. Where no
// listed record has an item, the first is none.
func (k *maker) types(field protoreflect.FieldDescriptor) []string {
	count := map[string]int{}
	for _, listed := range k.listed {
		list := listed.Get(field).List()
		for i := range list.Len() {
			count[textIn(list.Get(i).Message(), "type")]++
		}
	}
	delete(count, "")
	types := byCount(count)
	if len(types) == 0 {
		types = []string{""}
	}
	return append(types, without(vocabulary[string(field.Name())], types)...)
}

// vocabulary are the types that the comments of shapes.proto name.
var vocabulary = map[string][]string{
	"addresses":       {"mailing", "home", "work", "billing", "shipping", "other"},
	"email_addresses": {"primary", "work", "home", "other"},
	"phone_numbers":   {"work", "mobile", "home", "fax", "other"},
	"urls":            {"website", "linkedin", "facebook", "twitter"},
}

// byCount are the keys of a map, the greatest number first.
func byCount(count map[string]int) []string {
	var keys []string
	for key := range count {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	return keys
}

// topLevel are the fields that paths lie in, each once.
func topLevel(paths []string) []string {
	var names []string
	for _, path := range paths {
		if name, _, _ := strings.Cut(path, "."); !contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// writableFields are the fields that a method takes and that are written like
// any other: remote_data has a check of its own, and an etag is a guard.
func (m *method) writableFields() []string {
	return without(topLevel(m.advertised.GetWritableFields()), []string{"remote_data", "etag"})
}

// learnToCreate finds the fields that a new record has to have. The required
// ones are in the manifest, but vendors have rules that it cannot tell, such as
// an e-mail address or a number. So it tries, with more and more fields.
func (s *suite) learnToCreate(ctx context.Context, p *process, m *method, stock *stock) {
	k, paths := s.maker(m), m.advertised.GetWritableFields()
	names := topLevel(m.advertised.GetRequiredFields())
	tried := 0
	for _, more := range []string{"", "last_name", "email_addresses", "first_name", "phone_numbers", "account", "owner", "name"} {
		if more != "" && (contains(names, more) || !model.Touches(paths, more)) {
			continue
		}
		if more != "" {
			names = append(names, more)
		}
		record, filled := k.draft(paths, names)
		if len(filled) == 0 {
			continue
		}
		tried++
		stock.base = filled
		if stock.creating = s.ask(ctx, p, call{method: m, account: s.account(s.vendor.emulator), record: record}); stock.creating.ok() {
			stock.further = tried > 1
			return
		}
	}
}

// creates tells whether records of the resource can be made.
func (s *suite) creates(m *method) bool {
	stock := s.stocks[m.resource]
	return stock != nil && stock.creating != nil && stock.creating.ok()
}

// fresh makes a record that does not exist yet; at least with the given fields.
func (s *suite) fresh(m *method, names ...string) protoreflect.Message {
	creator := s.sibling(m, create)
	base := names
	paths := m.advertised.GetWritableFields()
	if creator != nil && s.stocks[m.resource] != nil {
		base = append(slices.Clone(s.stocks[m.resource].base), without(names, s.stocks[m.resource].base)...)
		paths = creator.advertised.GetWritableFields()
	}
	record, _ := s.maker(m).draft(paths, base)
	return record
}

// expendable gives the id of a record that may be deleted: one that is made for
// it where that works, else one of the seed. It is "" when there is none.
func (s *suite) expendable(ctx context.Context, m *method) string {
	if creator := s.sibling(m, create); creator != nil && s.creates(m) {
		if p, err := s.living(ctx); err == nil {
			a := s.ask(ctx, p, call{method: creator, account: s.account(s.vendor.emulator), record: s.fresh(m)})
			if a.ok() && len(a.records) == 1 {
				return idOf(a.records[0])
			}
		}
	}
	return s.deletable(m)
}

// simple is a text field that a method writes, "" when there is none.
func (m *method) simple() string {
	for _, name := range []string{"title", "last_name", "first_name", "name"} {
		if model.Covers(m.advertised.GetWritableFields(), name) {
			return name
		}
	}
	return ""
}

// about is a call of a method for a record that is there: one that may go or be
// changed, where the method does so. It is not there when no such record is known.
func (s *suite) about(m *method, account *providerv1.Account) (_ call, there bool) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit(callTime))
	defer cancel()
	c, there := s.idle(m, account)
	switch {
	case !there:
	case m.kind == modify:
		// One of its own: a vendor may refuse a change that meets another.
		if s.creates(m) {
			c.id = s.expendable(ctx, m)
		}
		there = c.id != ""
	case m.kind == remove:
		if c.id = s.deletable(m); c.id == "" {
			c.id = s.expendable(ctx, m)
		}
		there = c.id != ""
	case m.kind == removeMany:
		c.ids = []string{s.expendable(ctx, m)}
		there = c.ids[0] != ""
	case m.kind == merge:
		c.master, c.duplicates = s.expendable(ctx, m), []string{s.expendable(ctx, m)}
		there = c.master != "" && c.duplicates[0] != ""
	}
	return c, there
}

// idle is a call of a method of which nothing is to come: it will be refused,
// or the vendor does not act upon it. So it takes no record away.
func (s *suite) idle(m *method, account *providerv1.Account) (_ call, there bool) {
	c := call{method: m, account: account}
	last, other := s.lasting(m), ""
	if stock := s.stocks[m.resource]; stock != nil && len(stock.all) > 1 {
		other = stock.all[len(stock.all)/2]
	}
	switch {
	case m == connectionCheck, m.kind == list:
		return c, true
	case m.kind == create:
		c.record = s.fresh(m)
		return c, s.creates(m)
	case m.kind == upsert:
		c.record = s.fresh(m, "email_addresses")
		return c, s.creates(m)
	case m.kind == modify:
		c.id = s.changeable(m)
		if name := m.simple(); name != "" {
			c.record, _ = s.maker(m).draft(m.advertised.GetWritableFields(), []string{name})
		}
		return c, c.id != "" && c.record != nil
	case m.kind == removeMany:
		c.ids = []string{last}
	case m.kind == merge:
		c.master, c.duplicates = last, []string{other}
		return c, last != "" && other != "" && other != last
	default:
		c.id = last
	}
	return c, last != ""
}

// changeable gives the id of a record that may be changed, and is not deleted.
func (s *suite) changeable(m *method) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stock := s.stocks[m.resource]; stock != nil {
		return stock.changeable
	}
	return ""
}

// own gives what tells the requests that a call is about from those beside it:
// of a write those that change something. A search by POST changes nothing, and
// only the plugin knows which requests are such: it says so in a dry run.
func (s *suite) own(ctx context.Context, c call) func(v *visit) bool {
	if !c.method.writes() {
		return func(*visit) bool { return true }
	}
	main, beside := s.dry(ctx, c)
	return func(v *visit) bool { return main[v.what()] || v.writes() && !beside[v.what()] }
}

// dry tells the requests of a write as a dry run shows them: those that the
// method is about, and those beside them.
func (s *suite) dry(ctx context.Context, c call) (main, beside map[string]bool) {
	main, beside = map[string]bool{}, map[string]bool{}
	p, err := s.living(ctx)
	if err != nil {
		return main, beside
	}
	c.dryRun, c.edit, c.time, c.extra = true, nil, 0, 0
	for _, r := range s.call(ctx, p, c).result.GetVendorRequests() {
		u, err := url.Parse(r.GetUrl())
		if err != nil {
			continue
		}
		if what := r.GetMethod() + " " + u.EscapedPath(); r.GetMain() {
			main[what] = true
		} else {
			beside[what] = true
		}
	}
	return main, beside
}
