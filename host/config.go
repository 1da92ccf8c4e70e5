package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// config is the YAML file: flags of any command as keys. It comes after flags
// and UNICRM_ variables.
type config map[string]any

// loadConfig reads the file for kong.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	c := config{}
	if err := yaml.NewDecoder(r).Decode(&c); err != nil && err != io.EOF { //nolint:errorlint // the decoder's own sentinel for an empty file
		return nil, fmt.Errorf("the configuration file is not a YAML mapping: %w", err)
	}
	return c, nil
}

// Validate refuses keys that are no flag of any command: a misspelt data-dir
// would otherwise open another store.
func (c config) Validate(app *kong.Application) error {
	known := map[string]bool{}
	collectFlags(app.Node, known)
	var unknown []string
	for key := range c {
		if !known[key] {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return fmt.Errorf("no command has the flags %s, which stand in the configuration file; flags of all commands stand side by side in it", strings.Join(unknown, ", "))
	}
	return nil
}

func collectFlags(node *kong.Node, known map[string]bool) {
	for _, flag := range node.Flags {
		known[flag.Name] = true
	}
	for _, child := range node.Children {
		collectFlags(child, known)
	}
}

// Resolve gives a flag's value as the text that a command line would have.
func (c config) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil //nolint:nilnil // kong's way of saying "nothing here"
		}
	}
	switch value := c[flag.Name].(type) {
	case nil:
		return nil, nil //nolint:nilnil // kong's way of saying "nothing here"
	case []any:
		var parts []string
		for _, part := range value {
			parts = append(parts, fmt.Sprint(part))
		}
		return strings.Join(parts, ","), nil
	case config: // a mapping within the mapping has its type
		var parts []string
		for key, part := range value {
			parts = append(parts, fmt.Sprintf("%s=%v", key, part))
		}
		sort.Strings(parts)
		return strings.Join(parts, ";"), nil
	case bool:
		return value, nil
	default:
		return fmt.Sprint(value), nil
	}
}
