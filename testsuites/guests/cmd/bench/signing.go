package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// unsigned is a credential that is none: requests are sent as they are.
type unsigned struct{}

func (unsigned) Sign(context.Context, *http.Request, sign.Payload) error { return nil }
func (unsigned) Presign(context.Context, *http.Request, time.Duration) (string, error) {
	return "", storagedriver.NewError(storagedriver.KindUnsupported, "no presigned URLs")
}
func (unsigned) Owns() []string    { return nil }
func (unsigned) Sent() []string    { return nil }
func (unsigned) Secrets() []string { return nil }

// signings prints what signing costs, and a rule that says more than an origin: each against the same guest and server without.
func signings(ctx context.Context, cache string, o options) error {
	const what = "cost of signing and policy"
	if !o.run.MatchString(what) {
		return nil
	}
	s, err := startServer(ctx, lean)
	if err != nil {
		return err
	}
	defer s.stop()
	for path, size := range map[string]int{"/registry/bench/small": small, "/registry/bench/large": large} {
		if err := putZeros(ctx, s.url+path, size); err != nil {
			return err
		}
	}
	keys, err := sigv4.New(ctx, sigv4.Config{AccessKey: "AKIDEXAMPLE", SecretKey: factory.NewSecret("of-the-benchmark"), Region: "us-east-1"}, nil)
	if err != nil {
		return err
	}
	token, err := sign.NewBearer(factory.NewSecret("a-token-of-the-benchmark-as-long-as-they-are"))
	if err != nil {
		return err
	}
	fmt.Printf("\n| Against the same without | Work | Callers | Without | With | With / without | Control | CPU added |\n|---|---|---|---|---|---|---|---|\n")
	for _, v := range []struct {
		name   string
		rule   egress.Rule
		signer sign.Signer
	}{
		{"networks and redirects in the rule", egress.Rule{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Redirects: 3}, unsigned{}},
		{"SigV4", egress.Rule{}, keys},
		{"bearer, responses searched", egress.Rule{}, token},
	} {
		if err := signing(ctx, s.url, cache, o, v.name, v.rule, v.signer); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	return nil
}

// putZeros puts size bytes at a URL of the lean server.
func putZeros(ctx context.Context, url string, size int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, url, strings.NewReader(strings.Repeat("\x00", size)))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("PUT %s: %s", url, resp.Status)
	}
	return nil
}

func signing(ctx context.Context, origin, cache string, o options, name string, rule egress.Rule, signer sign.Signer) (err error) {
	module, err := guestbuild.Build(ctx, "s3")
	if err != nil {
		return err
	}
	var s sides
	for i := range s {
		with := egress.Rule{Origin: origin, Credential: egress.Credential{Name: "storage", Signer: unsigned{}}}
		if i == 1 {
			with = rule
			with.Origin, with.Credential = origin, egress.Credential{Name: "storage", Signer: signer}
		}
		b, err := runtime.Open(ctx, module, runtime.Config{Allow: []egress.Rule{with}, CacheDir: cache, Logger: slog.New(slog.DiscardHandler)},
			map[string]any{"endpoint": origin, "bucket": "registry"})
		if err != nil {
			return err
		}
		d := layers.Complete(b)
		defer func() { err = errors.Join(err, d.Close()) }()
		s[i] = side{[...]string{"without", name, "control"}[i], d}
	}
	rounds, slice := 15, 250*time.Millisecond
	if o.quick {
		rounds, slice = 3, 100*time.Millisecond
	}
	for _, w := range []work{
		{name: "Stat", unit: "1/s", per: 1, callers: 1, op: statSmall},
		{name: "Stat", unit: "1/s", per: 1, callers: 8, op: statSmall},
		{name: "read 4 KiB", unit: "1/s", per: 1, callers: 1, op: readSmall},
		{name: "read 256 MiB", unit: "MiB/s", per: large >> 20, callers: 1, bulk: true, op: readLarge},
	} {
		fmt.Fprintf(os.Stderr, "%s: %s: %d rounds\n", name, w.name, rounds)
		r, err := compare(ctx, s, &w, rounds, slice)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %s | %d | %.0f %s | %.0f %s | **%.2f** (%.2f to %.2f) | %.2f (%.2f to %.2f) | %.1f µs |\n", name, w.name, w.callers,
			median(r.native), w.unit, median(r.wasm), w.unit, median(r.ratio), quartile(r.ratio, 1), quartile(r.ratio, 3),
			median(r.control), quartile(r.control, 1), quartile(r.control, 3), median(r.wasmCPU)-median(r.nativeCPU))
	}
	return nil
}

func statSmall(ctx context.Context, d storagedriver.StorageDriver, _ int) error {
	_, err := d.Stat(ctx, "/bench/small")
	return err
}
