package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/sdk/wire"
)

// Finding is what Verify found out about one installed version, or about a
// file that does not belong there.
type Finding struct {
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	// Problem is one sentence; empty when all is well.
	Problem string `json:"problem,omitempty"`
}

// Verify compares what lies in a plugin directory with its lock: hashes, and
// what each binary says of itself with what it said when it was installed.
// Nothing is changed.
func Verify(ctx context.Context, dir string) ([]Finding, error) {
	lock, err := readLock(dir)
	if err != nil {
		return nil, err
	}
	places, problems, err := findPlaces(dir)
	if err != nil {
		return nil, err
	}
	if lock == nil {
		return nil, fmt.Errorf("%s has no %s to compare with; unicrm plugin install writes one", dir, LockFile)
	}
	var findings []Finding
	if err := executable.CheckFolder(dir); err != nil {
		findings = append(findings, Finding{Problem: err.Error()})
	}
	for _, locked := range lock.Plugins {
		finding := Finding{Name: locked.Name, Version: locked.Version}
		if err := verifyOne(ctx, dir, locked); err != nil {
			finding.Problem = err.Error()
		}
		findings = append(findings, finding)
	}
	for _, p := range problems {
		findings = append(findings, Finding{Problem: p.text})
	}
	for _, at := range places {
		if at.version == "" || lock.find(at.slug, at.version) == nil {
			findings = append(findings, Finding{Problem: fmt.Sprintf("%s is not in %s", at.path, LockFile)})
		}
	}
	return findings, nil
}

func verifyOne(ctx context.Context, dir string, locked LockedPlugin) error {
	sum := locked.SHA256[platform]
	if sum == "" {
		return fmt.Errorf("%s has no hash of it for %s", LockFile, platform)
	}
	path := filepath.Join(dir, locked.Name, locked.Version, wire.BinaryPrefix+locked.Name)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return errors.New("its file is gone; install it again")
	}
	if err := guarded(path); err != nil {
		return err
	}
	p, printed, err := Describe(ctx, path, sum)
	if err != nil {
		return err
	}
	if p.Slug != locked.Name || p.Version != locked.Version {
		return fmt.Errorf("it says that it is %s %s", p.Slug, p.Version)
	}
	kept, err := os.ReadFile(manifestPath(dir, sum))
	if err == nil {
		err = guarded(manifestPath(dir, sum))
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("what it said of itself at its installation is gone; install it again")
	case err != nil:
		return err
	case !bytes.Equal(kept, printed):
		return errors.New("what was kept of its description is not what it says; install it again")
	}
	return nil
}
