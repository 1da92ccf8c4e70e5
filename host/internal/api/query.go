package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// maxParams bounds the parameters of one request, maxPathDepth the names in a
// dotted path.
const (
	maxParams    = 500
	maxPathDepth = 10
)

// param is one parameter of the query string: `a[b][]=v` has the name "a" and
// the path ["b", ""].
type param struct {
	name  string
	path  []string
	value string
	raw   string // the decoded key, for messages
}

// parseQuery reads a query string in order. Brackets may come escaped.
func parseQuery(raw string) ([]param, error) {
	var params []param
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if len(params) == maxParams {
			return nil, badParam("query", "more than "+strconv.Itoa(maxParams)+" parameters")
		}
		key, value, _ := strings.Cut(pair, "=")
		key, keyErr := url.QueryUnescape(key)
		value, valueErr := url.QueryUnescape(value)
		if keyErr != nil || valueErr != nil || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, badParam("query", "a parameter is not validly percent-encoded UTF-8")
		}
		p, ok := splitKey(key)
		if !ok {
			return nil, badParam(key, "the brackets of its name do not match")
		}
		p.value = value
		params = append(params, p)
	}
	return params, nil
}

// splitKey takes `a[b][]` apart.
func splitKey(key string) (param, bool) {
	p := param{raw: key}
	open := strings.IndexByte(key, '[')
	if open < 0 {
		p.name = key
		return p, key != "" && !strings.Contains(key, "]")
	}
	p.name = key[:open]
	rest := key[open:]
	for rest != "" {
		if rest[0] != '[' {
			return p, false
		}
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return p, false
		}
		p.path = append(p.path, rest[1:end])
		rest = rest[end+1:]
	}
	return p, p.name != ""
}

// query is what the parameters of a call about records ask for.
type query struct {
	accountID         string
	format            unified.Format
	ignoreRemoteData  bool
	ignoreUnsupported *bool // nil when not said
	exclude           unified.Paths
	remoteQuery       []unified.Param
	dryRun            bool
	allowLossy        bool
	limit             int // zero when not given
	cursor            string
	keyBy             string // the field whose values key a list; empty for an array
	filters           []filter
	sort              []sortKey
}

const (
	defaultLimit = 50
	maxLimit     = 1000
)

// formats are those of the contract.
var formats = []unified.Format{unified.Unified, unified.Normalized, unified.Raw, unified.Stream, unified.Debug}

// plannedParams are parameters of the contract that are not built yet.
var plannedParams = map[string]bool{
	"truto_ignore_limit": true, "truto_body_passthrough": true, "truto_super_query": true, "truto_skip_api_call": true,
}

// readQuery reads the parameters of a call about records of a schema.
func readQuery(raw string, method unified.Method, schema *unified.Schema) (*query, error) {
	params, err := parseQuery(raw)
	if err != nil {
		return nil, err
	}
	q := &query{format: unified.Unified, exclude: unified.Paths{}}
	seen := map[string]bool{}
	for _, p := range params {
		if err := q.take(p, method, schema, seen); err != nil {
			return nil, err
		}
	}
	if err := q.checkTogether(); err != nil {
		return nil, err
	}
	if q.accountID == "" {
		return nil, &errs.Error{
			Reason: errs.InvalidParameter, Message: "integrated_account_id is missing",
			Fields: []errs.Field{{Path: "integrated_account_id", Description: "is missing", Missing: true}},
		}
	}
	return q, nil
}

func (q *query) take(p param, method unified.Method, schema *unified.Schema, seen map[string]bool) error {
	single := func() error { // a plain parameter that comes once
		if len(p.path) > 0 {
			return badParam(p.raw, p.name+" takes a single value")
		}
		if seen[p.name] {
			return badParam(p.name, "it is given more than once")
		}
		seen[p.name] = true
		return nil
	}
	var err error
	switch p.name {
	case "integrated_account_id":
		if err = single(); err == nil {
			q.accountID = strings.ToLower(p.value)
			if uuid.Validate(p.value) != nil || len(p.value) != 36 {
				err = badParam(p.name, "it is not a UUID")
			}
		}
	case "truto_response_format":
		if err = single(); err == nil {
			q.format = unified.Format(p.value)
			if !slices.Contains(formats, q.format) {
				err = badParam(p.name, strconv.Quote(clip(p.value))+" is not one of unified, normalized, raw, stream, debug")
			}
		}
	case "truto_ignore_remote_data":
		if err = single(); err == nil {
			q.ignoreRemoteData, err = readBool(p)
		}
	case "truto_ignore_unsupported":
		if err = single(); err == nil {
			var ignore bool
			ignore, err = readBool(p)
			q.ignoreUnsupported = &ignore
		}
	case "truto_exclude_fields":
		err = q.takeExclude(p, schema)
	case "remote_query":
		if len(p.path) == 0 || p.path[0] == "" {
			return badParam(p.raw, "it is an object: write remote_query[name]=value")
		}
		name := p.path[0]
		for _, inner := range p.path[1:] {
			name += "[" + inner + "]"
		}
		q.remoteQuery = append(q.remoteQuery, unified.Param{Name: name, Value: p.value})
	default:
		switch {
		case plannedParams[p.name]:
			return notBuilt(p.name)
		case method == unified.List:
			return q.takeForList(p, schema, single)
		case method.Writes():
			return q.takeForWrite(p, method, single)
		default:
			return notAParam(p, method)
		}
	}
	return err
}

func notAParam(p param, method unified.Method) error {
	return badParam(p.raw, "it is not a parameter of "+string(method))
}

func (q *query) takeForWrite(p param, method unified.Method, single func() error) (err error) {
	var into *bool
	switch p.name {
	case "truto_dry_run":
		into = &q.dryRun
	case "truto_allow_lossy":
		into = &q.allowLossy
	default:
		return notAParam(p, method)
	}
	if err = single(); err == nil {
		*into, err = readBool(p)
	}
	return err
}

func (q *query) takeForList(p param, schema *unified.Schema, single func() error) error {
	field, isField := schema.Field(p.name)
	switch {
	case p.name == "limit":
		if err := single(); err != nil {
			return err
		}
		limit, err := strconv.Atoi(p.value)
		if err != nil || limit < 1 || limit > maxLimit || strconv.Itoa(limit) != p.value {
			return badParam(p.name, "it is not a whole number from 1 to "+strconv.Itoa(maxLimit))
		}
		q.limit = limit
		return nil
	case p.name == "next_cursor":
		if err := single(); err != nil {
			return err
		}
		if p.value == "" {
			return badParam(p.name, "it is empty; leave it out for the first page")
		}
		q.cursor = p.value
		return nil
	case p.name == "truto_key_by":
		if err := single(); err != nil {
			return err
		}
		key, ok := schema.Field(p.value)
		if !ok || (key.Kind != unified.Text && key.Kind != unified.Instant) {
			return badParam(p.name, strconv.Quote(clip(p.value))+" is not a text or a time of "+schema.Resource)
		}
		q.keyBy = p.value
		return nil
	case p.name == "sort_by":
		return q.takeSort(p, schema)
	case p.name == "search" || p.name == "is_deleted" || (isField && field.Filterable):
		return q.takeFilter(p, field)
	default:
		return notAParam(p, unified.List)
	}
}

// checkTogether refuses what cannot be had at once.
func (q *query) checkTogether() error {
	if q.keyBy != "" && (q.format == unified.Raw || q.format == unified.Stream) {
		return badParam("truto_key_by", "it does not go with truto_response_format="+string(q.format))
	}
	return q.checkFilters()
}

// takeExclude reads truto_exclude_fields[]=a, [0]=a, and a comma list.
func (q *query) takeExclude(p param, schema *unified.Schema) error {
	if len(p.path) > 1 || (len(p.path) == 1 && p.path[0] != "" && !isIndex(p.path[0])) {
		return badParam(p.raw, "it is a list: write truto_exclude_fields[]=name")
	}
	for path := range strings.SplitSeq(p.value, ",") {
		path = strings.TrimSpace(path)
		if path == "" {
			continue
		}
		top, rest, nested := strings.Cut(path, ".")
		field, ok := schema.Field(top)
		if ok && nested && field.Kind != unified.JSON {
			ok = fieldBelow(field, rest)
		}
		if path == "id" {
			return badParam("truto_exclude_fields", "id is in every answer")
		}
		if !ok {
			return badParam("truto_exclude_fields", strconv.Quote(clip(path))+" is not a field of "+schema.Resource)
		}
		if strings.Count(path, ".") >= maxPathDepth {
			return badParam("truto_exclude_fields", strconv.Quote(clip(path))+" is deeper than "+strconv.Itoa(maxPathDepth)+" names")
		}
		q.exclude.Add(path)
	}
	return nil
}

func fieldBelow(f unified.Field, path string) bool {
	name, rest, nested := strings.Cut(path, ".")
	for _, inner := range f.Fields {
		if inner.Name == name {
			return !nested || fieldBelow(inner, rest)
		}
	}
	return false
}

func isIndex(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0
}

func readBool(p param) (bool, error) {
	switch p.value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, badParam(p.name, "it is neither true nor false")
	}
}

func badParam(name, problem string) *errs.Error {
	name = clip(name)
	return &errs.Error{Reason: errs.InvalidParameter, Message: name + ": " + problem, Fields: []errs.Field{{Path: name, Description: problem}}}
}

func notBuilt(what string) *errs.Error {
	return errs.New(errs.Unsupported, "%s is part of the contract but this version of the host does not have it yet", what)
}

func clip(text string) string { return clipTo(200, text) }

// clipTo cuts a text that is longer than some bytes.
func clipTo(most int, text string) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func unescape(segment string) (string, error) { return url.PathUnescape(segment) }
