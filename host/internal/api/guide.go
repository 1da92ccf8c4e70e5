package api

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"sort"
	"strings"
	"unicode"

	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/unified"
)

// guideBody is a provider's manual page as programs read it. The first three
// are empty: no provider's manifest tells them.
type guideBody struct {
	PricingPlan  []struct{} `json:"pricing_plan"`
	UserRole     []struct{} `json:"user_role"`
	Scopes       []struct{} `json:"scopes"`
	Instructions string     `json:"instructions"` // Markdown
}

func (s *Server) showGuide(x *exchange) error {
	x.resource, x.method = "guide", "get"
	params, err := parseQuery(x.request.URL.RawQuery)
	if err != nil {
		return err
	}
	format := "json"
	for _, p := range params {
		if p.raw != "format" {
			return badParam(p.raw, "it is not a parameter of this route")
		}
		format = p.value
	}
	if format != "json" && format != "md" && format != "html" {
		return badParam("format", "it is not one of json, md, html")
	}
	plugin, err := s.findIntegration(x.params["integration"])
	if err != nil {
		return err
	}
	x.provider = plugin.Slug
	guide := writeGuide(plugin)
	switch format {
	case "md":
		x.replyText("text/markdown", guide.markdown())
	case "html":
		x.replyText("text/html", guide.html())
	default:
		return s.replyValue(x, http.StatusOK, guideBody{PricingPlan: []struct{}{}, UserRole: []struct{}{}, Scopes: []struct{}{}, Instructions: guide.markdown()})
	}
	return nil
}

// replyText answers with a document that runs nothing in a browser.
func (x *exchange) replyText(contentType, text string) {
	x.Header().Set("Content-Type", contentType+"; charset=utf-8")
	x.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'")
	x.Header().Set("Content-Length", fmt.Sprint(len(text)))
	x.WriteHeader(http.StatusOK)
	_, _ = x.Write([]byte(text))
}

// guide is a document of blocks, so that what a plugin says of itself is
// escaped once, by whoever writes the blocks out.
type guide []block

// block is a heading, a paragraph or a table, whichever is set.
type block struct {
	heading string
	level   int
	text    string
	link    string   // of a paragraph: an address that it ends with
	head    []string // of a table
	rows    [][]string
}

func (g *guide) add(b block) { *g = append(*g, b) }

// writeGuide tells of a provider what its manifest says.
func writeGuide(plugin *catalog.Plugin) *guide {
	m := plugin.Manifest
	g := &guide{}
	g.add(block{heading: m.DisplayName, level: 1})
	g.add(block{text: fmt.Sprintf("Provider %s, version %s.", m.Slug, m.Version)})
	if strings.HasPrefix(m.DocumentationURL, "https://") || strings.HasPrefix(m.DocumentationURL, "http://") {
		g.add(block{text: "The vendor's documentation:", link: m.DocumentationURL})
	}
	g.add(block{heading: "Connecting an account", level: 2})
	for _, method := range m.Authentication {
		g.add(block{text: "Authentication method " + method.Name + ". The context of the account holds:"})
		g.add(credentialsTable(method.Schema))
	}
	for _, r := range m.Resources {
		if schema, ok := unified.SchemaOf(r.Resource); ok {
			g.addResource(schema, &r, m)
		}
	}
	if len(m.RateLimits) > 0 {
		g.add(block{heading: "The vendor's limits", level: 2})
		table := block{head: []string{"Calls", "Within", "Shared by"}}
		for _, l := range m.RateLimits {
			table.rows = append(table.rows, []string{fmt.Sprint(l.Calls), l.Window.String(), l.SharedBy})
		}
		g.add(table)
	}
	return g
}

// credentialsTable lists the top-level keys of a credentials schema.
func credentialsTable(schema []byte) block {
	var read struct {
		Properties map[string]struct {
			Type        any    `json:"type"`
			Description string `json:"description"`
			WriteOnly   bool   `json:"writeOnly"`
		} `json:"properties"`
		Required []string `json:"required"`
	}
	_ = json.Unmarshal(schema, &read) // it was compiled when it was installed; what reads oddly shows little
	required := map[string]bool{}
	for _, name := range read.Required {
		required[name] = true
	}
	table := block{head: []string{"Key", "Required", "Secret", "Meaning"}}
	for name, property := range read.Properties {
		table.rows = append(table.rows, []string{name, yes(required[name]), yes(property.WriteOnly), property.Description})
	}
	sort.Slice(table.rows, func(i, j int) bool { return table.rows[i][0] < table.rows[j][0] })
	return table
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

// routesOf says where each method is served.
var routesOf = map[unified.Method]string{
	unified.List: "GET /unified/crm/%s", unified.Get: "GET /unified/crm/%s/{id}", unified.Create: "POST /unified/crm/%s",
	unified.Update: "PATCH /unified/crm/%s/{id}", unified.Delete: "DELETE /unified/crm/%s/{id}", unified.Upsert: "POST /unified/crm/%s/upsert",
	unified.BatchDelete: "POST /unified/crm/%s/batch-delete", unified.Merge: "POST /unified/crm/%s/merge",
}

func (g *guide) addResource(schema *unified.Schema, r *unified.Capabilities, m *unified.Manifest) {
	g.add(block{heading: schema.Resource, level: 2})
	table := block{head: []string{"Method", "Route", "Supported", "Note"}}
	var have []*unified.MethodCapabilities
	for _, method := range unified.Methods {
		_, can := m.Find(r.Resource, method)
		note := ""
		if can != nil {
			have = append(have, can)
			note = noteOf(can)
		}
		table.rows = append(table.rows, []string{string(method), fmt.Sprintf(routesOf[method], schema.Resource), yes(can != nil), note})
	}
	g.add(table)
	g.add(block{heading: "Fields of " + schema.Resource, level: 3})
	g.add(block{text: "What each method does with a field: r returns it, w takes it, ! requires it. A list also filters by it (with the operators) and sorts by it (s)."})
	g.add(fieldsTable(schema, have))
}

func noteOf(can *unified.MethodCapabilities) string {
	var notes []string
	say := func(is bool, format string, args ...any) {
		if is {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	say(can.PageCap > 0, "pages of at most %d", can.PageCap)
	say(can.MaxRecords > 0, "at most %d records at once", can.MaxRecords)
	if d := can.Delete; d != nil {
		say(d.Kind == "hard", "for good")
		say(d.Kind == "soft", "to a recycle bin")
		say(d.Kept > 0, "kept for %d days", int(d.Kept.Hours()/24))
		say(d.Repeat == "not_found", "a second delete is 404")
		say(d.Repeat == "succeeds", "a second delete succeeds")
	}
	if u := can.Upsert; u != nil {
		say(u.Atomic, "two at once make one record")
		say(!u.Atomic, "two at once can make two records")
	}
	return strings.Join(notes, "; ")
}

// fieldsTable shows the fields with which at least one method does something.
func fieldsTable(schema *unified.Schema, have []*unified.MethodCapabilities) block {
	table := block{head: []string{"Field", "Type"}}
	cells := map[string][]string{}
	var order []string
	for i, can := range have {
		table.head = append(table.head, string(can.Method))
		for _, f := range schema.Support(can) {
			row, known := cells[f.Path]
			if !known {
				row = make([]string, 2+len(have))
				row[0], row[1] = f.Path, f.Type
				order = append(order, f.Path)
			}
			row[2+i] = markOf(f)
			cells[f.Path] = row
		}
	}
	for _, path := range order {
		if strings.Join(cells[path][2:], "") != "" {
			table.rows = append(table.rows, cells[path])
		}
	}
	return table
}

func markOf(f unified.FieldSupport) string {
	var marks []string
	letters := ""
	if f.Returned {
		letters += "r"
	}
	if f.Writable {
		letters += "w"
	}
	if f.Required {
		letters += "!"
	}
	if f.Sortable {
		letters += "s"
	}
	if letters != "" {
		marks = append(marks, letters)
	}
	for _, o := range f.Filters {
		marks = append(marks, string(o))
	}
	return strings.Join(marks, " ")
}

func (g *guide) markdown() string {
	var b strings.Builder
	row := func(cells []string) {
		b.WriteString("|")
		for _, cell := range cells {
			b.WriteString(" " + escapeMarkdown(cell) + " |")
		}
		b.WriteString("\n")
	}
	for i, block := range *g {
		if i > 0 {
			b.WriteString("\n")
		}
		switch {
		case block.heading != "":
			b.WriteString(strings.Repeat("#", block.level) + " " + escapeMarkdown(block.heading) + "\n")
		case block.head != nil:
			row(block.head)
			b.WriteString("|" + strings.Repeat(" --- |", len(block.head)) + "\n")
			for _, cells := range block.rows {
				row(cells)
			}
		default:
			b.WriteString(escapeMarkdown(block.text))
			if block.link != "" {
				b.WriteString(" <" + escapeLink(block.link) + ">")
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// escapeMarkdown keeps a text a text: on one line, without anything that
// Markdown or HTML would read as more. The underscores of names stay, since
// within words they mean nothing.
func escapeMarkdown(text string) string {
	var b strings.Builder
	for _, r := range oneLine(text) {
		if strings.ContainsRune("\\`*[]<>|#&~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// escapeLink keeps an address from ending its own link.
func escapeLink(address string) string {
	return strings.NewReplacer("<", "%3C", ">", "%3E", " ", "%20", "\"", "%22", "\\", "%5C").Replace(oneLine(address))
}

func (g *guide) html() string {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + html.EscapeString((*g)[0].heading) + "</title>\n")
	b.WriteString("<style>body{font-family:sans-serif;max-width:70em;margin:2em auto}td,th{border:1px solid #ccc;padding:.2em .5em;text-align:left}table{border-collapse:collapse}</style></head><body>\n")
	row := func(tag string, cells []string) {
		b.WriteString("<tr>")
		for _, cell := range cells {
			b.WriteString("<" + tag + ">" + html.EscapeString(oneLine(cell)) + "</" + tag + ">")
		}
		b.WriteString("</tr>\n")
	}
	for _, block := range *g {
		switch {
		case block.heading != "":
			fmt.Fprintf(&b, "<h%d>%s</h%d>\n", block.level, html.EscapeString(oneLine(block.heading)), block.level)
		case block.head != nil:
			b.WriteString("<table>\n")
			row("th", block.head)
			for _, cells := range block.rows {
				row("td", cells)
			}
			b.WriteString("</table>\n")
		default:
			b.WriteString("<p>" + html.EscapeString(oneLine(block.text)))
			if block.link != "" {
				address := html.EscapeString(escapeLink(block.link))
				b.WriteString(` <a href="` + address + `">` + address + "</a>")
			}
			b.WriteString("</p>\n")
		}
	}
	b.WriteString("</body></html>\n")
	return b.String()
}
