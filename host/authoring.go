package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"text/tabwriter"

	"github.com/unicrm/unicrm/host/internal/scaffold"
	"github.com/unicrm/unicrm/sdk/conformance"
	"github.com/unicrm/unicrm/sdk/wire"
)

type pluginNew struct {
	Slug   string `arg:"" help:"Slug of the provider: lower-case letters, digits and hyphens."`
	Dir    string `help:"Folder to write; unicrm-provider-<slug> when left out."`
	Module string `help:"Path of the new Go module; example.com/unicrm-provider-<slug> when left out."`
	Name   string `help:"The vendor's name for people; made of the slug when left out."`
	SDK    string `name:"sdk" help:"A checkout of unicrm to take the SDK from, instead of the published one." placeholder:"DIR"`
	JSON   bool   `help:"Print JSON."`
}

func (pluginNew) Help() string {
	return "Example:\n  unicrm plugin new acme --sdk ../unicrm"
}

func (c *pluginNew) Run() error {
	files, err := scaffold.Write(scaffold.Options{Slug: c.Slug, Module: c.Module, DisplayName: c.Name, Dir: c.Dir, SDKPath: c.SDK, SDKVersion: sdkVersion()})
	if err != nil {
		return err
	}
	dir := c.Dir
	if dir == "" {
		dir = "unicrm-provider-" + c.Slug
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"dir": dir, "files": files})
	}
	next := "go test ./..."
	if c.SDK == "" { // with a checkout at hand its go.sum serves
		next = "go mod tidy\n  " + next
	}
	fmt.Printf("%s is a complete provider for a made-up CRM, with %d files. Next:\n\n  cd %s\n  %s\n\nIts README tells where your CRM goes.\n", dir, len(files), dir, next)
	return nil
}

var releasedVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)

// sdkVersion is the version of the module that this program was built from,
// which the SDK is a part of.
func sdkVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && releasedVersion.MatchString(info.Main.Version) {
		return info.Main.Version
	}
	return "v" + wire.SDKVersion
}

type pluginTest struct {
	Binary    string  `arg:"" optional:"" help:"The plugin's binary, unicrm-provider-<slug>, in any language." type:"existingfile"`
	TimeScale float64 `help:"Multiplies every limit of time, for slow machines." default:"1" placeholder:"N"`
	Calls     int     `help:"Calls that the checks of growth make." default:"1000" placeholder:"N"`
	Only      string  `help:"Run only the checks whose names match this regular expression." placeholder:"RE"`
	Report    string  `help:"Write the report as JSON to this file too." type:"path" placeholder:"FILE"`
	JSON      bool    `help:"Print the report as JSON."`
	List      bool    `help:"List the checks and what each demands."`
}

func (pluginTest) Help() string {
	return "Examples:\n  unicrm plugin test ./unicrm-provider-acme\n  unicrm plugin test ./unicrm-provider-acme --only '^paging/' --time-scale 3"
}

// errDoesNotConform ends the command with a status other than 0; the report
// has told why.
var errDoesNotConform = errors.New("the plugin is not proven to conform; the report says what to do")

func (c *pluginTest) Run(ctx context.Context) error {
	if c.List {
		return c.list()
	}
	if c.Binary == "" {
		return errors.New("name the plugin's binary, as unicrm plugin test ./unicrm-provider-acme")
	}
	options := conformance.Options{Binary: c.Binary, TimeScale: c.TimeScale, Calls: c.Calls, Only: c.Only}
	if !c.JSON {
		options.Log = os.Stderr
	}
	report, err := conformance.Test(ctx, options)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if c.Report != "" {
		if err := os.WriteFile(filepath.Clean(c.Report), data, 0o600); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if c.JSON {
		_, err = os.Stdout.Write(data)
	} else {
		err = report.WriteText(os.Stdout)
	}
	if err == nil && report.Verdict != conformance.Conforms && (report.Failed > 0 || c.Only == "") {
		err = errDoesNotConform
	}
	return err
}

func (c *pluginTest) list() error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(conformance.Checks())
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, check := range conformance.Checks() {
		fmt.Fprintf(table, "%s\t%s\n", check.Name, check.Title)
	}
	return table.Flush()
}
