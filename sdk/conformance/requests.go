package conformance

import (
	"fmt"
	"math"
	"net/url"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/internal/model"
)

// requestChecks are about requests that a good host does not make.
var requestChecks = []check{
	{
		name:   "requests/hostile-ids",
		title:  "an id with a slash, a question mark or the like never leads a request elsewhere",
		advice: "Refuse ids that do not fit record_id_pattern with INVALID_ID, and escape an id as one segment of a path all the same.",
		needs:  needsVendor,
		run:    hostileRequests,
	},
	{
		name:   "requests/odd",
		title:  "odd requests are refused with a reason and harm nothing",
		advice: "Check what a request must have (an account, credentials that are a JSON object, a base_url of scheme and host) before it is used, and answer INVALID_PARAMETER; take an odd page_size as the nearest good one.",
		needs:  needsProcess,
		run:    oddRequests,
	},
	{
		name:   "requests/header-injection",
		title:  "a line end in a credential does not become a header of its own",
		advice: "Refuse credentials with control characters (INVALID_PARAMETER) before they go into a header.",
		needs:  needsVendor,
		run:    headerInjection,
	},
	{
		name:   "requests/large",
		title:  "a request of 5 MiB is read, and a page token of that size refused",
		advice: "Where the call came to ResourceExhausted or Unavailable, set the gRPC server's cap on received messages to 40 MiB: most libraries stop at 4 MiB. Where it came to anything else, refuse page tokens that the plugin did not make with INVALID_PARAMETER, as paging/tokens demands.",
		needs:  needsVendor,
		run:    largeRequests,
	},
}

func hostileRequests(x *trial) {
	for _, m := range x.of(get, modify, remove, removeMany) {
		good := x.lasting(m)
		if good == "" {
			x.skip("%s cannot be listed, so no id is known", m.resource)
			continue
		}
		d := x.vendor.open(nil)
		if sample, there := x.about(m, x.account(d.url)); there {
			x.do(sample)
			if good = sample.id; m.kind == removeMany {
				good = sample.ids[0]
			}
		}
		known := d.visits()
		ids := append([]string{
			good + "/", good + "/..", good + "?x=1", good + "#", good + "%00", good + "/" + good, "../" + good, good + ";x", good + "\r\nX-Conformance: 1", strings.Repeat("9", 100_000),
		}, model.HostileIDs...)
		each(ids, func(id string) {
			d := x.vendor.open(func(v *visit) { v.say(200, "application/json", "{}") })
			defer d.close()
			a := x.do(x.aimed(m, x.account(d.url), id))
			if a.ok() {
				x.problem("%s: with the id %.60q it answered success", m, id)
			}
			for _, v := range d.visits() {
				if !stays(v, known, good, id) {
					x.problem("%s: with the id %.60q it sent %.200s", m, id, v)
				}
			}
		})
	}
}

// stays tells whether a request for one id differs from one of the requests
// for another id in nothing but the id, which is whole and in its place.
func stays(v *visit, known []*visit, good, id string) bool {
	for _, k := range known {
		was, is := strings.Split(k.URL.EscapedPath(), "/"), strings.Split(v.URL.EscapedPath(), "/")
		same := v.Method == k.Method && len(was) == len(is) && len(v.URL.Query()) == len(k.URL.Query()) && v.Header.Get("X-Conformance") == ""
		for i := 0; same && i < len(was); i++ {
			if decoded, err := url.PathUnescape(is[i]); was[i] == good {
				same = err == nil && decoded == id && id != "." && id != ".." && id != ""
			} else {
				same = was[i] == is[i]
			}
		}
		if same {
			return true
		}
	}
	return false
}

// oddAccounts are accounts that no host would send.
func (s *suite) oddAccounts(baseURL string) map[string]*providerv1.Account {
	good := func() *providerv1.Account {
		a := s.account(baseURL)
		if a.GetCredentials() == nil {
			a.AuthenticationMethod, a.Credentials = s.manifest.GetAuthenticationMethods()[0].GetName(), []byte("{}")
		}
		return a
	}
	odd := map[string]*providerv1.Account{"no account": nil}
	for what, credentials := range map[string]string{
		"no credentials": "", "credentials that are no JSON": "{\"", "credentials of null": "null", "credentials that are a list": "[]", "credentials that are a text": `"x"`,
		"credentials of 1 MiB of noise": strings.Repeat("\xff", 1<<20), "credentials with nothing in them": "{}", "credentials with numbers in place of texts": numbersFor(good().GetCredentials()),
	} {
		a := good()
		a.Credentials = []byte(credentials)
		odd[what] = a
	}
	for _, base := range []string{"ftp://127.0.0.1", "http://", "not a URL", "http://127.0.0.1:99999", "http://user:password@127.0.0.1:1", "//127.0.0.1:1", "http://127.0.0.1:1\r\nX: 1"} {
		a := good()
		a.BaseUrl = base
		odd[fmt.Sprintf("the base_url %q", base)] = a
	}
	return odd
}

// numbersFor puts a number in the place of every text of a JSON object.
func numbersFor(credentials []byte) string {
	return string(mutate(credentials, func(any) any { return 5 }))
}

func oddRequests(x *trial) {
	baseURL := nobody
	if x.vendor != nil {
		baseURL = x.vendor.emulator
	}
	methods := x.aboutRecords()
	for what, account := range x.oddAccounts(baseURL) {
		for _, m := range methods {
			c, _ := x.idle(m, account)
			a := x.do(c)
			switch {
			case a.ok():
				x.problem("%s: with %s it answered success", m, what)
			case a.reason() == errs.PluginBug, a.detail == nil:
				x.problem("%s: with %s it answered %s", m, what, a)
			}
		}
	}
	for _, m := range methods {
		c, _ := x.idle(m, nil)
		c.edit = func(r protoreflect.Message) { r.Clear(r.Descriptor().Fields().ByName("call")) }
		a := x.do(c)
		if a.reason() != errs.InvalidParameter {
			x.problem("%s: without a call context it answered %s instead of invalid_parameter", m, a)
		}
	}
	if x.lacks(needsVendor) != "" {
		return
	}
	for _, m := range x.of(list) {
		for _, size := range []int{-1, math.MinInt32, math.MaxInt32} {
			a := x.do(call{method: m, account: x.account(baseURL), size: size})
			if (!a.ok() && a.reason() != errs.InvalidParameter) || len(a.records) > m.pageCap() {
				x.problem("%s: with page_size %d it answered %s; page_cap is %d", m, size, a, m.pageCap())
			}
		}
	}
	unknown := x.account(baseURL)
	unknown.AuthenticationMethod = "no_such_method"
	for _, m := range methods {
		if c, there := x.about(m, unknown); there {
			if a := x.do(c); !a.ok() && a.reason() != errs.InvalidParameter {
				x.problem("%s: with an authentication method that it does not have it answered %s", m, a)
			}
		}
	}
	if a := x.do(call{method: refresh, account: x.account(baseURL)}); a.code == codes.Unknown || a.code == codes.Internal {
		x.problem("RefreshCredentials answered %s", a)
	}
}

// refresh is RefreshCredentials, which many vendors have no use for.
var refresh = &method{
	path:   providerv1.ProviderService_RefreshCredentials_FullMethodName,
	input:  (&providerv1.RefreshCredentialsRequest{}).ProtoReflect().Type(),
	output: (&providerv1.RefreshCredentialsResponse{}).ProtoReflect().Type(),
}

func headerInjection(x *trial) {
	for i, secret := range x.credentials.secrets {
		for _, m := range x.aboutRecords() {
			d := x.vendor.open(func(v *visit) { v.say(401, "application/json", "{}") })
			account := x.account(d.url)
			account.Credentials = mutate(x.credentials.json, func(value any) any {
				if value == secret {
					return secret + "\r\nX-Conformance: 1"
				}
				return value
			})
			c, _ := x.idle(m, account)
			a := x.do(c)
			if a.ok() || a.reason() == errs.PluginBug {
				x.problem("%s: with a line end in secret %d it answered %s", m, i+1, a)
			}
			for _, v := range d.visits() {
				if v.Header.Get("X-Conformance") != "" {
					x.problem("%s: a line end in secret %d became a header of its own", m, i+1)
				}
			}
		}
	}
}

func largeRequests(x *trial) {
	for _, m := range x.of(list) {
		a := x.do(call{method: m, account: x.account(x.vendor.emulator), token: strings.Repeat("x", 5<<20)})
		if a.reason() != errs.InvalidParameter {
			x.problem("%s: with a page token of 5 MiB it answered %s instead of invalid_parameter", m, a)
		}
	}
}
