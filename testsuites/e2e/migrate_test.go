//go:build servers

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout"
)

// current is the registry that clients talk to, which is replaced now and then.
type current struct {
	mu   sync.Mutex
	addr string
}

func (c *current) set(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addr = addr
}

func (c *current) get() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addr
}

// loader pushes images to tags of its own, pulls them, and demands what it knows of them.
type loader struct {
	t      *testing.T
	at     *current
	repo   string
	tags   map[string][]string // by tag the digests that it may name; several after a lost answer
	blobs  map[string][]byte   // of manifests that were answered for, by the manifest's digest: their layer
	pushes int
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// request sends one, and returns an error where there was no answer. One of 500 and more is a failure of the test.
func (p *loader) request(ctx context.Context, method, target string, body []byte, kind string) (*http.Response, []byte, error) {
	if !strings.HasPrefix(target, "http") {
		target = "http://" + p.at.get() + target
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if method == http.MethodGet {
		req.Header.Set("Accept", manifestType)
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 500 {
		err = fmt.Errorf("%s %s: %s: %s", method, target, res.Status, text)
		p.t.Error(err)
	}
	return res, text, err
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// blob pushes one in two requests and a last one.
func (p *loader) blob(ctx context.Context, content []byte) error {
	res, _, err := p.request(ctx, "POST", "/v2/"+p.repo+"/blobs/uploads/", nil, "")
	if err != nil {
		return err
	}
	half := len(content) / 2
	for _, part := range [][]byte{content[:half], content[half:]} {
		at, err := res.Location()
		if err != nil {
			return err
		}
		if res, _, err = p.request(ctx, "PATCH", at.String(), part, "application/octet-stream"); err != nil {
			return err
		}
	}
	at, err := res.Location()
	if err != nil {
		return fmt.Errorf("PATCH: %s: %w", res.Status, err)
	}
	q := at.Query()
	q.Set("digest", digestOf(content))
	at.RawQuery = q.Encode()
	res, text, err := p.request(ctx, "PUT", at.String(), nil, "")
	if err == nil && res.StatusCode != http.StatusCreated {
		err = fmt.Errorf("PUT of a blob: %s: %s", res.Status, text)
	}
	return err
}

// push pushes an image with new content to the tag.
func (p *loader) push(ctx context.Context, tag string) error {
	p.pushes++
	layer := []byte(strings.Repeat(fmt.Sprintf("%s %s %d\n", p.repo, tag, p.pushes), 3000))
	config := fmt.Appendf(nil, `{"architecture": "amd64", "os": "linux", "author": "%s %s %d"}`, p.repo, tag, p.pushes)
	for _, b := range [][]byte{layer, config} {
		if err := p.blob(ctx, b); err != nil {
			return err
		}
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digestOf(config), "size": len(config)},
		"layers": []any{map[string]any{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digestOf(layer), "size": len(layer)}},
	})
	if err != nil {
		return err
	}
	digest := digestOf(manifest)
	p.blobs[digest] = layer
	p.tags[tag] = append(p.tags[tag], digest) // until there is an answer
	res, text, err := p.request(ctx, "PUT", "/v2/"+p.repo+"/manifests/"+tag, manifest, manifestType)
	if err == nil && res.StatusCode != http.StatusCreated {
		err = fmt.Errorf("PUT of a manifest: %s: %s", res.Status, text)
	}
	if err == nil {
		p.tags[tag] = []string{digest}
	}
	return err
}

// pull reads a tag and its layer. Only a registry that is gone may have no answer.
func (p *loader) pull(ctx context.Context, tag string) error {
	res, manifest, err := p.request(ctx, "GET", "/v2/"+p.repo+"/manifests/"+tag, nil, "")
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusNotFound && slices.Contains(p.tags[tag], "") {
		return nil
	}
	digest := digestOf(manifest)
	if res.StatusCode != http.StatusOK || !slices.Contains(p.tags[tag], digest) {
		p.t.Errorf("%s:%s: want one of %v, got %s with %s: %.300s", p.repo, tag, p.tags[tag], res.Status, digest, manifest)
		return nil
	}
	p.tags[tag] = []string{digest}
	layer := p.blobs[digest]
	res, got, err := p.request(ctx, "GET", "/v2/"+p.repo+"/blobs/"+digestOf(layer), nil, "")
	if err == nil && (res.StatusCode != http.StatusOK || !bytes.Equal(got, layer)) {
		p.t.Errorf("%s:%s: the layer: %s with %d bytes, want %d", p.repo, tag, res.Status, len(got), len(layer))
	}
	return err
}

func newLoader(t *testing.T, at *current, i int) *loader {
	p := &loader{t: t, at: at, repo: fmt.Sprintf("load/repo%d", i), tags: map[string][]string{}, blobs: map[string][]byte{}}
	for i := range 5 {
		p.tags[fmt.Sprintf("tag%d", i)] = []string{""} // nothing
	}
	return p
}

// run pushes and pulls until ctx ends. lost counts what had no good answer.
func (p *loader) run(ctx context.Context) (lost int) {
	for n := 0; ctx.Err() == nil && !p.t.Failed(); n++ {
		tag := fmt.Sprintf("tag%d", n%5)
		for _, f := range []func(context.Context, string) error{p.pull, p.push, p.pull} {
			// What was begun has its answer: only a registry that was killed has none.
			if err := f(context.WithoutCancel(ctx), tag); err != nil {
				lost++
				<-time.After(20 * time.Millisecond) // it is being started again
				break
			}
		}
	}
	return lost
}

// process runs berth with args.
func process(t *testing.T, log io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(berth, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// migration is how far one is.
type migration struct {
	Phase       string
	Total, Done struct{ Files int }
	Failed      int
}

func migrationStatus(t *testing.T, config string) (m migration) {
	t.Helper()
	if err := json.Unmarshal([]byte(run(t, berth, "migrate", "status", "--config", config, "--output", "json")), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMigrateFromFilesystemToS3 moves a registry to versitygw while it is pushed to and pulled from, and kills the registry and the copier.
func TestMigrateFromFilesystemToS3(t *testing.T) {
	dir := t.TempDir()
	service := versitygw.start(t)
	s3 := versitygw.section(service) + "  redirect:\n    disable: true\n"
	indented := strings.ReplaceAll("\n"+versitygw.section(service), "\n", "\n      ")
	both := "  migrate:\n    copy: false\n    old:\n" + strings.ReplaceAll("\n"+filesystemSection(dir), "\n", "\n    ")[1:] + "\n    new:" + indented + "\n  redirect:\n    disable: true\n"
	on := func(name, section string) (storage, string) {
		path := writeConfig(t, dir, name+".yml", section)
		return storage{name: name, args: func(*testing.T, string) []string { return []string{"serve", path} }}, path
	}
	before, _ := on("before", filesystemSection(dir))
	during, config := on("during", both)
	after, _ := on("after", s3)

	image := filepath.Join(t.TempDir(), "image")
	ocilayout.WriteImage(t, image, 7, 3*mib, 30*mib+1, 1000)
	s, at := before.start(t, dir), &current{}
	at.set(s.addr)
	push(t, s, image, "team/app:v1")
	var loaders []*loader
	for i := range 3 {
		p := newLoader(t, at, i)
		for tag := range p.tags {
			if err := p.push(t.Context(), tag); err != nil {
				t.Fatal(err)
			}
		}
		loaders = append(loaders, p)
	}
	unfinished := begin(t, s, 50, 9*mib)
	unfinished.do(s, "PATCH", unfinished.location.String(), unfinished.content[:4*mib])
	s.stop()

	s = during.start(t, dir)
	at.set(s.addr)
	load, stop := context.WithCancel(t.Context())
	defer stop()
	var working sync.WaitGroup
	for _, p := range loaders {
		working.Go(func() { t.Logf("%s: %d requests had no answer", p.repo, p.run(load)) })
	}
	var log transcript
	said := writerFunc(func(b []byte) { log.add(strings.TrimSpace(string(b))) })
	copier := process(t, said, "migrate", "run", "--config", config, "--rate", "2000000")
	waitUntil(t, "the copier", func() bool {
		m := migrationStatus(t, config)
		return m.Phase == "copying" && m.Done.Files > 5
	})
	_ = copier.Process.Kill()
	_ = copier.Wait()
	s.kill()
	s = during.start(t, dir)
	at.set(s.addr)
	unfinished.location.Host = s.addr
	if got := unfinished.size(s); got != 4*mib {
		t.Errorf("the upload that was begun before: want %d bytes, got %d", 4*mib, got)
	}
	unfinished.finish(s)
	unfinished.wantBlob(s)
	copier = process(t, said, "migrate", "run", "--config", config)
	if err := copier.Wait(); err != nil {
		t.Fatalf("the copier: %v\n%s", err, &log)
	}
	if m := migrationStatus(t, config); m.Phase != "verified" || m.Failed != 0 || m.Done.Files == 0 {
		t.Errorf("want it verified, got %+v", m)
	}
	run(t, berth, "migrate", "finish", "--config", config)
	if m := migrationStatus(t, config); m.Phase != "finished" {
		t.Errorf("want it finished, got %+v", m)
	}
	stop()
	working.Wait()
	s.stop()

	if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	s = after.start(t, dir)
	at.set(s.addr)
	total := 0
	for _, p := range loaders {
		total += p.pushes
		for tag := range p.tags {
			if err := p.pull(t.Context(), tag); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("%d pushes", total)
	back := filepath.Join(t.TempDir(), "back")
	pull(t, s, "team/app:v1", back)
	ocilayout.WantSameBlobs(t, image, back)
	unfinished.wantBlob(s)
	s.stop()
}

// waitUntil polls.
func waitUntil(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); {
		if time.Now().After(end) {
			t.Fatalf("%s: it does not come", what)
		}
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}
