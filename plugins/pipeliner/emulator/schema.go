package emulator

// kind says how a field's value looks and is checked.
type kind int

const (
	kindText     kind = iota
	kindInteger       // with enum: one of a few
	kindFloat         // any number
	kindBoolean       // true, false
	kindStamp         // a time
	kindDate          // a day
	kindRef           // the id of a record in target
	kindOptions       // ids of rows in target, as an array
	kindURI           // a relation to one: the URI of the record that via names
	kindMany          // a relation to many: URIs of the rows of target whose via is this record
	kindNoRows        // a relation to many that the emulator keeps no rows of
	kindDerived       // computed, or constant
	kindAnything      // kept as it comes
)

// field is one key of a collection's records.
type field struct {
	name   string
	kind   kind
	target string  // the collection of a kindRef, kindOptions, kindURI or kindMany
	via    string  // see kindURI and kindMany
	enum   []int64 // of a kindInteger
	// required fields are needed on create and cannot be cleared.
	required bool
	// onCreate and onUpdate tell whether the input schemas have the field.
	onCreate, onUpdate bool
	// initial is the value of a record that was created without the field.
	initial any
	// value computes a kindDerived, or the id behind a kindURI without via.
	value func(s *store, r *row) any
	// noQuery fields cannot be filtered or sorted by.
	noQuery bool
	// dataSet restricts a kindRef or kindOptions to one set of Data rows.
	dataSet string
}

// collection is a kind of record and its path.
type collection struct {
	name   string // in the path, plural
	entity string // in errors and Fields, singular
	fields []field
	// writable collections take every write; the others are look-ups.
	writable bool
	// merges tells whether there is a merge call.
	merges bool
	// check finds problems beyond single fields.
	check func(s *store, c *change) []problem
	// apply finishes a write after the fields are stored.
	apply func(s *store, c *change)
	index map[string]int
}

// header is what every record begins with. modified and created come from the
// row; whether created can be given differs, so it is passed in.
func header(createdWritable bool) []field {
	return []field{
		{name: "is_delete_protected", kind: kindDerived, value: func(_ *store, r *row) any { return r.protected }},
		{name: "id", kind: kindText},
		{name: "is_deleted", kind: kindBoolean},
		{name: "modified", kind: kindStamp},
		{name: "created", kind: kindStamp, onCreate: createdWritable},
	}
}

func writableField(f field) field {
	f.onCreate, f.onUpdate = true, true
	return f
}

func text(name string) field { return writableField(field{name: name}) }
func boolean(name string) field {
	return writableField(field{name: name, kind: kindBoolean, initial: false})
}
func number(name string) field { return writableField(field{name: name, kind: kindInteger}) }

func choice(name string, initial int64, enum ...int64) field {
	return writableField(field{name: name, kind: kindInteger, enum: enum, initial: initial})
}

func ref(name, target string) field {
	return writableField(field{name: name, kind: kindRef, target: target})
}

func needed(f field) field {
	f.required = true
	return f
}

func uri(name, target, via string) field {
	return field{name: name, kind: kindURI, target: target, via: via, noQuery: true}
}

func many(name, target, via string) field {
	return writableField(field{name: name, kind: kindMany, target: target, via: via, noQuery: true})
}

func noRows(names ...string) []field {
	var all []field
	for _, name := range names {
		all = append(all, writableField(field{name: name, kind: kindNoRows, noQuery: true}))
	}
	return all
}

// fixed fields are read-only and always the same here.
func fixed(name string, value any) field {
	return field{name: name, kind: kindDerived, noQuery: true, value: func(*store, *row) any { return value }}
}

// stored fields are read-only and come from the seed.
func stored(name string, k kind) field { return field{name: name, kind: k} }

// revision is writable, but what is written only matters to revision_lock.
func revision() field { return number("revision") }

func texts(names ...string) []field {
	var all []field
	for _, name := range names {
		all = append(all, text(name))
	}
	return all
}

func join(groups ...[]field) []field {
	var all []field
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

func one(fields ...field) []field { return fields }
