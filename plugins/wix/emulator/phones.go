package emulator

import "strings"

// dialCodes covers the countries of the seed and a few more. A number of any
// other country keeps its text and gets no E.164 form.
var dialCodes = map[string]string{
	"AT": "43", "AU": "61", "BE": "32", "BR": "55", "CA": "1", "CH": "41", "DE": "49", "DK": "45", "ES": "34",
	"FR": "33", "GB": "44", "IE": "353", "IL": "972", "IN": "91", "IT": "39", "JP": "81", "MX": "52", "NL": "31",
	"NO": "47", "NZ": "64", "PL": "48", "PT": "351", "SE": "46", "US": "1", "ZA": "27",
}

// international returns a number's E.164 form and its readable form. Both are
// empty unless number and country are valid together.
func international(phone, country string) (e164, formatted string) {
	code := dialCodes[country]
	if code == "" {
		return "", ""
	}
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, phone)
	text := strings.TrimSpace(phone)
	if strings.HasPrefix(text, "+") {
		if !strings.HasPrefix(digits, code) {
			return "", ""
		}
		digits = strings.TrimPrefix(digits, code)
		formatted = text
	} else {
		digits = strings.TrimLeft(digits, "0")
		formatted = "+" + code + " " + strings.TrimLeft(text, "0")
	}
	if n := len(code) + len(digits); n < 8 || n > 15 {
		return "", ""
	}
	return "+" + code + digits, formatted
}
