package supervisor

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/unicrm/unicrm/host/internal/unified"
)

// manifestDifference tells the first thing in which a running process is not
// what its binary said of itself, in one sentence; "" when there is none.
func manifestDifference(described, running *unified.Manifest) string {
	return difference("", reflect.ValueOf(*described), reflect.ValueOf(*running))
}

// difference compares two values of one type. Fields that a manifest gets one
// day are compared without anything being done here.
func difference(path string, described, running reflect.Value) string {
	differs := func() string {
		return fmt.Sprintf("%s is %s in the running process, but the binary described it as %s", path, shown(running), shown(described))
	}
	switch described.Kind() {
	case reflect.Pointer:
		if described.IsNil() || running.IsNil() {
			if described.IsNil() == running.IsNil() {
				return ""
			}
			return differs()
		}
		return difference(path, described.Elem(), running.Elem())
	case reflect.Struct:
		for i := range described.NumField() {
			name := snakeCase(described.Type().Field(i).Name)
			if path != "" {
				name = path + "." + name
			}
			if found := difference(name, described.Field(i), running.Field(i)); found != "" {
				return found
			}
		}
		return ""
	case reflect.Slice:
		if described.Type().Elem().Kind() == reflect.Struct {
			for i := range min(described.Len(), running.Len()) {
				if found := difference(fmt.Sprintf("%s[%d]", path, i), described.Index(i), running.Index(i)); found != "" {
					return found
				}
			}
		}
		if described.Len() == 0 && running.Len() == 0 {
			return "" // nil or not
		}
		if described.Len() == running.Len() && reflect.DeepEqual(described.Interface(), running.Interface()) {
			return ""
		}
		return differs()
	default:
		if described.Equal(running) {
			return ""
		}
		return differs()
	}
}

// shown writes a value on one line, not too long a one.
func shown(value reflect.Value) string {
	const most = 200 // bytes
	if value.Kind() == reflect.Pointer && value.IsNil() {
		return "absent"
	}
	value = reflect.Indirect(value)
	var text string
	switch v := value.Interface().(type) {
	case string:
		text = fmt.Sprintf("%q", v)
	case []byte:
		text = string(v)
	default:
		text = fmt.Sprintf("%+v", v)
	}
	if text = clean(text); len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + cutMark
	}
	return text
}

var wordEnd = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)

// snakeCase writes a field's name as the protocol does: "SDKVersion" is
// "sdk_version".
func snakeCase(name string) string {
	return strings.ToLower(wordEnd.ReplaceAllString(name, "$1${3}_$2$4"))
}
