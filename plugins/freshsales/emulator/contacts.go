package emulator

import (
	"slices"
	"strconv"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// contactAt finds a contact by the id of a path, soft-deleted ones included.
func (i *instance) contactAt(text string) (*contact, *failure) {
	id, problem := i.parseID(text)
	if problem != nil {
		return nil, problem
	}
	c, known := i.contactByID(id)
	if !known {
		return nil, i.unknownID()
	}
	return c, nil
}

// liveContactAt finds a contact that is not in the recycle bin.
func (i *instance) liveContactAt(text string) (*contact, *failure) {
	c, problem := i.contactAt(text)
	if problem == nil && c.deleted() {
		problem = notFound()
	}
	if problem != nil {
		return nil, problem
	}
	return c, nil
}

func (i *instance) getContact(in *request, id string) (answer, *failure) {
	c, problem := i.contactAt(id)
	if problem == nil && c.deleted() && i.env.Switch("get_after_delete") == "404" {
		problem = notFound()
	}
	if problem != nil {
		return answer{}, problem
	}
	include, problem := i.includes(in)
	if problem != nil {
		return answer{}, problem
	}
	return ok(i.showOne(c, include)), nil
}

func (i *instance) createContact(in *request) (answer, *failure) {
	attributes, problem := i.envelope(in, "contact")
	if problem != nil {
		return answer{}, problem
	}
	include, problem := i.writeIncludes(in)
	if problem != nil {
		return answer{}, problem
	}
	c, problem := i.insertContact(attributes)
	if problem != nil {
		return answer{}, problem
	}
	return answer{status: i.createStatus(), body: i.showOne(c, include)}, nil
}

func (i *instance) createStatus() int {
	status, _ := strconv.Atoi(i.env.Switch("create_status"))
	return status
}

// insertContact makes a contact, or none when the attributes are refused.
func (i *instance) insertContact(attributes *kit.Object) (*contact, *failure) {
	// A refused create uses up ids and a stamp, as a database sequence would.
	c := i.newContact(i.now())
	messages := i.apply(c, attributes)
	if len(messages) == 0 && len(c.record.Get("emails").([]any)) == 0 && c.record.Text("mobile_number") == "" {
		messages = []string{"Please provide an email or a mobile number"}
	}
	if len(messages) > 0 {
		return nil, invalid(messages...)
	}
	i.contacts = append(i.contacts, c)
	return c, nil
}

func (i *instance) updateContact(in *request, id string) (answer, *failure) {
	c, problem := i.contactAt(id)
	if problem == nil && c.deleted() && i.env.Switch("update_after_delete") == "404" {
		problem = notFound()
	}
	if problem != nil {
		return answer{}, problem
	}
	attributes, problem := i.envelope(in, "contact")
	if problem != nil {
		return answer{}, problem
	}
	include, problem := i.writeIncludes(in)
	if problem != nil {
		return answer{}, problem
	}
	c, problem = i.changeContact(c, attributes)
	if problem != nil {
		return answer{}, problem
	}
	return ok(i.showOne(c, include)), nil
}

// changeContact updates a contact wholly or not at all.
func (i *instance) changeContact(old *contact, attributes *kit.Object) (*contact, *failure) {
	c := old.copy()
	c.record.Set("updated_at", i.now())
	if messages := i.apply(c, attributes); len(messages) > 0 {
		return nil, invalid(messages...)
	}
	*old = *c
	return old, nil
}

// deleteContact moves a contact to the recycle bin. The answer is a bare true.
func (i *instance) deleteContact(_ *request, id string) (answer, *failure) {
	c, problem := i.contactAt(id)
	if problem != nil {
		return answer{}, problem
	}
	if c.deleted() && i.env.Switch("second_delete") == "404" {
		return answer{}, notFound()
	}
	i.bin(c.record)
	return i.removed("delete_answer"), nil
}

func (i *instance) bin(record *kit.Object) {
	if record.Get("is_deleted") == true {
		return
	}
	record.Set("is_deleted", true)
	if i.env.Switch("deletion_stamp") == "moved" {
		record.Set("updated_at", i.now())
	}
}

// forgetContact purges a contact, from the recycle bin too.
func (i *instance) forgetContact(_ *request, id string) (answer, *failure) {
	c, problem := i.contactAt(id)
	if problem != nil {
		return answer{}, problem
	}
	i.contacts = slices.DeleteFunc(i.contacts, func(other *contact) bool { return other == c })
	i.notes = slices.DeleteFunc(i.notes, func(n *note) bool { return n.about("Contact", c.id) })
	for at := range i.lists {
		i.lists[at].members = slices.DeleteFunc(i.lists[at].members, func(id int64) bool { return id == c.id })
	}
	return i.removed("forget_answer"), nil
}

// cloneContact copies a contact with overrides. Since addresses are unique, a
// copy without an address of its own is refused.
func (i *instance) cloneContact(in *request, id string) (answer, *failure) {
	source, problem := i.liveContactAt(id)
	if problem != nil {
		return answer{}, problem
	}
	overrides := &kit.Object{}
	if len(in.body) > 0 {
		if overrides, problem = i.envelope(in, "contact"); problem != nil {
			return answer{}, problem
		}
	}
	include, problem := i.writeIncludes(in)
	if problem != nil {
		return answer{}, problem
	}
	attributes := &kit.Object{}
	for _, key := range slices.Concat(textAttributes, numberAttributes, []string{"tags", "custom_field", "email"}) {
		attributes.Set(key, source.record.Get(key))
	}
	if overrides.Has("emails") {
		attributes.Delete("email")
	}
	links := []any{}
	for _, link := range source.accounts {
		links = append(links, kit.Pairs("id", number(link.id), "is_primary", link.primary))
	}
	set(attributes, "owner_id", orNull(source.owner), "contact_status_id", orNull(source.status),
		"lifecycle_stage_id", orNull(source.stage), "sales_accounts", links)
	for _, key := range overrides.Keys() {
		attributes.Set(key, overrides.Get(key))
	}
	c, problem := i.insertContact(attributes.Clone())
	if problem != nil {
		return answer{}, problem
	}
	return answer{status: i.createStatus(), body: i.showOne(c, include)}, nil
}

// bulkDestroyContacts moves contacts to the recycle bin at once; the vendor
// may take its time. Ids that nothing has are passed over.
func (i *instance) bulkDestroyContacts(in *request) (answer, *failure) {
	ids, problem := i.selectedIDs(in)
	if problem != nil {
		return answer{}, problem
	}
	for _, id := range ids {
		if c, known := i.contactByID(id); known && i.env.Switch("bulk_destroy_effect") == "at_once" {
			i.bin(c.record)
		}
	}
	return i.removed("bulk_destroy_answer"), nil
}

func (i *instance) selectedIDs(in *request) ([]int64, *failure) {
	body, problem := i.object(in)
	if problem != nil {
		return nil, problem
	}
	selected, isArray := body.Get("selected_ids").([]any)
	if !isArray || len(selected) == 0 {
		return nil, invalid("selected_ids is missing")
	}
	ids := make([]int64, 0, len(selected))
	for _, value := range selected {
		id, fine := idOf(value)
		if !fine {
			return nil, invalid("selected_ids is invalid")
		}
		ids = append(ids, id)
	}
	return ids, nil
}
