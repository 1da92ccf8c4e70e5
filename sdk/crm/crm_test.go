package crm

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
)

// fill puts random values into every part of a value; some stay absent.
func fill(random *rand.Rand, value reflect.Value) {
	switch value.Interface().(type) {
	case json.RawMessage:
		if random.IntN(3) > 0 {
			value.SetBytes([]byte(`{"z":9007199254740993,"a":1.50,"":null}`))
		}
		return
	case time.Time:
		value.Set(reflect.ValueOf(time.Unix(random.Int64N(4e9)-2e9, random.Int64N(1e9)).UTC()))
		return
	}
	switch value.Kind() {
	case reflect.Pointer:
		if random.IntN(3) > 0 {
			value.Set(reflect.New(value.Type().Elem()))
			fill(random, value.Elem())
		}
	case reflect.Slice:
		for range random.IntN(4) {
			item := reflect.New(value.Type().Elem()).Elem()
			fill(random, item)
			value.Set(reflect.Append(value, item))
		}
	case reflect.Struct:
		for i := range value.NumField() {
			fill(random, value.Field(i))
		}
	case reflect.String:
		texts := []string{"", " ", "Ada", "日本語", "\x00", "a\nb", "9007199254740993"}
		value.SetString(texts[random.IntN(len(texts))])
	default:
		panic("no rule for " + value.Type().String())
	}
}

func TestTheIDOfAReferenceThatIsNotThereIsNone(t *testing.T) {
	assert.Nil(t, AccountID(nil))
	assert.Nil(t, OwnerID(nil))
	assert.Equal(t, new("5"), AccountID(&AccountReference{ID: new("5"), Name: new("x")}))
	assert.Equal(t, new("7"), OwnerID(&UserReference{ID: new("7")}))
}

func TestAContactComesBackFromTheProtocolAsItWas(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for range 500 {
		var contact Contact
		fill(random, reflect.ValueOf(&contact).Elem())
		wire, err := proto.Marshal(contact.Proto())
		require.NoError(t, err)
		var message crmv1.Contact
		require.NoError(t, proto.Unmarshal(wire, &message))
		require.Equal(t, &contact, ContactFromProto(&message))
	}
}

// A field that is added to the protocol must be added to the conversion too.
func TestEveryFieldOfTheProtocolIsCarried(t *testing.T) {
	text, instant := "x", time.Unix(1, 0).UTC()
	contact := Contact{
		ID: &text, FirstName: &text, LastName: &text, Name: &text, Title: &text,
		Account: &AccountReference{ID: &text, Name: &text}, Owner: &UserReference{ID: &text},
		Addresses:      []Address{{ID: &text, Street1: &text, Street2: &text, City: &text, State: &text, PostalCode: &text, Country: &text, Type: &text}},
		EmailAddresses: []EmailAddress{{ID: &text, Email: &text, Type: &text}},
		PhoneNumbers:   []PhoneNumber{{ID: &text, Number: &text, Extension: &text, Type: &text}},
		URLs:           []URL{{URL: &text, Type: &text}}, Tags: []Tag{{ID: &text, Name: &text}},
		CustomFields: json.RawMessage(`{}`), LastActivityAt: &instant, CreatedAt: &instant, UpdatedAt: &instant, ETag: &text, RemoteData: json.RawMessage(`1`),
	}
	message := contact.Proto().ProtoReflect()
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		assert.True(t, message.Has(fields.Get(i)), "%s is not carried", fields.Get(i).FullName())
	}
	assert.Equal(t, &contact, ContactFromProto(contact.Proto()))
}

func TestNothingIsMadeOfNothing(t *testing.T) {
	assert.Nil(t, (*Contact)(nil).Proto())
	assert.Nil(t, ContactFromProto(nil))
	assert.Nil(t, (*Address)(nil).Proto())
	assert.Nil(t, (*EmailAddress)(nil).Proto())
	assert.Nil(t, (*PhoneNumber)(nil).Proto())
	assert.Nil(t, (*URL)(nil).Proto())
	assert.Nil(t, (*Tag)(nil).Proto())
	assert.Nil(t, (*AccountReference)(nil).Proto())
	assert.Nil(t, (*UserReference)(nil).Proto())
	assert.Nil(t, AddressFromProto(nil))
	assert.Nil(t, EmailAddressFromProto(nil))
	assert.Nil(t, PhoneNumberFromProto(nil))
	assert.Nil(t, URLFromProto(nil))
	assert.Nil(t, TagFromProto(nil))
	assert.Nil(t, AccountReferenceFromProto(nil))
	assert.Nil(t, UserReferenceFromProto(nil))
	assert.Equal(t, &Contact{}, ContactFromProto((&Contact{}).Proto()))
}

func TestTextThatIsNotUTF8IsMendedOnTheWay(t *testing.T) {
	broken := "Ad\xffa\xc3"
	contact := Contact{
		Name: &broken, Account: &AccountReference{Name: &broken}, Tags: []Tag{{Name: &broken}}, Addresses: []Address{{City: &broken}},
		EmailAddresses: []EmailAddress{{Email: &broken}}, PhoneNumbers: []PhoneNumber{{Number: &broken}}, URLs: []URL{{URL: &broken}}, Owner: &UserReference{ID: &broken},
		ETag: &broken, RemoteData: json.RawMessage("\"\xff\""),
	}
	wire, err := proto.Marshal(contact.Proto())
	require.NoError(t, err, "one odd character must not lose the record")
	var message crmv1.Contact
	require.NoError(t, proto.Unmarshal(wire, &message))
	assert.Equal(t, "Ad\ufffda\ufffd", message.GetName())
	assert.True(t, utf8.ValidString(message.GetTags()[0].GetName()))
	assert.Equal(t, "\"\xff\"", string(message.GetRemoteData()), "the vendor's own bytes stay")
	assert.Equal(t, "Ad\xffa\xc3", broken)
}

func TestABlankTextIsNone(t *testing.T) {
	for _, blank := range []string{"", " ", "\t\n", "\u00a0\u2003"} {
		assert.Nil(t, Text(blank), "%q", blank)
	}
	assert.Equal(t, " Ada ", *Text(" Ada "), "what is there stays as the vendor wrote it")
}

func TestAFullNameJoinsWhatIsThere(t *testing.T) {
	p := func(s string) *string { return &s }
	for _, c := range []struct {
		parts []*string
		want  string
	}{
		{[]*string{p("Ada"), p("Quill")}, "Ada Quill"},
		{[]*string{p(" Ada "), nil, p("  "), p("Quill\n")}, "Ada Quill"},
		{[]*string{nil, p("Quill")}, "Quill"},
		{[]*string{nil, p("")}, ""},
		{nil, ""},
	} {
		got := FullName(c.parts...)
		if c.want == "" {
			assert.Nil(t, got)
			continue
		}
		assert.Equal(t, c.want, *got)
		assert.Equal(t, strings.TrimSpace(*got), *got)
	}
}
