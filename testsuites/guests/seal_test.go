package guests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/examples/seal"
	sdk "github.com/berth-dev/storagedriver/guest-sdk/go/native"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

// sealKey is a key pair as age-keygen makes it.
func sealKey(t *testing.T) *age.X25519Identity {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	ok(t, err, "make a key")
	return key
}

// sealFor is the parameters with which it seals for keys.
func sealFor(keys ...*age.X25519Identity) map[string]any {
	var recipients []string
	for _, key := range keys {
		recipients = append(recipients, key.Recipient().String())
	}
	return map[string]any{"recipients": strings.Join(recipients, ", ")}
}

// sealModule is seal.wasm over a store, lent these keys.
func sealModule(t *testing.T, under storagedriver.StorageDriver, keys ...*age.X25519Identity) *runtime.Module {
	t.Helper()
	secrets := map[string]runtime.Secret{}
	if len(keys) > 0 {
		text := "# keys of the test\n"
		for _, key := range keys {
			text += key.String() + "\n"
		}
		secrets["identity"] = runtime.Secret{Value: text, Readable: true}
	}
	return sealLent(t, under, secrets)
}

func sealLent(t *testing.T, under storagedriver.StorageDriver, secrets map[string]runtime.Secret) *runtime.Module {
	t.Helper()
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "seal"), runtime.Config{
		Stores: map[string]storagedriver.StorageDriver{"under": under}, Secrets: secrets, CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler), Record: transcript("seal"),
	})
	ok(t, err, "load seal")
	t.Cleanup(func() { ok(t, m.Close(context.Background()), "close the module") })
	return m
}

// sealing is a driver of seal.wasm that seals for the first of keys, and is lent all of them.
func sealing(t *testing.T, under storagedriver.StorageDriver, keys ...*age.X25519Identity) storagedriver.StorageDriver {
	t.Helper()
	b, err := sealModule(t, under, keys...).Open(t.Context(), sealFor(keys[0]))
	ok(t, err, "open seal")
	return layers.Complete(b)
}

func TestSealConforms(t *testing.T) {
	t.Parallel()
	for name, open := range backends(t) {
		if underRace && name != "filesystem" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b, err := open(t.Context())
			ok(t, err, "open the store")
			under, key := layers.Complete(b), sealKey(t)
			opened := inTurn(func() *runtime.Module { return sealModule(t, under, key) })
			loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
				b, err := opened(ctx, parameters)
				if err != nil {
					return nil, err
				}
				return layers.Complete(b, layers.WithPartSize(partSize)), nil
			}
			testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "seal"), sealFor(key), loader, smallParts, transcribed("seal"), budgeted(opened, sealFor(key)))
		})
	}
}

// sealUpload writes content to path in one upload.
func sealUpload(t *testing.T, d storagedriver.StorageDriver, path string, content []byte) {
	t.Helper()
	w, err := d.Writer(t.Context(), path, false)
	ok(t, err, "Writer")
	for at := 0; at < len(content); at += 1 << 20 {
		write(t, w, content[at:min(at+1<<20, len(content))])
	}
	ok(t, w.Commit(t.Context()), "Commit")
	ok(t, w.Close(), "Close")
}

func TestSealReadsTheSegmentsOfARange(t *testing.T) {
	under, key := layers.Complete(inmemory.New()), sealKey(t)
	b, err := sealModule(t, under, key).Open(t.Context(), sealFor(key))
	ok(t, err, "open seal")
	d, content := layers.Complete(b), pattern(9<<20)
	sealUpload(t, d, "/a/blob", content)
	stored, err := under.Stat(t.Context(), "/a/blob")
	if err != nil || stored.Size() <= int64(len(content)) || stored.Size() > int64(len(content))+8<<10 {
		t.Errorf("in the store: %v, %v; want a little more than %d bytes", stored, err, len(content))
	}
	if info, err := d.Stat(t.Context(), "/a/blob"); err != nil || info.Size() != int64(len(content)) {
		t.Errorf("Stat: %v, %v", info, err)
	}
	page, err := b.List(t.Context(), "/a", "", 10)
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Size != int64(len(content)) {
		t.Errorf("List: %+v, %v; want one file of %d bytes", page, err, len(content))
	}
	for _, c := range []struct{ off, n int64 }{{0, 10}, {4<<20 - 5, 10}, {4 << 20, 4 << 20}, {8<<20 + 7, -1}, {1, 9<<20 - 2}, {9 << 20, -1}} {
		r, n, err := b.Read(t.Context(), "/a/blob", c.off, c.n)
		ok(t, err, "Read")
		got, err := io.ReadAll(r)
		if closeErr := r.Close(); err != nil || closeErr != nil || !bytes.Equal(got, content[c.off:c.off+n]) || c.n >= 0 && n != c.n {
			t.Errorf("%d bytes from %d: %d of %d, %v, %v", c.n, c.off, len(got), n, err, closeErr)
		}
	}
	_, _, err = b.Read(t.Context(), "/a/blob", 9<<20+1, -1)
	wantKind(t, err, storagedriver.KindInvalidOffset, "Read past the end")
}

func TestSealStoresNothingInClear(t *testing.T) {
	memory, key := inmemory.New(), sealKey(t)
	under := layers.Complete(memory)
	d := sealing(t, under, key)
	secret := []byte("what nobody may see")
	content := bytes.Repeat(secret, 5<<20/len(secret))
	ok(t, d.PutContent(t.Context(), "/a/small", secret), "PutContent")
	ok(t, d.PutContent(t.Context(), "/a/large", content[:1<<20]), "PutContent")
	sealUpload(t, d, "/a/blob", content)
	w, err := d.Writer(t.Context(), "/a/unfinished", false)
	ok(t, err, "Writer")
	write(t, w, content)
	ok(t, w.Close(), "Close")
	found := allFiles(t, memory, "/")
	if len(found) < 5 { // the upload's own are more than one
		t.Errorf("the store has %d files", len(found))
	}
	for path, stored := range found {
		if bytes.Contains(stored, secret) || bytes.Contains(stored, []byte(key.String())) {
			t.Errorf("%s has what is secret", path)
		}
	}
}

// allFiles returns all files of a backend at and below dir, those of uploads included.
func allFiles(t *testing.T, b storagedriver.Backend, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	page, err := b.List(t.Context(), dir, "", 1000)
	ok(t, err, "List")
	for _, e := range page.Entries {
		path := storagedriver.JoinPath(dir, e.Name)
		if e.Dir {
			for name, content := range allFiles(t, b, path) {
				found[name] = content
			}
			continue
		}
		r, _, err := b.Read(t.Context(), path, 0, -1)
		ok(t, err, "Read")
		found[path], err = io.ReadAll(r)
		ok(t, errors.Join(err, r.Close()), "read")
	}
	return found
}

func TestSealGoesOnInAnotherInstance(t *testing.T) {
	under, content := layers.Complete(inmemory.New()), pattern(15<<20)
	old, current := sealKey(t), sealKey(t)
	ends := []int{3 << 20, 8<<20 + 1, 8<<20 + 2, len(content)}
	for i, end := range ends { // each by a module of its own, of which none can read, and the last seals for another key
		parameters := sealFor(old)
		if i == len(ends)-1 {
			parameters = sealFor(current)
		}
		b, err := sealModule(t, under).Open(t.Context(), parameters)
		ok(t, err, "open seal")
		w, err := layers.Complete(b).Writer(t.Context(), "/a/blob", i > 0)
		ok(t, err, "Writer")
		write(t, w, content[w.Size():end])
		if i == len(ends)-1 {
			ok(t, w.Commit(t.Context()), "Commit")
		}
		ok(t, w.Close(), "Close")
	}
	got, err := sealing(t, under, current, old).GetContent(t.Context(), "/a/blob")
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestSealRotatesKeys(t *testing.T) {
	under := layers.Complete(inmemory.New())
	old, current := sealKey(t), sealKey(t)
	before, since := []byte("from before"), pattern(5<<20)
	ok(t, sealing(t, under, old).PutContent(t.Context(), "/a/before", before), "PutContent")
	both := sealing(t, under, current, old)
	sealUpload(t, both, "/a/since", since)
	for path, want := range map[string][]byte{"/a/before": before, "/a/since": since} {
		if got, err := both.GetContent(t.Context(), path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s with both keys: %d bytes, %v", path, len(got), err)
		}
	}
	only := sealing(t, under, current)
	if got, err := only.GetContent(t.Context(), "/a/since"); err != nil || !bytes.Equal(got, since) {
		t.Errorf("with the new key: %d bytes, %v", len(got), err)
	}
	_, err := only.GetContent(t.Context(), "/a/before")
	wantError(t, err, storagedriver.KindPermission, `no private key in the secret "identity" opens this file: it was sealed for other recipients`)
	_, err = sealing(t, under, old).GetContent(t.Context(), "/a/since")
	wantError(t, err, storagedriver.KindPermission, "sealed for other recipients")
}

func TestSealWritesWithoutAKey(t *testing.T) {
	under, key := layers.Complete(inmemory.New()), sealKey(t)
	hidden := map[string]runtime.Secret{"identity": {Value: key.String(), Origins: []string{"http://127.0.0.1:1"}}}
	for name, secrets := range map[string]map[string]runtime.Secret{"none": nil, "not readable": hidden} {
		t.Run(name, func(t *testing.T) {
			b, err := sealLent(t, under, secrets).Open(t.Context(), sealFor(key))
			ok(t, err, "open seal")
			d, content := layers.Complete(b), pattern(5<<20)
			ok(t, d.PutContent(t.Context(), "/a/small", content[:100]), "PutContent")
			sealUpload(t, d, "/a/upload", content)
			ok(t, d.Move(t.Context(), "/a/upload", "/b/blob"), "Move")
			if info, err := d.Stat(t.Context(), "/b/blob"); err != nil || info.Size() != int64(len(content)) {
				t.Errorf("Stat: %v, %v", info, err)
			}
			if paths, err := d.List(t.Context(), "/a"); err != nil || !slices.Equal(paths, []string{"/a/small"}) {
				t.Errorf("List: %v, %v", paths, err)
			}
			for _, path := range []string{"/a/small", "/b/blob"} {
				_, err = d.GetContent(t.Context(), path)
				wantError(t, err, storagedriver.KindDenied, `the operator lends it as the secret "identity" under secrets, with readable: true`)
			}
			reader := sealing(t, under, key)
			for path, want := range map[string][]byte{"/a/small": content[:100], "/b/blob": content} {
				if got, err := reader.GetContent(t.Context(), path); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s, with the key: %d bytes, %v", path, len(got), err)
				}
			}
			ok(t, d.Delete(t.Context(), "/b"), "Delete")
		})
	}
}

// TestSealIsRecoveredWithAgeAlone does what the README's section on recovery does with tools of the shell.
func TestSealIsRecoveredWithAgeAlone(t *testing.T) {
	under, key := layers.Complete(inmemory.New()), sealKey(t)
	d, content := sealing(t, under, key), pattern(9<<20)
	sealUpload(t, d, "/a/blob", content)
	ok(t, d.PutContent(t.Context(), "/a/small", content[:100]), "PutContent")
	for path, want := range map[string][]byte{"/a/blob": content, "/a/small": content[:100]} {
		stored, err := under.GetContent(t.Context(), path)
		ok(t, err, "read what is stored")
		begin := []byte("age-encryption.org/v1\n")
		var got []byte
		for stored, found := bytes.CutPrefix(stored, begin); found; {
			var segment []byte
			segment, stored, found = bytes.Cut(stored, begin)
			if !found && path == "/a/blob" {
				break // the seal, and what is not of age
			}
			if !found {
				segment = segment[:len(segment)-24-48] // the table has one segment
			}
			r, err := age.Decrypt(io.MultiReader(bytes.NewReader(begin), bytes.NewReader(segment)), key)
			ok(t, err, "Decrypt")
			plain, err := io.ReadAll(r)
			ok(t, err, "read what age decrypts")
			_, plain, _ = bytes.Cut(plain, []byte("\n"))
			got = append(got, plain...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d", path, len(got), len(want))
		}
	}
}

func TestSealSaysWhatIsWrongWithIt(t *testing.T) {
	under, key := layers.Complete(inmemory.New()), sealKey(t)
	public := key.Recipient().String()
	for name, c := range map[string]struct {
		recipients, identity string
		say                  []string
	}{
		"no recipient":            {"  ", key.String(), []string{`parameter "recipients": there is none`}},
		"a typing error":          {public[:20] + "qq" + public[22:], key.String(), []string{`parameter "recipients": entry 1 is no public key of age`}},
		"the private key":         {public + ", " + key.String(), key.String(), []string{`parameter "recipients": entry 2 is a private key`}},
		"a public key for a read": {public, public, []string{`the secret "identity" has in line 1 no private key of age`}},
		"an empty secret":         {public, "# nothing", []string{`the secret "identity" has no private key of age`}},
	} {
		_, err := sealLent(t, under, map[string]runtime.Secret{"identity": {Value: c.identity, Readable: true}}).Open(t.Context(), map[string]any{"recipients": c.recipients})
		wantError(t, err, storagedriver.KindInvalidArgument, c.say...)
		if strings.Contains(err.Error(), key.String()[:25]) {
			t.Errorf("%s: %v has the key", name, err)
		}
	}
	_, err := sealModule(t, under, key).Open(t.Context(), map[string]any{})
	wantError(t, err, storagedriver.KindInvalidArgument, "recipients")
	ok(t, under.PutContent(t.Context(), "/a/text", []byte("a blob that was there before")), "PutContent")
	d := sealing(t, under, key)
	_, err = d.GetContent(t.Context(), "/a/text")
	wantError(t, err, storagedriver.KindCorrupt, "was not written by this driver")
	info, err := d.Stat(t.Context(), "/a/text")
	ok(t, err, "Stat of what is damaged")
	if names, err := d.List(t.Context(), "/a"); err != nil || len(names) != 1 || info.Size() != 28 {
		t.Errorf("want what is damaged listed, with the store's size, got %q, %d bytes, %v", names, info.Size(), err)
	}
	ok(t, d.Delete(t.Context(), "/a/text"), "Delete of what is damaged")
}

// TestSealReadsNatively is for debuggers, and shows what the sandbox costs.
func TestSealReadsNatively(t *testing.T) {
	under, key := layers.Complete(inmemory.New()), sealKey(t)
	b, err := native.Config{
		Granted: map[string]storagedriver.StorageDriver{"under": under}, Config: sdk.Config{Secrets: map[string]string{"identity": key.String()}},
	}.Open(seal.Manifest(), seal.Open)(t.Context(), sealFor(key))
	ok(t, err, "open seal")
	d, content := layers.Complete(b), pattern(9<<20)
	sealUpload(t, d, "/a/blob", content)
	for _, reader := range []storagedriver.StorageDriver{d, sealing(t, under, key)} {
		if got, err := reader.GetContent(t.Context(), "/a/blob"); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
}
