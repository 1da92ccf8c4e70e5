//go:build !unix

package executable

import "os"

// claim has no counterpart here; what a dead host leaves stays.
func claim(string) (mark *os.File, claimed bool, err error) { return nil, true, nil }

// Sweep has no counterpart here.
func Sweep() (removed int, err error) { return 0, nil }

// CheckFolder has no counterpart here.
func CheckFolder(string) error { return nil }

// CheckFile has no counterpart either.
func CheckFile(string) error { return nil }

// hasExecuteBit is true, as there is no such bit here.
func hasExecuteBit(os.FileInfo) bool { return true }
