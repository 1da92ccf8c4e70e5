// Package control lets commands on the same machine reach the hosts that run
// on a data directory. A running host writes where it is, with an operator's
// token that lives as long as it does, into a file that only its user can
// read, and holds a lock on that file: a file without one tells of a host that
// is gone. It also holds a shared lock on its plugin directory, so that a
// command which was told another data directory sees that there is a host.
package control

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// folder holds one file for each running host.
const folder = "running"

// timeout is how long a host may take to answer a command. A reload waits for
// a plugin's start.
const timeout = 60 * time.Second

// Host is a running host as it announces itself.
type Host struct {
	URL       string `json:"url"`
	Token     string `json:"token"`
	PluginDir string `json:"plugin_dir"`
	DataDir   string `json:"data_dir"`
	Version   string `json:"version"`
	PID       int    `json:"pid"`
}

// Announce tells commands about this process until withdraw is called or the
// process ends.
func Announce(h Host) (withdraw func(), err error) {
	h.PID = os.Getpid()
	use, err := lockShared(h.PluginDir)
	if err != nil {
		return nil, fmt.Errorf("announce the host to commands: %w", err)
	}
	dir := filepath.Join(h.DataDir, folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("announce the host to commands: %w", err), use.Close())
	}
	file, err := os.CreateTemp(dir, ".new-*") // 0600
	if err != nil {
		return nil, errors.Join(fmt.Errorf("announce the host to commands: %w", err), use.Close())
	}
	// The name is not the process's number: hosts in two containers have the same.
	path := filepath.Join(dir, "host-"+rand.Text()+".json")
	err = errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), json.NewEncoder(file).Encode(h))
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return nil, errors.Join(fmt.Errorf("announce the host to commands: %w", err), file.Close(), use.Close())
	}
	return sync.OnceFunc(func() {
		_ = os.Remove(path)
		_ = file.Close()
		_ = use.Close()
	}), nil
}

// lockShared takes a share in a folder's lock. Reading is all that it needs, so
// anybody who can read the folder can hold the lock too: a command that looks,
// for a moment, or somebody who wants no host to start. Such a lock is waited
// for shortly and then done without.
func lockShared(dir string) (*os.File, error) {
	opened, err := os.Open(dir)
	for range 20 {
		if err != nil || !errors.Is(syscall.Flock(int(opened.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK) {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	return opened, err
}

// InUse tells whether any host seems to run on a plugin directory, on whichever
// data directory.
func InUse(pluginDir string) bool {
	opened, err := os.Open(pluginDir)
	if err != nil {
		return false
	}
	defer opened.Close()
	return errors.Is(syscall.Flock(int(opened.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// Find gives the hosts that run on a data directory. What hosts that are gone
// left is removed.
func Find(dataDir string) ([]Host, error) {
	entries, err := os.ReadDir(filepath.Join(dataDir, folder))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the hosts that run on %s: %w", dataDir, err)
	}
	var hosts []Host
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".json" {
			continue
		}
		path := filepath.Join(dataDir, folder, entry.Name())
		h, alive, err := readHost(path)
		switch {
		case errors.Is(err, os.ErrNotExist): // it has gone in this moment
		case err != nil:
			return nil, fmt.Errorf("read of the host that runs on %s: %w", dataDir, err)
		case alive:
			hosts = append(hosts, h)
		default:
			_ = os.Remove(path)
		}
	}
	return hosts, nil
}

func readHost(path string) (h Host, alive bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return h, false, err
	}
	defer file.Close()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return h, false, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return h, false, err
	}
	return h, true, json.NewDecoder(file).Decode(&h)
}

// Call makes an API call. The error's text is the host's sentence.
func (h Host) Call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, h.URL+path, reader)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+h.Token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil}} // the token must not go through a proxy
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("the host at %s does not answer: %w", h.URL, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("the host at %s does not answer: %w", h.URL, err)
	}
	if response.StatusCode != http.StatusOK {
		var problem struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(answer, &problem) != nil || problem.Message == "" {
			problem.Message = strings.TrimSpace(string(answer))
		}
		return errors.New(problem.Message)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
