package emulator

// kind is the type of an attribute.
type kind int

const (
	textKind kind = iota
	integerKind
	booleanKind
	enumKind
	addressKind
	tagsKind
	customKind
)

// owner says whose attribute it is.
type owner int

const (
	anyone owner = iota
	personOnly
	organizationOnly
)

type attribute struct {
	kind  kind
	whose owner
	enum  []string
}

// writable lists the attributes that a request may carry.
var writable = map[string]attribute{
	"owner_id":               {kind: integerKind},
	"is_organization":        {kind: booleanKind},
	"contact_id":             {kind: integerKind, whose: personOnly},
	"parent_organization_id": {kind: integerKind, whose: organizationOnly},
	"name":                   {whose: organizationOnly},
	"first_name":             {whose: personOnly},
	"last_name":              {whose: personOnly},
	"customer_status":        {kind: enumKind, enum: customerStatuses},
	"prospect_status":        {kind: enumKind, enum: prospectStatuses},
	"title":                  {whose: personOnly},
	"description":            {}, "industry": {}, "website": {},
	"email": {}, "phone": {}, "mobile": {}, "fax": {},
	"twitter": {}, "facebook": {}, "linkedin": {}, "skype": {},
	"address":          {kind: addressKind},
	"billing_address":  {kind: addressKind},
	"shipping_address": {kind: addressKind},
	"tags":             {kind: tagsKind},
	"custom_fields":    {kind: customKind},
}

var readOnly = []string{"id", "creator_id", "created_at", "updated_at"}
