package emulator

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
	"unicode"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// endusers is Planhat's collection of contacts.
func (p *planhat) endusers() *collection {
	return &collection{
		attributes: map[string]kind{
			"email": kindText, "otherEmails": kindTexts, "firstName": kindText, "lastName": kindText, "name": kindText,
			"companyId": kindID, "externalId": kindText, "sourceId": kindText, "position": kindText, "phone": kindText,
			"tags": kindTexts, "personas": kindTexts, "featured": kindBoolean, "primary": kindBoolean, "archived": kindBoolean,
			"npsUnsubscribed": kindBoolean, "sharedNotificationsPrefs": kindObject, "custom": kindCustom, "createDate": kindDate,
		},
		readOnly: []string{
			"_id", "companyName", "createdAt", "updatedAt", "emailMd5", "beatTrend", "beats", "beatsTotal", "convs14", "convsTotal",
			"experience", "relatedEndusers", "lastActivities", "lastActive", "nps", "npsComment", "npsDate", "npsSent", "relevance", "usage", "__v",
		},
		createOnly:  []string{"createDate"},
		keys:        []string{"_id", "sourceId", "externalId", "email"},
		companyKey:  "companyId",
		emailFilter: true,
		prepare:     prepareEnduser,
		apply:       p.applyEnduser,
		touch:       func(record *kit.Object, at string) { record.Set("updatedAt", at) },
		render:      p.renderEnduser,
		hidden:      func(record *kit.Object) bool { return record.Get("archived") == true },
		byID:        map[string]*kit.Object{},
	}
}

// prepareEnduser gives a new end user what the vendor fills in by itself.
func prepareEnduser(record *kit.Object, at string) {
	for _, name := range []string{"otherEmails", "tags", "personas", "relatedEndusers", "lastActivities"} {
		record.Set(name, []any{})
	}
	for _, name := range []string{"featured", "primary", "archived", "npsUnsubscribed"} {
		record.Set(name, false)
	}
	for _, name := range []string{"beatTrend", "beats", "beatsTotal", "convs14", "convsTotal", "experience"} {
		record.Set(name, 0)
	}
	record.Set("sharedNotificationsPrefs", kit.Pairs("enabled", []any{}, "disabled", []any{}, "disabledEvents", []any{}))
	record.Set("custom", &kit.Object{})
	record.Set("createDate", at)
	record.Set("createdAt", at)
	record.Set("__v", 0)
}

func (p *planhat) applyEnduser(record, changes *kit.Object, creating bool) string {
	p.applyNames(record, changes)
	for _, name := range changes.Keys() {
		value := changes.Get(name)
		switch name {
		case "firstName", "lastName", "name":
		case "createDate":
			if p.env.Switch("create_date") == "kept" {
				p.set(record, name, value)
			}
		case "custom":
			if problem := p.applyCustom(record, value); problem != "" {
				return problem
			}
		case "otherEmails":
			p.applyOtherEmails(record, value)
		default:
			p.set(record, name, value)
		}
	}
	if creating || changes.Has("email") {
		if problem := p.checkEmail(record); problem != "" {
			return problem
		}
	}
	if creating || changes.Has("companyId") {
		return p.checkCompany(record)
	}
	return ""
}

// applyNames keeps name and its two parts in step: the parts make the name,
// and a name on its own is split at the first space.
func (p *planhat) applyNames(record, changes *kit.Object) {
	first, hasFirst := changes.Lookup("firstName")
	last, hasLast := changes.Lookup("lastName")
	if whole, ok := changes.Lookup("name"); ok && !hasFirst && !hasLast {
		hasFirst, hasLast = true, true
		if s, ok := whole.(string); ok {
			before, after, _ := strings.Cut(strings.TrimSpace(s), " ")
			first, last = before, textOrNil(strings.TrimSpace(after))
		}
	}
	if !hasFirst && !hasLast {
		return
	}
	if hasFirst {
		p.set(record, "firstName", p.nameCase(first))
	}
	if hasLast {
		p.set(record, "lastName", p.nameCase(last))
	}
	p.set(record, "name", textOrNil(strings.TrimSpace(record.Text("firstName")+" "+record.Text("lastName"))))
}

// nameCase is one reading of a third party's note that the vendor alters the
// case of names.
func (p *planhat) nameCase(name any) any {
	s, ok := name.(string)
	if !ok || p.env.Switch("name_case") == "kept" {
		return name
	}
	letters := []rune(strings.ToLower(s))
	for i, r := range letters {
		if i == 0 || !unicode.IsLetter(letters[i-1]) {
			letters[i] = unicode.ToUpper(r)
		}
	}
	return string(letters)
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// applyCustom writes custom fields. What a formula computes stays whatever is
// sent.
func (p *planhat) applyCustom(record *kit.Object, value any) string {
	stored, _ := record.Get("custom").(*kit.Object)
	sent, isObject := value.(*kit.Object)
	if !isObject {
		p.set(record, "custom", value)
		return ""
	}
	after := &kit.Object{}
	if stored != nil && p.env.Switch("custom_update") == "merge" {
		after = stored.Clone()
	}
	formulas := p.customFormulas()
	for _, key := range sent.Keys() {
		formula, defined := formulas[key]
		switch {
		case formula && p.env.Switch("formula_write") == "400":
			return "custom." + key + " is computed"
		case formula:
		case !defined && p.env.Switch("unknown_custom") == "400":
			return "custom." + key + " is not a custom field"
		case !defined && p.env.Switch("unknown_custom") == "ignored":
		case p.env.Switch("custom_update") == "merge":
			p.set(after, key, sent.Get(key))
		default:
			after.Set(key, sent.Get(key))
		}
	}
	if stored != nil {
		for _, key := range stored.Keys() {
			if formulas[key] {
				after.Set(key, stored.Get(key))
			}
		}
	}
	record.Set("custom", after)
	return ""
}

// customFormulas tells of each custom field of end users whether it is computed.
func (p *planhat) customFormulas() map[string]bool {
	fields := map[string]bool{}
	for _, field := range p.collections["customfields"].records {
		if field.Get("parent") == "enduser" {
			fields[field.Text("name")] = field.Get("isFormula") == true
		}
	}
	return fields
}

func (p *planhat) applyOtherEmails(record *kit.Object, value any) {
	mode := p.env.Switch("other_emails")
	if mode == "ignored" {
		return
	}
	sent, isList := value.([]any)
	if !isList || mode == "replace" {
		p.set(record, "otherEmails", value)
		return
	}
	stored, _ := record.Get("otherEmails").([]any)
	merged := append([]any{}, stored...)
	for _, email := range sent {
		if !contains(merged, email) {
			merged = append(merged, email)
		}
	}
	record.Set("otherEmails", merged)
}

func contains(items []any, wanted any) bool {
	for _, item := range items {
		if item == wanted {
			return true
		}
	}
	return false
}

func (p *planhat) checkEmail(record *kit.Object) string {
	email := record.Text("email")
	if email == "" {
		record.Delete("emailMd5")
		if p.env.Switch("missing_email") == "400" {
			return "email is required"
		}
		return ""
	}
	if p.env.Switch("duplicate_email") == "400" {
		for _, other := range p.collections["endusers"].records {
			if other.Text("email") == email && other.Text("_id") != record.Text("_id") {
				return "email is taken"
			}
		}
	}
	record.Set("emailMd5", emailHash(email))
	return ""
}

// emailHash is what the vendor's emailMd5 says it is; nothing is secured by it.
func emailHash(email string) string {
	sum := md5.Sum([]byte(email))
	return hex.EncodeToString(sum[:])
}

// checkCompany makes sure that the company exists, and picks one by the
// e-mail's domain when none was given.
func (p *planhat) checkCompany(record *kit.Object) string {
	companies := p.collections["companies"]
	if given := record.Text("companyId"); given != "" {
		company := companies.first("_id", given)
		if company == nil {
			return "companyId " + given + " does not exist"
		}
		record.Set("companyId", company.Get("_id"))
		record.Set("companyName", company.Get("name"))
		return ""
	}
	if _, domain, ok := strings.Cut(record.Text("email"), "@"); ok {
		for _, company := range companies.records {
			domains, _ := company.Get("domains").([]any)
			if contains(domains, strings.ToLower(domain)) {
				record.Set("companyId", company.Get("_id"))
				record.Set("companyName", company.Get("name"))
				return ""
			}
		}
	}
	if p.env.Switch("no_company") == "400" {
		return "companyId is required"
	}
	record.Delete("companyName")
	return ""
}

// renderEnduser shows the company's name of today; the stored one is what is
// left when the company has gone.
func (p *planhat) renderEnduser(record *kit.Object, _ bool) *kit.Object {
	shown := record.Clone()
	if company := p.collections["companies"].first("_id", record.Text("companyId")); company != nil {
		shown.Set("companyName", company.Get("name"))
	}
	if p.env.Switch("last_active") == "absent" {
		shown.Delete("lastActive")
	}
	return shown
}
