package catalog

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxComplaints is how many things wrong with a value are told at once.
const maxComplaints = 10

// problemsOf tells what is wrong with a value by place and rule. The library's
// own sentences quote the value, which may be a secret.
func problemsOf(err error) string {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return "it does not fit the schema"
	}
	var sentences []string
	collect(invalid, &sentences)
	sort.Strings(sentences)
	if len(sentences) > maxComplaints {
		sentences = append(sentences[:maxComplaints], "and more")
	}
	return strings.Join(sentences, ", ")
}

func collect(e *jsonschema.ValidationError, sentences *[]string) {
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			collect(cause, sentences)
		}
		return
	}
	place := strings.Join(e.InstanceLocation, ".")
	if place == "" {
		place = "context"
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			*sentences = append(*sentences, name+" is missing")
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			*sentences = append(*sentences, fmt.Sprintf("%.100q is not known", name))
		}
	case *kind.Type:
		*sentences = append(*sentences, fmt.Sprintf("%s is not of type %s", place, strings.Join(k.Want, " or ")))
	case *kind.Pattern:
		*sentences = append(*sentences, place+" does not have the right form")
	case *kind.MinLength:
		*sentences = append(*sentences, place+" is too short")
	default:
		rule := strings.Join(e.ErrorKind.KeywordPath(), ".")
		*sentences = append(*sentences, fmt.Sprintf("%s does not satisfy %q", place, rule))
	}
}
