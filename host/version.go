package main

import (
	_ "embed"
	"strings"
)

//go:embed VERSION
var versionFile string

// version is the host's own semantic version.
var version = strings.TrimSpace(versionFile)
