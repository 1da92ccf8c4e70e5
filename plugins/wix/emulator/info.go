package emulator

import (
	"fmt"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

var (
	emailTags   = []string{"UNTAGGED", "MAIN", "HOME", "WORK"}
	phoneTags   = []string{"UNTAGGED", "MAIN", "HOME", "MOBILE", "WORK", "FAX"}
	addressTags = []string{"UNTAGGED", "HOME", "WORK", "BILLING", "SHIPPING"}
)

const (
	maxItems  = 50
	maxLabels = 2000
)

// info reads the writable half of a contact into the form in which it is
// stored. A key with nil was null. Read-only parts are dropped, as the vendor
// does, and labelKeys stays for the caller to decide on.
func (c *check) info(o *kit.Object, env *kit.Env) *kit.Object {
	out := kit.Pairs()
	c.known(o, "info", "name", "emails", "phones", "addresses", "company", "jobTitle", "birthdate", "locale",
		"labelKeys", "extendedFields", "locations", "picture")
	keep := func(key string, value any, p presence) {
		switch p {
		case given:
			out.Set(key, value)
		case null:
			out.Set(key, nil)
		}
	}
	name, p := c.object(o, "name", "info.name")
	keep("name", c.personName(name), p)
	emails, p := c.items(o, "emails", emailTags, c.email)
	keep("emails", emails, p)
	phones, p := c.items(o, "phones", phoneTags, c.phone)
	keep("phones", phones, p)
	addresses, p := c.items(o, "addresses", addressTags, func(item, out *kit.Object, path string) { c.address(item, out, path, env) })
	keep("addresses", addresses, p)
	for _, key := range []string{"company", "jobTitle"} {
		text, p := c.length(o, key, "info."+key, 0, 1000)
		keep(key, text, p)
	}
	birthdate, p := c.text(o, "birthdate", "info.birthdate")
	if p == given && birthdate != "" && !isLocalDate(birthdate) {
		c.violate("info.birthdate", "is not a valid date", "FORMAT", "LOCAL_DATE")
	}
	keep("birthdate", birthdate, p)
	locale, p := c.text(o, "locale", "info.locale")
	if p == given && locale != "" && !languageForm.MatchString(locale) {
		c.violate("info.locale", "is not a valid language tag", "FORMAT", "LANGUAGE_TAG")
	}
	keep("locale", locale, p)
	c.labels(o, out)
	c.extended(o, out)
	if picture, p := c.object(o, "picture", "info.picture"); p == given {
		if image, p := c.object(picture, "image", "info.picture.image"); p == given {
			image = image.Clone()
			image.Delete("id") // given by Wix when a picture is uploaded
			keep("picture", kit.Pairs("image", image), given)
		}
	} else {
		keep("picture", nil, p)
	}
	return out
}

func (c *check) personName(name *kit.Object) *kit.Object {
	out := kit.Pairs()
	if name == nil {
		return out
	}
	c.known(name, "info.name", "first", "last")
	for _, key := range []string{"first", "last"} {
		switch text, p := c.length(name, key, "info.name."+key, 0, 1000); p {
		case given:
			out.Set(key, text)
		case null:
			out.Set(key, nil)
		}
	}
	return out
}

// items reads one of the three wrappers with a list in it.
func (c *check) items(o *kit.Object, key string, tags []string, read func(item, out *kit.Object, path string)) ([]any, presence) {
	path := "info." + key
	wrapper, p := c.object(o, key, path)
	if p != given {
		return nil, p
	}
	c.known(wrapper, path, "items")
	list, p := c.array(wrapper, "items", path+".items")
	if p != given {
		return nil, p
	}
	if len(list) > maxItems {
		c.violate(path+".items", fmt.Sprintf("has size %d, expected %d or less", len(list), maxItems), "MAX_SIZE", "")
	}
	out := make([]any, 0, len(list))
	for i, value := range list {
		at := fmt.Sprintf("%s.items[%d]", path, i)
		item, ok := value.(*kit.Object)
		if !ok {
			c.wrongType("an object", at)
			continue
		}
		stored := kit.Pairs()
		if id, p := c.text(item, "id", at+".id"); p == given {
			stored.Set("id", strings.ToLower(id))
		}
		tag := c.oneOf(item, "tag", at+".tag", tags...)
		if tag == "" {
			tag = "UNTAGGED"
		}
		stored.Set("tag", tag)
		read(item, stored, at)
		out = append(out, stored)
	}
	return out, given
}

func (c *check) email(item, out *kit.Object, path string) {
	c.known(item, path, "id", "tag", "email", "primary")
	text, p := c.length(item, "email", path+".email", 1, 320)
	switch {
	case p != given:
		c.violate(path+".email", "must not be empty", "REQUIRED_FIELD", "")
	case !emailForm.MatchString(text):
		c.violate(path+".email", "is not a valid email", "FORMAT", "EMAIL")
	}
	out.Set("email", text)
	if c.boolean(item, "primary", path+".primary") {
		out.Set("primary", true)
	}
}

func (c *check) phone(item, out *kit.Object, path string) {
	c.known(item, path, "id", "tag", "countryCode", "phone", "e164Phone", "primary")
	country := c.country(item, "countryCode", path)
	text, p := c.length(item, "phone", path+".phone", 1, 50)
	if p != given {
		c.violate(path+".phone", "must not be empty", "REQUIRED_FIELD", "")
	}
	if country != "" {
		out.Set("countryCode", country)
	}
	out.Set("phone", text)
	if full, _ := international(text, country); full != "" {
		out.Set("e164Phone", full)
	}
	if c.boolean(item, "primary", path+".primary") {
		out.Set("primary", true)
	}
}

func (c *check) address(item, out *kit.Object, path string, env *kit.Env) {
	c.known(item, path, "id", "tag", "address")
	path += ".address"
	address, p := c.object(item, "address", path)
	stored := kit.Pairs()
	out.Set("address", stored)
	if p != given {
		return
	}
	c.known(address, path, "streetAddress", "addressLine", "addressLine2", "city", "subdivision", "country", "postalCode", "location", "geocode", "formattedAddress", "hint")
	street, streetGiven := c.object(address, "streetAddress", path+".streetAddress")
	line, lineGiven := c.length(address, "addressLine", path+".addressLine", 0, 1000)
	if streetGiven == given && lineGiven == given {
		// The two share a slot, so a body with both cannot be read.
		c.wrongType("addressLine or streetAddress, not both,", path)
	}
	if streetGiven == given {
		parts := kit.Pairs()
		number, _ := c.length(street, "number", path+".streetAddress.number", 0, 100)
		setText(parts, "number", number)
		name, _ := c.length(street, "name", path+".streetAddress.name", 0, 1000)
		setText(parts, "name", name)
		stored.Set("streetAddress", parts)
	}
	setText(stored, "addressLine", line)
	for _, part := range []struct {
		key  string
		most int
	}{{"addressLine2", 1000}, {"city", 1000}, {"subdivision", 100}} {
		text, _ := c.length(address, part.key, path+"."+part.key, 0, part.most)
		setText(stored, part.key, text)
	}
	if region := stored.Text("subdivision"); region != "" && !isoPartForm.MatchString(region) && env.Switch("bare_subdivision") == "400" {
		c.violate(path+".subdivision", "is not a valid subdivision", "FORMAT", "SUBDIVISION")
	}
	setText(stored, "country", c.country(address, "country", path))
	postcode, _ := c.length(address, "postalCode", path+".postalCode", 0, 100)
	setText(stored, "postalCode", postcode)
}

func (c *check) country(o *kit.Object, key, path string) string {
	text, p := c.text(o, key, path+"."+key)
	if p == given && text != "" && !countryForm.MatchString(text) {
		c.violate(path+"."+key, "is not a valid country", "FORMAT", "COUNTRY")
	}
	return text
}

func (c *check) labels(o, out *kit.Object) {
	wrapper, p := c.object(o, "labelKeys", "info.labelKeys")
	if p != given {
		return
	}
	keys, p := c.texts(wrapper, "items", "info.labelKeys.items")
	if len(keys) > maxLabels {
		c.violate("info.labelKeys.items", fmt.Sprintf("has size %d, expected %d or less", len(keys), maxLabels), "MAX_SIZE", "")
	}
	if p == given {
		out.Set("labelKeys", keys)
	}
}

func (c *check) extended(o, out *kit.Object) {
	wrapper, p := c.object(o, "extendedFields", "info.extendedFields")
	if p == null {
		out.Set("extendedFields", nil)
	}
	if p != given {
		return
	}
	c.known(wrapper, "info.extendedFields", "items")
	if items, p := c.object(wrapper, "items", "info.extendedFields.items"); p == given {
		out.Set("extendedFields", items.Clone())
	}
}

func setText(o *kit.Object, key, text string) {
	if text != "" {
		o.Set(key, text)
	}
}
