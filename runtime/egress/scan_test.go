package egress

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/internal/secretscan"
)

func guardOf(secrets ...string) guard { return guard{set: secretscan.New(secrets), credential: "main"} }

func isShown(err error) bool {
	return storagedriver.KindOf(err) == storagedriver.KindDenied && strings.Contains(err.Error(), `shows the credential "main"`)
}

// pieces is a body that comes in pieces of the given sizes, again and again, the last one with its end.
type pieces struct {
	data  []byte
	sizes []int
	i     int
	end   error
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, p.end
	}
	n := min(p.sizes[p.i%len(p.sizes)], len(b), len(p.data))
	p.i++
	copy(b, p.data[:n])
	p.data = p.data[n:]
	if len(p.data) == 0 {
		return n, p.end
	}
	return n, nil
}

func (*pieces) Close() error { return nil }

// readAll reads with buffers of the given sizes, and tells what r left in them beside what it returned.
func readAll(r io.Reader, sizes []int) (got, beside []byte, err error) {
	for i := 0; ; i++ {
		buf := make([]byte, sizes[i%len(sizes)])
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		beside = append(beside, bytes.Trim(buf[n:], "\x00")...)
		if err != nil {
			return got, beside, err
		}
	}
}

func drawBody(t *rapid.T, data []byte) *pieces {
	return &pieces{data: data, sizes: rapid.SliceOfN(rapid.IntRange(1, 3000), 1, 5).Draw(t, "pieces"), end: io.EOF}
}

var roomSizes = rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(1, 3000)), 1, 5)

// noisy is content from few letters, so that secrets of those nearly appear in it.
func noisy(letters string, most int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.SampledFrom([]rune(letters)), 0, most, -1)
}

const letters = "ab%/+0A"

// TestNoByteOfASecretGetsOut plants a form of a secret in content, which comes and is read in pieces of any size.
func TestNoByteOfASecretGetsOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune(letters)), secretscan.MinSecret, 200, -1), 1, 3).Draw(t, "secrets")
		forms := secretscan.Forms(rapid.SampledFrom(secrets).Draw(t, "secret"))
		form := forms[rapid.IntRange(0, len(forms)-1).Draw(t, "form")].Text
		before, after := noisy(letters, 2000).Draw(t, "before"), noisy(letters, 2000).Draw(t, "after")
		data := before + form + after
		first := len(data)
		for _, s := range secrets { // by chance another may be earlier
			for _, f := range secretscan.Forms(s) {
				if i := strings.Index(data, f.Text); i >= 0 {
					first = min(first, i)
				}
			}
		}
		got, beside, err := readAll(guardOf(secrets...).body(drawBody(t, []byte(data))), roomSizes.Draw(t, "rooms"))
		if !isShown(err) {
			t.Fatalf("%d bytes came, then %v", len(got), err)
		}
		if len(got) > first || string(got) != data[:len(got)] || len(beside) > 0 {
			t.Fatalf("%d bytes came of the %d before the secret, and %q beside them", len(got), first, beside)
		}
	})
}

// TestEveryBorder has each form come in two pieces, cut at every byte.
func TestEveryBorder(t *testing.T) {
	const secret, before = "p&ss/word", "some content "
	g := guardOf(secret)
	for _, f := range secretscan.Forms(secret) {
		data := before + f.Text + " and more"
		for cut := 1; cut < len(data); cut++ {
			for _, room := range []int{7, 2000} {
				body := &pieces{data: []byte(data), sizes: []int{cut, len(data)}, end: io.EOF}
				got, beside, err := readAll(g.body(body), []int{room})
				if !isShown(err) || len(got) > len(before) || len(beside) > 0 {
					t.Fatalf("%s (%s), cut after %d bytes: %q, %q, %v", f.Name, f.Text, cut, got, beside, err)
				}
			}
		}
	}
}

// TestCleanContentIsWhole has content that almost shows a secret, and everything of it comes.
func TestCleanContentIsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringOfN(rapid.SampledFrom([]rune(letters)), 12, 60, -1).Draw(t, "secret") + "!"
		g := guardOf(secret)
		var data []byte
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			forms := secretscan.Forms(secret)
			form := forms[rapid.IntRange(0, len(forms)-1).Draw(t, "form")].Text
			data = append(data, form[:rapid.IntRange(0, len(form)-1).Draw(t, "cut")]...)
			data = append(data, noisy(letters, 1000).Draw(t, "noise")...)
		}
		if g.set.Shows(data) {
			t.Skip("by chance it is there")
		}
		got, beside, err := readAll(g.body(drawBody(t, data)), roomSizes.Draw(t, "rooms"))
		if err != io.EOF || !bytes.Equal(got, data) || len(beside) > 0 {
			t.Fatalf("%d of %d bytes came, then %v, and %q beside them", len(got), len(data), err, beside)
		}
	})
}

func FuzzGuard(f *testing.F) {
	f.Add("secret-token", "before secret-token after", uint16(3), uint16(700))
	f.Add("secret-token", "before c2VjcmV0LXRva2Vu", uint16(1000), uint16(2))
	f.Fuzz(func(t *testing.T, secret, data string, piece, room uint16) {
		if len(secret) < secretscan.MinSecret || len(secret) > 500 {
			return
		}
		body := &pieces{data: []byte(data), sizes: []int{int(piece) + 1}, end: io.EOF}
		got, beside, err := readAll(guardOf(secret).body(body), []int{int(room) + 1})
		first := -1
		for _, form := range secretscan.Forms(secret) {
			if i := strings.Index(data, form.Text); i >= 0 && (first < 0 || i < first) {
				first = i
			}
		}
		switch {
		case len(beside) > 0:
			t.Fatalf("%q is beside what was read", beside)
		case first < 0 && (err != io.EOF || string(got) != data):
			t.Fatalf("%q of %q came, then %v", got, data, err)
		case first >= 0 && (!isShown(err) || len(got) > first || string(got) != data[:len(got)]):
			t.Fatalf("%q of %q came, then %v", got, data, err)
		}
	})
}

// TestABodyThatFailsKeepsItsEnd cuts bodies off within a secret: the begin of one is not given out.
func TestABodyThatFailsKeepsItsEnd(t *testing.T) {
	broken := errors.New("broken")
	g := guardOf("secret-token")
	content := strings.Repeat("content ", 100)
	for _, room := range []int{1, 100, 1000} {
		body := func(end error) io.Reader {
			return g.body(&pieces{data: []byte(content + "secret-tok"), sizes: []int{5}, end: end})
		}
		got, beside, err := readAll(body(broken), []int{room})
		if want := content[:len(content)+len("secret-tok")-g.set.Keep()]; err != broken || string(got) != want || len(beside) > 0 {
			t.Errorf("in pieces of %d: %q, %q, %v", room, got, beside, err)
		}
		if got, _, err = readAll(body(io.EOF), []int{room}); err != io.EOF || string(got) != content+"secret-tok" { // that much of it may be anybody's word
			t.Errorf("in pieces of %d: %q, %v", room, got, err)
		}
		if _, _, err = readAll(g.body(&pieces{end: errors.New(`malformed trailer "X: secret-token"`)}), []int{room}); !isShown(err) {
			t.Errorf("the error is %v", err)
		}
	}
	if err := iotest.TestReader(g.body(&pieces{data: []byte(content + "secr"), sizes: []int{700}, end: io.EOF}), []byte(content+"secr")); err != nil {
		t.Error(err)
	}
}

// TestSizesTellNothing reads content that nearly shows a secret beside content of the same length that does not: what
// comes at a time must not tell them apart.
func TestSizesTellNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringOfN(rapid.SampledFrom([]rune(letters)), secretscan.MinSecret, 100, -1).Draw(t, "secret") + "!"
		g := guardOf(secret)
		forms := secretscan.Forms(secret)
		form := forms[rapid.IntRange(0, len(forms)-1).Draw(t, "form")].Text
		near := noisy(letters, 500).Draw(t, "before") + form[:len(form)-1]
		far := strings.Repeat("~", len(near))
		if g.set.Shows([]byte(near)) {
			t.Skip("by chance it is there")
		}
		sizes, rooms := rapid.SliceOfN(rapid.IntRange(1, 300), 1, 5).Draw(t, "pieces"), roomSizes.Draw(t, "rooms")
		var given [2][]int
		for i, data := range []string{near, far} {
			r := g.body(&pieces{data: []byte(data), sizes: sizes, end: io.EOF})
			for k := 0; ; k++ {
				n, err := r.Read(make([]byte, rooms[k%len(rooms)]))
				given[i] = append(given[i], n)
				if err != nil {
					break
				}
			}
		}
		if !slices.Equal(given[0], given[1]) {
			t.Fatalf("near a secret there came %v bytes at a time, elsewhere %v", given[0], given[1])
		}
	})
}

func TestHeadersShowNoSecret(t *testing.T) {
	const secret = "Token-ABCD+1234"
	coded := base64.StdEncoding.EncodeToString([]byte("x:" + secret))
	for _, h := range []http.Header{
		{"X-Echo": {"Bearer " + secret}}, {"X-Echo": {"fine", coded}}, {"X-Token-Abcd+1234": {"1"}}, {"Location": {"http://a/?t=Token-ABCD%2B1234"}},
	} {
		if err := guardOf(secret).headers(h); !isShown(err) {
			t.Errorf("%v: %v", h, err)
		}
		if err := (guard{}).headers(h); err != nil {
			t.Errorf("without a secret: %v", err)
		}
	}
	if err := guardOf(secret).headers(http.Header{"Content-Type": {"text/plain"}, "X-Token": {"Token-ABCD"}, "Etag": nil}); err != nil {
		t.Error(err)
	}
}

func TestNoSecretCostsNothing(t *testing.T) {
	body := &pieces{end: io.EOF}
	if got := (guard{}).body(body); got != io.ReadCloser(body) {
		t.Errorf("the body is wrapped in a %T", got)
	}
	if g, err := (&Credential{Name: "s3", Signer: &signer{}}).guard(nil, Origin{}); err != nil || g.set != nil {
		t.Errorf("%v, %v", g, err)
	}
}

func BenchmarkGuard(b *testing.B) {
	data := make([]byte, 16<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	g := guardOf("ya29.a0AfH6SMBx-q3J0-EXAMPLE-TOKEN-yQ9dK7wXn3v")
	room := make([]byte, 128<<10)
	for name, g := range map[string]guard{"bearer": g, "none": {}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				r := g.body(io.NopCloser(bytes.NewReader(data)))
				for {
					if _, err := r.Read(room); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
