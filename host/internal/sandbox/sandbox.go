// Package sandbox runs the whole product on one machine with no CRM
// credentials: every plugin's own emulator, a host on an embedded store, a
// token and one integrated account per provider.
package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/executable"
)

// startTimeout is how long an emulator may take to say where it is.
const startTimeout = 10 * time.Second

// stopGrace is how long an emulator may take to end when told to.
const stopGrace = 2 * time.Second

// Emulator is a running emulator of one vendor.
type Emulator struct {
	Slug       string         `json:"-"`
	URL        string         `json:"url"`
	ControlURL string         `json:"control_url"`
	Context    map[string]any `json:"context"`

	file *executable.File
	cmd  *exec.Cmd
	done chan struct{}
}

// StartEmulators starts the emulator of each plugin, all or none. seed is the
// number of plain contacts in each.
func StartEmulators(ctx context.Context, plugins []*catalog.Plugin, seed int) ([]*Emulator, error) {
	started := make([]*Emulator, len(plugins))
	failures := make([]error, len(plugins))
	var all sync.WaitGroup
	for i, p := range plugins {
		all.Go(func() { started[i], failures[i] = startEmulator(ctx, p, seed) })
	}
	all.Wait()
	var running []*Emulator
	for _, e := range started {
		if e != nil {
			running = append(running, e)
		}
	}
	if err := errors.Join(failures...); err != nil {
		StopEmulators(running)
		return nil, err
	}
	sort.Slice(running, func(i, j int) bool { return running[i].Slug < running[j].Slug })
	return running, nil
}

func startEmulator(ctx context.Context, p *catalog.Plugin, seed int) (*Emulator, error) {
	if !p.Manifest.HasEmulator {
		return nil, fmt.Errorf("the provider %s has no emulator; leave it out with --providers", p.Slug)
	}
	file, err := executable.Open(p.Path, p.SHA256)
	if err != nil {
		return nil, err
	}
	e := &Emulator{Slug: p.Slug, file: file, done: make(chan struct{})}
	// It ends by itself when this process has gone, however that came about.
	e.cmd = file.Command(nil, "emulate", "--listen", "127.0.0.1:0", "--seed", strconv.Itoa(seed), "--json")
	e.cmd.Env = []string{"PATH=" + executable.SafePath}
	e.cmd.Stderr = os.Stderr
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		file.Close()
		return nil, fmt.Errorf("start the emulator of %s: %w", p.Slug, err)
	}
	line := make(chan []byte, 1)
	go func() {
		reader := bufio.NewReader(io.LimitReader(out, 1<<20))
		text, _ := reader.ReadBytes('\n')
		line <- text
		_, _ = io.Copy(io.Discard, out)
		_ = e.cmd.Wait()
		e.file.Close()
		close(e.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case text := <-line:
		if json.Unmarshal(text, e) == nil && e.URL != "" {
			return e, nil
		}
		e.stop()
		return nil, fmt.Errorf("the emulator of %s did not say where it is", p.Slug)
	case <-ctx.Done():
		e.stop()
		return nil, fmt.Errorf("the emulator of %s did not start: %w", p.Slug, ctx.Err())
	}
}

func (e *Emulator) stop() {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.done:
	case <-time.After(stopGrace):
		_ = e.cmd.Process.Kill()
		<-e.done
	}
}

// StopEmulators ends them and waits.
func StopEmulators(running []*Emulator) {
	var all sync.WaitGroup
	for _, e := range running {
		all.Go(e.stop)
	}
	all.Wait()
}

// File is what sandbox.json holds, for programs that use the sandbox.
type File struct {
	BaseURL   string                  `json:"base_url"`
	Token     string                  `json:"token"`
	Providers map[string]ProviderFile `json:"providers"`
}

// ProviderFile is one provider of a File. Context is complete, secrets and
// base_url included, and can be posted back as it is.
type ProviderFile struct {
	IntegratedAccountID string         `json:"integrated_account_id"`
	EmulatorURL         string         `json:"emulator_url"`
	ControlURL          string         `json:"control_url"`
	Context             map[string]any `json:"context"`
}

// Lock makes sure that one sandbox at a time uses a data directory.
func Lock(dataDir string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(dataDir, ".sandbox"), os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("another sandbox uses %s; stop it, or choose another folder with --data-dir", dataDir)
	}
	return func() { _ = file.Close() }, nil
}

// Write puts the file into the data directory at once and whole, readable by
// its owner alone.
func (f File) Write(dataDir string) error {
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dataDir, ".sandbox-*.json") // 0600
	if err != nil {
		return fmt.Errorf("write sandbox.json: %w", err)
	}
	_, writeErr := temporary.Write(append(data, '\n'))
	if err := errors.Join(writeErr, temporary.Close()); err != nil {
		_ = os.Remove(temporary.Name())
		return fmt.Errorf("write sandbox.json: %w", err)
	}
	return os.Rename(temporary.Name(), filepath.Join(dataDir, "sandbox.json"))
}
