package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Options are the choices of one start.
type Options struct {
	// Listen is the address of the API; empty means a free loopback port.
	Listen string
	// Seed is how many plain contacts to begin with; see Env.Seed.
	Seed int
	// Switches are set from the start and after every reset.
	Switches map[string]string
}

// Server is a running emulator: the vendor's API on one listener, the control
// interface on a second one, always on loopback.
type Server struct {
	def      Definition
	env      *Env
	instance Instance
	options  Options
	calls    calls
	faults   faults

	api, control         *http.Server
	apiAddr, controlAddr string
}

// Start runs an emulator until Close. Its listeners are open when it returns.
func Start(def Definition, options Options) (*Server, error) {
	env, err := NewEnv(def, options.Seed, options.Switches)
	if err != nil {
		return nil, err
	}
	listen := options.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	apiListener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", listen, err)
	}
	controlListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = apiListener.Close()
		return nil, fmt.Errorf("listen for the control interface: %w", err)
	}
	env.baseURL = "http://" + apiListener.Addr().String()
	s := &Server{
		def: def, env: env, instance: def.New(env), options: options,
		apiAddr: apiListener.Addr().String(), controlAddr: controlListener.Addr().String(),
	}
	s.api = &http.Server{Handler: http.HandlerFunc(s.serveVendor), ReadHeaderTimeout: 10 * time.Second}
	s.control = &http.Server{Handler: s.controlHandler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.api.Serve(apiListener) }()
	go func() { _ = s.control.Serve(controlListener) }()
	return s, nil
}

// URL is the base URL of the vendor's API, to be used as base_url.
func (s *Server) URL() string { return "http://" + s.apiAddr }

// ControlURL is the base URL of the control interface.
func (s *Server) ControlURL() string { return "http://" + s.controlAddr }

// Context returns an account context that fits this emulator, base_url included.
func (s *Server) Context() map[string]any {
	account := map[string]any{}
	for key, value := range s.instance.Context() {
		account[key] = value
	}
	account["base_url"] = s.URL()
	return account
}

// Calls returns every request seen since the start or the last reset.
func (s *Server) Calls() []Call { return s.calls.list() }

// ForgetCalls empties the record of requests and keeps the rest.
func (s *Server) ForgetCalls() { s.calls.clear() }

// Inject arms a fault for the next times matching requests, for all of them
// when times is negative.
func (s *Server) Inject(match Match, fault Fault, times int) error {
	return s.faults.add(armedFault{Match: match, Fault: fault, Times: &times})
}

// SetSwitch changes a switch until the next reset.
func (s *Server) SetSwitch(name, value string) error { return s.env.SetSwitch(name, value) }

// Reset brings state, switches, faults and the record of requests back to
// the start.
func (s *Server) Reset() {
	s.env.resetSwitches()
	for name, value := range s.options.Switches {
		_ = s.env.SetSwitch(name, value) // accepted once already, at the start
	}
	s.faults.clear()
	s.instance.Reset()
	s.calls.clear()
}

// Close ends both listeners and every connection.
func (s *Server) Close() error {
	return errors.Join(s.api.Close(), s.control.Close())
}

func (s *Server) serveVendor(w http.ResponseWriter, r *http.Request) {
	if err := s.calls.record(r); err != nil {
		http.Error(w, "the request's body could not be read", http.StatusBadRequest)
		return
	}
	if fault := s.faults.take(r); fault != nil {
		fault.serve(w, r, s.instance)
		return
	}
	s.instance.ServeHTTP(w, r)
}

// controlHandler serves the control interface; see the package's README.
func (s *Server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, s.calls.list())
	})
	mux.HandleFunc("DELETE /calls", func(w http.ResponseWriter, _ *http.Request) {
		s.calls.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		var fault armedFault
		err := readControl(w, r, &fault)
		if err == nil {
			err = s.faults.add(fault)
		}
		if err != nil {
			controlError(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.faults.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /switches", func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, s.env.allSwitches())
	})
	mux.HandleFunc("PUT /switches", func(w http.ResponseWriter, r *http.Request) {
		var wanted map[string]string
		err := readControl(w, r, &wanted)
		if err == nil {
			err = s.env.setSwitches(wanted)
		}
		if err != nil {
			controlError(w, err)
			return
		}
		WriteJSON(w, http.StatusOK, s.env.allSwitches())
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	return refuseBrowsers(mux)
}

// refuseBrowsers keeps web pages away from the control interface: a page can
// make a browser send requests to loopback, and such requests carry an Origin.
func refuseBrowsers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); r.Header.Get("Origin") != "" || (host != "localhost" && (ip == nil || !ip.IsLoopback())) {
			http.Error(w, "the control interface does not talk to browsers", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// readControl reads a body that is one JSON value with nothing unknown in it.
func readControl(w http.ResponseWriter, r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body is more than one JSON value")
	}
	return nil
}

func controlError(w http.ResponseWriter, err error) {
	WriteJSON(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
}

// WriteJSON answers with a status and a JSON body, with Content-Type
// "application/json; charset=utf-8" unless the handler has set another.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Run starts an emulator, tells ready about it and serves until ctx ends.
func Run(ctx context.Context, def Definition, options Options, ready func(*Server)) error {
	s, err := Start(def, options)
	if err != nil {
		return err
	}
	ready(s)
	<-ctx.Done()
	return s.Close()
}
