//go:build !linux

package executable

import (
	"errors"
	"os"
)

// newSealed has no counterpart outside Linux.
func newSealed(*os.File, string) (*os.File, bool) { return nil, false }

func seal(*os.File) error { return errors.ErrUnsupported }

// forbidsExec leaves it to the start of the program to find out.
func forbidsExec(string) bool { return false }
