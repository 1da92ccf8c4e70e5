package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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
	limit             int // zero when not given
	cursor            string
	filters           []param
}

const (
	defaultLimit = 50
	maxLimit     = 1000
)

// knownFormats are the formats of the contract; those that are not built yet
// are refused as unsupported rather than unknown.
var knownFormats = map[string]bool{"unified": true, "normalized": true, "raw": true, "stream": false, "debug": false}

// plannedParams are parameters of the contract that are not built yet.
var plannedParams = map[string]bool{
	"truto_key_by": true, "truto_ignore_limit": true, "truto_body_passthrough": true, "truto_super_query": true,
	"truto_skip_api_call": true, "truto_dry_run": true, "truto_allow_lossy": true,
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
			built, known := knownFormats[p.value]
			switch {
			case !known:
				err = badParam(p.name, strconv.Quote(clip(p.value))+" is not one of unified, normalized, raw, stream, debug")
			case !built:
				err = notBuilt(p.name + "=" + p.value)
			}
			q.format = unified.Format(p.value)
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
		return q.takeForList(p, method, schema, single)
	}
	return err
}

func (q *query) takeForList(p param, method unified.Method, schema *unified.Schema, single func() error) error {
	field, isField := schema.Field(p.name)
	listed := method == unified.List
	switch {
	case plannedParams[p.name]:
		return notBuilt(p.name)
	case listed && p.name == "limit":
		if err := single(); err != nil {
			return err
		}
		limit, err := strconv.Atoi(p.value)
		if err != nil || limit < 1 || limit > maxLimit || strconv.Itoa(limit) != p.value {
			return badParam(p.name, "it is not a whole number from 1 to "+strconv.Itoa(maxLimit))
		}
		q.limit = limit
		return nil
	case listed && p.name == "next_cursor":
		if err := single(); err != nil {
			return err
		}
		if p.value == "" {
			return badParam(p.name, "it is empty; leave it out for the first page")
		}
		q.cursor = p.value
		return nil
	case listed && (p.name == "search" || p.name == "sort_by" || (isField && field.Filterable)):
		if err := checkFilter(p, field, schema); err != nil {
			return err
		}
		q.filters = append(q.filters, p)
		return nil
	default:
		return badParam(p.raw, "it is not a parameter of "+string(method))
	}
}

// checkFilter holds a filter or sort key to the contract's forms, whether a
// provider can serve it or not.
func checkFilter(p param, field unified.Field, schema *unified.Schema) error {
	switch {
	case p.name == "sort_by":
		if len(p.path) != 1 {
			return badParam(p.raw, "write sort_by[field]=asc or desc")
		}
		if key, ok := schema.Field(p.path[0]); !ok || !key.Sortable {
			return badParam(p.raw, strconv.Quote(clip(p.path[0]))+" is not a sort key of "+schema.Resource)
		}
		if p.value != "asc" && p.value != "desc" {
			return badParam(p.raw, "it is neither asc nor desc")
		}
	case p.name == "search" || field.Kind == unified.Text:
		if len(p.path) > 0 {
			return badParam(p.raw, p.name+" takes a single value")
		}
	case field.Kind == unified.Instant:
		if len(p.path) > 1 || (len(p.path) == 1 && !slices.Contains([]string{"gt", "gte", "lt", "lte"}, p.path[0])) {
			return badParam(p.raw, "write "+p.name+"[gte]=…, with gt, gte, lt or lte")
		}
		if _, err := time.Parse(time.RFC3339, p.value); err != nil {
			if _, err := time.Parse(time.DateOnly, p.value); err != nil {
				return badParam(p.raw, "it is not an ISO 8601 date or time")
			}
		}
	case field.Kind == unified.Objects:
		if n := len(p.path); n == 0 || n > 2 || !slices.ContainsFunc(field.Fields, func(f unified.Field) bool { return f.Name == p.path[n-1] }) {
			return badParam(p.raw, "write "+p.name+"[]["+field.Fields[1].Name+"]=…")
		}
	}
	return nil
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

func clip(text string) string {
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func unescape(segment string) (string, error) { return url.PathUnescape(segment) }
