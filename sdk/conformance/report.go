package conformance

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Status is what became of a check.
type Status string

// What becomes of a check.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Verdict is what the report says of the plugin.
type Verdict string

// The verdicts.
const (
	// Conforms: nothing failed, and everything that concerns the plugin was tried.
	Conforms Verdict = "conforms"
	// Fails: at least one check failed.
	Fails Verdict = "fails"
	// NotProven: nothing failed, but a part of the suite could not be made or
	// was not asked for.
	NotProven Verdict = "not proven"
)

// Report is the outcome of a run. Its JSON form is for programs.
type Report struct {
	Binary      string    `json:"binary"`
	Slug        string    `json:"slug,omitempty"`
	DisplayName string    `json:"display_name,omitempty"`
	Version     string    `json:"version,omitempty"`
	SDKVersion  string    `json:"sdk_version,omitempty"`
	Protocols   []int32   `json:"protocol_versions,omitempty"`
	Started     time.Time `json:"started_at"`
	// Milliseconds is how long the run took.
	Milliseconds int64   `json:"duration_ms"`
	TimeScale    float64 `json:"time_scale"`
	Calls        int     `json:"calls"`
	Verdict      Verdict `json:"verdict"`
	// Unproven says what was not tried, with the verdict NotProven.
	Unproven string  `json:"unproven,omitempty"`
	Passed   int     `json:"passed"`
	Failed   int     `json:"failed"`
	Skipped  int     `json:"skipped"`
	Checks   []Check `json:"checks"`
}

// Check is one demand on a plugin and what became of it.
type Check struct {
	// Name is the short one, such as "paging/tokens".
	Name string `json:"name"`
	// Title is the demand as a sentence.
	Title  string `json:"title"`
	Status Status `json:"status,omitempty"`
	// Problems tell what is wrong, with what was wanted and what was got.
	Problems []string `json:"problems,omitempty"`
	// Notes tell what is no failure and yet worth a look.
	Notes []string `json:"notes,omitempty"`
	// Advice says what to do about the problems.
	Advice string `json:"advice,omitempty"`
	// Reason says why a check was skipped.
	Reason       string `json:"reason,omitempty"`
	Milliseconds int64  `json:"duration_ms"`
}

func (r *Report) add(c Check) {
	r.Checks = append(r.Checks, c)
	switch c.Status {
	case Passed:
		r.Passed++
	case Failed:
		r.Failed++
	case Skipped:
		r.Skipped++
	}
}

func (r *Report) conclude(s *suite, inPart bool) {
	r.Milliseconds = time.Since(r.Started).Milliseconds()
	if m := s.manifest; m != nil {
		r.Slug, r.DisplayName, r.Version, r.SDKVersion, r.Protocols = m.GetSlug(), m.GetDisplayName(), m.GetVersion(), m.GetSdkVersion(), m.GetProtocolVersions()
	}
	switch {
	case r.Failed > 0:
		r.Verdict = Fails
	case s.noVendor != "":
		r.Verdict, r.Unproven = NotProven, s.noVendor
	case s.ranOut:
		r.Verdict, r.Unproven = NotProven, "the emulator has too few records that can be deleted"
	case inPart:
		r.Verdict, r.Unproven = NotProven, "only a part of the suite was run"
	default:
		r.Verdict = Conforms
	}
}

// WriteText writes the report for people: failures with what to do about them,
// then the count.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.name(), r.Version)
	if r.SDKVersion != "" {
		fmt.Fprintf(&b, " (SDK %s)", r.SDKVersion)
	}
	fmt.Fprintf(&b, "\n%s\n\n", r.Binary)
	told := ""
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%-8s%-28s %s\n", c.Status, c.Name, c.Title)
		for _, problem := range c.Problems {
			fmt.Fprintf(&b, "          - %s\n", strings.ReplaceAll(problem, "\n", "\n            "))
		}
		if c.Status == Failed {
			fmt.Fprintf(&b, "          what to do: %s\n", c.Advice)
		}
		for _, note := range c.Notes {
			fmt.Fprintf(&b, "          note: %s\n", note)
		}
		if c.Reason != told && c.Reason != "" { // one reason may hold for many in a row
			fmt.Fprintf(&b, "          skipped: %s\n", c.Reason)
		}
		told = c.Reason
	}
	fmt.Fprintf(&b, "\n%d passed, %d failed, %d skipped in %.1f s\n", r.Passed, r.Failed, r.Skipped, float64(r.Milliseconds)/1000)
	switch r.Verdict {
	case Conforms:
		fmt.Fprintf(&b, "%s conforms to the protocol.\n", r.name())
	case Fails:
		fmt.Fprintf(&b, "%s does not conform: a host must not be given it as it is.\n", r.name())
	case NotProven:
		fmt.Fprintf(&b, "%s is NOT PROVEN: %s.\n", r.name(), r.Unproven)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) name() string {
	switch {
	case r.DisplayName != "":
		return r.DisplayName
	case r.Slug != "":
		return r.Slug
	}
	return "The plugin"
}
