package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/health"
	"github.com/distribution/distribution/v3/registry/listener"
	gorilla "github.com/gorilla/handlers"
)

const (
	// readHeaderTimeout is how long a client may take for a request's header: without it
	// each silent connection is kept for ever.
	readHeaderTimeout = time.Minute
	// suspendGrace is how long handlers may take to suspend their uploads after their
	// connections were closed: twice what one hash state may take.
	suspendGrace = time.Minute
)

// Serve runs a registry until ctx ends, and returns nil after a clean stop: no new connections,
// requests under way are let finish up to http.draintimeout (DefaultDrainTimeout when it is not
// set), then their connections are closed and their uploads suspended. When Serve returns no
// call to the driver is under way, unless the error says so.
func Serve(ctx context.Context, o Options) (err error) {
	if o.Config == nil {
		return storagedriver.NewError(storagedriver.KindInvalidArgument, "serve: no configuration was given")
	}
	if err := configureLogging(o.Config); err != nil {
		return err
	}
	d, closeDriver, err := openDriver(ctx, o.Config, o.Driver, o.Drivers)
	if err != nil {
		return err
	}
	defer func() { err = andClose(err, closeDriver) }()
	s := &server{Options: o, log: loggerOr(o.Logger), d: d, checks: health.NewRegistry(), failed: make(chan error, 2)}
	defer s.close()
	if err := s.start(ctx); err != nil {
		return err
	}
	select {
	case err := <-s.failed:
		return errors.Join(err, s.stop(s.Config.HTTP.DrainTimeout))
	case <-ctx.Done():
		return s.stop(s.Config.HTTP.DrainTimeout)
	}
}

// server is one call of Serve.
type server struct {
	Options
	log      *slog.Logger
	d        storagedriver.StorageDriver
	checks   *health.Registry
	handler  *Handler
	requests inflight
	http     *http.Server
	debug    *http.Server
	failed   chan error // from the goroutines that serve

	// endRequests ends the context of all requests.
	endRequests context.CancelFunc
	// endBackground ends purging and polling, which background waits for.
	endBackground context.CancelFunc
	background    sync.WaitGroup
}

// start listens and returns when requests are accepted. After an error close cleans up.
func (s *server) start(ctx context.Context) error {
	purge, err := parsePurge(s.Config)
	if err != nil {
		return err
	}
	if s.handler, err = newHandler(ctx, adapt.ToDistribution(s.d), s.Config, s.log); err != nil {
		return err
	}
	if err := s.handler.registerChecks(s.checks); err != nil {
		return err
	}
	ln, err := s.listen()
	if err != nil {
		return err
	}
	if err := s.startDebug(ctx); err != nil {
		_ = ln.Close() // nothing was accepted
		return err
	}
	// Requests outlive ctx: they are drained.
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	s.endRequests = endRequests
	s.http = &http.Server{
		Handler:           s.chain(),
		Protocols:         protocols(s.Config.HTTP),
		ReadHeaderTimeout: readHeaderTimeout,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          log.New(logWriter{s.log}, "", 0),
	}
	s.startBackground(ctx, &purger{purgeSettings: purge, d: s.d, log: s.log, now: time.Now})
	s.serve("http.addr", s.http, ln)
	s.log.Info("listening", "addr", ln.Addr().String())
	if s.Ready != nil {
		s.Ready(ln.Addr().String())
	}
	return nil
}

func (s *server) listen() (net.Listener, error) {
	config := s.Config.HTTP
	secure, err := tlsConfig(config)
	if err != nil {
		return nil, err
	}
	addr := config.Addr
	if addr == "" && config.Net != "unix" {
		addr = DefaultAddr
	}
	ln, err := listener.NewListener(config.Net, addr)
	if err != nil {
		return nil, fmt.Errorf("http.addr %s: %w", addr, err)
	}
	if secure != nil {
		ln = tls.NewListener(ln, secure)
	}
	return ln, nil
}

func (s *server) startDebug(ctx context.Context) error {
	config := s.Config.HTTP.Debug
	if config.Addr == "" {
		return nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", config.Addr)
	if err != nil {
		return fmt.Errorf("http.debug.addr %s: %w", config.Addr, err)
	}
	s.debug = &http.Server{
		Handler:           debugHandler(s.checks, s.Metrics, config.Prometheus),
		ReadHeaderTimeout: readHeaderTimeout,
		ErrorLog:          log.New(logWriter{s.log}, "", 0),
	}
	s.serve("http.debug.addr", s.debug, ln)
	s.log.Info("debug server listening", "addr", ln.Addr().String())
	return nil
}

// serve runs server on ln in a goroutine that ends when the server is closed.
func (s *server) serve(name string, server *http.Server, ln net.Listener) {
	s.background.Go(func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("%s: %w", name, err)
		}
	})
}

func (s *server) startBackground(ctx context.Context, p *purger) {
	ctx, s.endBackground = context.WithCancel(context.WithoutCancel(ctx))
	s.background.Go(func() { p.run(ctx) })
	if config := s.Config.Health.StorageDriver; config.Enabled {
		name, _, err := storageSection(s.Config)
		if err != nil { // the driver was given
			name = s.d.Name()
		}
		poll := storageCheck(s.checks, name, s.d, config, s.log)
		s.background.Go(func() { poll(ctx) })
	}
}

// chain is what a request passes through.
func (s *server) chain() http.Handler {
	handler := whileHealthy(s.checks, s.handler)
	handler = s.recovering(handler)
	if !s.Config.Log.AccessLog.Disabled {
		var to io.Writer = os.Stdout
		if s.AccessLog != nil {
			to = s.AccessLog
		}
		handler = gorilla.CombinedLoggingHandler(to, handler)
	}
	return s.requests.handler(traced(handler, s.Traces))
}

// recovering logs a handler's panic on one line and aborts its connection.
func (s *server) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p != http.ErrAbortHandler {
				s.log.Error("a request's handler panicked", "method", r.Method, "path", r.URL.Path, "panic", oneLine(fmt.Sprint(p)))
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

// stop drains for at most timeout, then closes what is left.
func (s *server) stop(timeout time.Duration) error {
	if timeout <= 0 {
		timeout = DefaultDrainTimeout
	}
	s.log.Info("stopping: requests under way may finish", "draintimeout", timeout)
	drain, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := s.http.Shutdown(drain); err != nil {
		s.log.Warn("requests did not finish in http.draintimeout: their uploads are suspended", "draintimeout", timeout)
		_ = s.http.Close() // only reports what closing connections did
	}
	s.endRequests()
	grace, cancel := context.WithTimeout(context.Background(), suspendGrace)
	defer cancel()
	if n := s.requests.wait(grace); n > 0 {
		return fmt.Errorf("stopping: %d requests are still running %s after their connections were closed", n, suspendGrace)
	}
	return nil
}

// close ends whatever start began, in any state.
func (s *server) close() {
	if s.http != nil {
		_ = s.http.Close()
		s.endRequests()
	}
	if s.debug != nil {
		_ = s.debug.Close()
	}
	if s.endBackground != nil {
		s.endBackground()
	}
	s.background.Wait()
	if s.handler != nil {
		if err := s.handler.Close(); err != nil {
			s.log.Warn("closing the registry", "error", oneLine(err.Error()))
		}
	}
}

// logWriter makes one record of each line that net/http logs.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Warn("http", "message", oneLine(string(p)))
	return len(p), nil
}
