package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/unicrm/unicrm/host/internal/supervisor"
)

// processFlags say how plugin processes are run.
type processFlags struct {
	StartPlugins       []string          `help:"Plugins to start with the host, or \"all\"; the others start when they are first needed." placeholder:"SLUG,..." env:"UNICRM_START_PLUGINS" group:"Plugin processes"`
	PluginStartTimeout time.Duration     `help:"Time that a plugin has to start." default:"10s" env:"UNICRM_PLUGIN_START_TIMEOUT" group:"Plugin processes"`
	PluginDrainTimeout time.Duration     `help:"Time that calls in flight have to end on a process that is being replaced." default:"30s" env:"UNICRM_PLUGIN_DRAIN_TIMEOUT" group:"Plugin processes"`
	PluginMaxCalls     int               `help:"Calls that one process has in flight at most." default:"256" env:"UNICRM_PLUGIN_MAX_CALLS" group:"Plugin processes"`
	PluginMemory       map[string]string `help:"Memory that a plugin's runtime tries to stay within (GOMEMLIMIT); * stands for every plugin." placeholder:"SLUG=64MiB;..." env:"UNICRM_PLUGIN_MEMORY" group:"Plugin processes"`
	PluginCPUs         map[string]int    `name:"plugin-cpus" help:"Processors that a plugin's runtime uses at once (GOMAXPROCS); * stands for every plugin." placeholder:"SLUG=N;..." env:"UNICRM_PLUGIN_CPUS" group:"Plugin processes"`
	PluginLogRate      int               `help:"Log lines a second that are taken from a plugin; more are counted and left out." default:"100" env:"UNICRM_PLUGIN_LOG_RATE" group:"Plugin processes"`
	HealthInterval     time.Duration     `help:"Time between health checks of a process." default:"4s" env:"UNICRM_HEALTH_INTERVAL" group:"Plugin processes"`
	HealthTimeout      time.Duration     `help:"Time that a health check may take." default:"2s" env:"UNICRM_HEALTH_TIMEOUT" group:"Plugin processes"`
	HealthMisses       int               `help:"Health checks missed in a row that condemn a process." default:"2" env:"UNICRM_HEALTH_MISSES" group:"Plugin processes"`
	RestartBudget      int               `help:"Failures of a plugin within --restart-window that are borne; with the next one it is quarantined." default:"5" env:"UNICRM_RESTART_BUDGET" group:"Plugin processes"`
	RestartWindow      time.Duration     `help:"See --restart-budget." default:"10m" env:"UNICRM_RESTART_WINDOW" group:"Plugin processes"`
	RestartCoolDown    time.Duration     `help:"Time in quarantine before a trial start." default:"5m" env:"UNICRM_RESTART_COOL_DOWN" group:"Plugin processes"`
	RestartBackoff     time.Duration     `help:"Longest wait after the second failure; it doubles with each further one." default:"200ms" env:"UNICRM_RESTART_BACKOFF" group:"Plugin processes"`
	RestartBackoffMax  time.Duration     `help:"Longest wait between starts." default:"30s" env:"UNICRM_RESTART_BACKOFF_MAX" group:"Plugin processes"`
}

var memoryPattern = regexp.MustCompile(`^[1-9][0-9]*(B|KiB|MiB|GiB)$`)

func (f processFlags) supervisorOptions(log hclog.Logger) (supervisor.Options, error) {
	for name, value := range map[string]time.Duration{
		"plugin-start-timeout": f.PluginStartTimeout, "plugin-drain-timeout": f.PluginDrainTimeout, "health-interval": f.HealthInterval,
		"health-timeout": f.HealthTimeout, "restart-window": f.RestartWindow, "restart-cool-down": f.RestartCoolDown,
		"restart-backoff": f.RestartBackoff, "restart-backoff-max": f.RestartBackoffMax,
	} {
		if value <= 0 {
			return supervisor.Options{}, fmt.Errorf("--%s %s is not more than nothing", name, value)
		}
	}
	for name, value := range map[string]int{"plugin-max-calls": f.PluginMaxCalls, "plugin-log-rate": f.PluginLogRate, "health-misses": f.HealthMisses} {
		if value < 1 {
			return supervisor.Options{}, fmt.Errorf("--%s %d is less than 1", name, value)
		}
	}
	if f.RestartBudget < 0 {
		return supervisor.Options{}, fmt.Errorf("--restart-budget %d is less than 0", f.RestartBudget)
	}
	for slug, value := range f.PluginMemory {
		if !memoryPattern.MatchString(value) {
			return supervisor.Options{}, fmt.Errorf("--plugin-memory %s=%s: the size is not like 64MiB", slug, value)
		}
	}
	for slug, value := range f.PluginCPUs {
		if value < 1 {
			return supervisor.Options{}, fmt.Errorf("--plugin-cpus %s=%d is less than 1", slug, value)
		}
	}
	return supervisor.Options{
		HostVersion: version, Log: log,
		Restart: supervisor.RestartPolicy{
			Budget: f.RestartBudget, Window: f.RestartWindow, CoolDown: f.RestartCoolDown, BackoffBase: f.RestartBackoff, BackoffMax: f.RestartBackoffMax,
		},
		HealthInterval: f.HealthInterval, HealthTimeout: f.HealthTimeout, HealthMisses: f.HealthMisses,
		StartTimeout: f.PluginStartTimeout, DrainTimeout: f.PluginDrainTimeout, MaxCalls: f.PluginMaxCalls,
		LogLinesPerSecond: f.PluginLogRate, Environment: f.environment,
	}, nil
}

// environment is what a plugin gets beside what all get.
func (f processFlags) environment(slug string) []string {
	var env []string
	for _, name := range []string{"*", slug} { // the last of two values counts
		if value, ok := f.PluginMemory[name]; ok {
			env = append(env, "GOMEMLIMIT="+value)
		}
		if value, ok := f.PluginCPUs[name]; ok {
			env = append(env, fmt.Sprintf("GOMAXPROCS=%d", value))
		}
	}
	return env
}

// named are the plugins that settings are about.
func (f processFlags) named() []string {
	names := map[string]bool{}
	for slug := range f.PluginMemory {
		names[slug] = true
	}
	for slug := range f.PluginCPUs {
		names[slug] = true
	}
	delete(names, "*")
	return slices.Sorted(maps.Keys(names))
}
