package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/unicrm/unicrm/host/internal/supervisor"
)

// healthz says that the process lives.
func (s *Server) healthz(x *exchange) error {
	return s.replyValue(x, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether requests can be served: the store answers, and no plugin
// keeps failing to start.
func (s *Server) readyz(x *exchange) error {
	problems := []string{}
	if err := s.Store.Ping(x.request.Context()); err != nil {
		problems = append(problems, "the store does not answer")
	}
	for _, p := range s.Catalog.Plugins() {
		if status, ok := s.Providers.Status(p.Slug); ok && (status.State == supervisor.Backoff || status.State == supervisor.Quarantined) && !time.Now().After(status.NotBefore) {
			problems = append(problems, "the plugin "+p.Slug+" does not start")
		}
	}
	if len(problems) > 0 {
		return s.replyValue(x, http.StatusServiceUnavailable, map[string]any{"status": "not ready", "problems": problems})
	}
	return s.replyValue(x, http.StatusOK, map[string]any{"status": "ready", "problems": problems})
}

// metrics are counted by labels with closed sets of values: what callers send
// never becomes a label.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "unicrm_requests_total", Help: "Requests answered, by provider, resource, method and HTTP status.",
		}, []string{"provider", "resource", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "unicrm_request_duration_seconds", Help: "Time from a request's arrival to its answer, by provider, resource and method.",
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"provider", "resource", "method"}),
	}
	m.registry.MustRegister(m.requests, m.durations, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) observe(x *exchange, took time.Duration) {
	m.requests.WithLabelValues(x.provider, x.resource, x.method, strconv.Itoa(x.status)).Inc()
	m.durations.WithLabelValues(x.provider, x.resource, x.method).Observe(took.Seconds())
}

func (s *Server) showMetrics(x *exchange) error {
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(x, x.request)
	return nil
}
