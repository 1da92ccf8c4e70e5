package emulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	contactRecordType = "71010000001"
	accountRecordType = "71010000002"
)

// accountZone is the time zone of the emulated account: Suite timestamps have
// the account's offset, not Z.
var accountZone = time.FixedZone("", -6*60*60)

const stampLayout = "2006-01-02T15:04:05-07:00"

// contact is a record as a plain answer shows it, and beside it what only
// shows when include asks for it.
type contact struct {
	id       int64
	record   *kit.Object
	owner    int64 // zero is nobody
	creater  int64 // spelt as the vendor spells it
	status   int64
	stage    int64
	accounts []accountLink
}

type accountLink struct {
	id      int64
	primary bool
}

// account is a company; its owner_id always shows.
type account struct {
	id     int64
	record *kit.Object
}

func (c *contact) deleted() bool { return c.record.Get("is_deleted") == true }
func (a *account) deleted() bool { return a.record.Get("is_deleted") == true }

// copy is what a write works on until it is known to be valid.
func (c *contact) copy() *contact {
	d := *c
	d.record = c.record.Clone()
	d.accounts = slices.Clone(c.accounts)
	return &d
}

// firstIDs are the ids at which counting begins, by kind.
var firstIDs = map[string]int64{
	"contact": 70011223344, "email": 70055667788, "phone": 70066000001, "account": 70003771198,
	"note": 70000770001, "job": 70000990001,
}

func (i *instance) newID(kind string) int64 {
	if i.lastID[kind] == 0 {
		i.lastID[kind] = firstIDs[kind] - 1
	}
	i.lastID[kind]++
	return i.lastID[kind]
}

// now is the stamp of a write: the time of day, but later than every stamp
// before. Stamps have whole seconds, so a burst of writes runs ahead.
func (i *instance) now() string {
	now := time.Now().Truncate(time.Second)
	if !now.After(i.stamp) {
		now = i.stamp.Add(time.Second)
	}
	i.stamp = now
	return stampOf(now)
}

func stampOf(t time.Time) string { return t.In(accountZone).Format(stampLayout) }

func number(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// orNull is an id as JSON, null for nobody.
func orNull(id int64) any {
	if id == 0 {
		return nil
	}
	return number(id)
}

func find[T any](all []T, fits func(T) bool) (found T, ok bool) {
	at := slices.IndexFunc(all, fits)
	if at < 0 {
		return found, false
	}
	return all[at], true
}

func (i *instance) contactByID(id int64) (*contact, bool) {
	return find(i.contacts, func(c *contact) bool { return c.id == id })
}

func (i *instance) accountByID(id int64) (*account, bool) {
	return find(i.accounts, func(a *account) bool { return a.id == id })
}

func (i *instance) userByID(id int64) (*kit.Object, bool) {
	return find(i.users, func(u *kit.Object) bool { return u.Get("id") == number(id) })
}

// contactKeys are the keys of a plain contact in the order of the wire.
var contactKeys = strings.Fields(`id first_name last_name display_name avatar job_title address city state zipcode country
	email emails work_email work_number mobile_number phone_numbers time_zone locale external_id lead_score customer_fit
	last_seen last_contacted last_contacted_mode last_contacted_sales_activity_mode last_contacted_via_sales_activity
	open_deals_amount open_deals_count won_deals_amount won_deals_count links custom_field tags system_tags
	keyword medium facebook twitter linkedin recent_note completed_sales_sequences active_sales_sequences web_form_ids
	subscription_status subscription_types unsubscription_reason other_unsubscription_reason
	whatsapp_subscription_status sms_subscription_status last_seen_chat first_seen_chat total_sessions
	first_source first_medium first_campaign last_source last_medium last_campaign
	latest_source latest_medium latest_campaign mcr_id record_type_id is_deleted team_user_ids last_assigned_at
	created_at updated_at`)

// accountKeys are the keys of an account in the order of the wire.
var accountKeys = strings.Fields(`id name address city state zipcode country number_of_employees annual_revenue website owner_id phone
	open_deals_amount open_deals_count won_deals_amount won_deals_count last_contacted last_contacted_mode
	facebook twitter linkedin links custom_field created_at updated_at avatar parent_sales_account_id recent_note
	last_contacted_via_sales_activity last_contacted_sales_activity_mode completed_sales_sequences active_sales_sequences
	last_assigned_at tags is_deleted team_user_ids has_connections record_type_id`)

// newContact is a record with what the vendor fills in by itself.
func (i *instance) newContact(stamp string) *contact {
	c := &contact{id: i.newID("contact"), record: &kit.Object{}, creater: ownerIDs[0], status: firstStatus, stage: firstStage}
	for _, key := range contactKeys {
		c.record.Set(key, nil)
	}
	base := fmt.Sprintf("/crm/sales/contacts/%d", c.id)
	links := recordLinks(base)
	links.Set("timeline_feeds", base+"/timeline_feeds")
	links.Set("reminders", base+"/reminders?include=creater,owner,updater,targetable")
	links.Set("duplicates", base+"/duplicates")
	links.Set("connections", base+"/connections")
	set(c.record, "id", number(c.id), "emails", []any{}, "phone_numbers", []any{}, "tags", []any{}, "system_tags", []any{},
		"lead_score", number(0), "customer_fit", number(0), "links", links, "custom_field", emptyCustomFields(contactCustomFields),
		"subscription_status", number(1), "subscription_types", "2;3;4;5;1",
		"whatsapp_subscription_status", number(2), "sms_subscription_status", number(2),
		// Above 2^53 on purpose: clients that read numbers as floats corrupt it.
		"mcr_id", number(1450348061427834881+(c.id-firstIDs["contact"])*7), "record_type_id", contactRecordType,
		"is_deleted", false, "created_at", stamp, "updated_at", stamp)
	return c
}

func (i *instance) newAccount(stamp string) *account {
	a := &account{id: i.newID("account"), record: &kit.Object{}}
	for _, key := range accountKeys {
		a.record.Set(key, nil)
	}
	set(a.record, "id", number(a.id), "links", recordLinks(fmt.Sprintf("/crm/sales/sales_accounts/%d", a.id)),
		"custom_field", emptyCustomFields(accountCustomFields), "created_at", stamp, "updated_at", stamp,
		"tags", []any{}, "is_deleted", false, "has_connections", false, "record_type_id", accountRecordType)
	return a
}

func recordLinks(base string) *kit.Object {
	return kit.Pairs(
		"conversations", base+"/conversations/all?include=email_conversation_recipients%2Ctargetable%2Cphone_number%2Cphone_caller%2Cnote%2Cuser&per_page=3",
		"document_associations", base+"/document_associations",
		"notes", base+"/notes?include=creater",
		"tasks", base+"/tasks?include=creater,owner,updater,targetable,users,task_type",
		"appointments", base+"/appointments?include=creater,owner,updater,targetable,appointment_attendees,conference,note")
}

func set(o *kit.Object, keysAndValues ...any) {
	for at := 0; at < len(keysAndValues); at += 2 {
		o.Set(keysAndValues[at].(string), keysAndValues[at+1])
	}
}

// settle recomputes what the vendor derives: the display name and the primary
// address.
func (c *contact) settle() {
	r := c.record
	r.Set("email", nil)
	for _, item := range r.Get("emails").([]any) {
		if e := item.(*kit.Object); e.Get("is_primary") == true {
			r.Set("email", e.Get("value"))
		}
	}
	name := strings.TrimSpace(r.Text("first_name") + " " + r.Text("last_name"))
	for _, fallback := range []string{"email", "mobile_number"} {
		if name == "" {
			name = r.Text(fallback)
		}
	}
	if name == "" {
		r.Set("display_name", nil)
		return
	}
	r.Set("display_name", name)
}
