package seal

import (
	"strings"
	"testing"

	"filippo.io/age"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

func TestRecipients(t *testing.T) {
	one, two := newKey(t), newKey(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	a, b, pq := one.Recipient().String(), two.Recipient().String(), hybrid.Recipient().String()
	for list, want := range map[string]int{a: 1, a + "," + b: 2, " " + a + "\n" + b + " ,\t": 2, pq: 1} {
		if got, err := parseRecipients(list); err != nil || len(got) != want {
			t.Errorf("%q: %d recipients, %v, want %d", list, len(got), err, want)
		}
	}
	for list, say := range map[string]string{
		"":                        "there is none",
		" , ":                     "there is none",
		"somebody":                "entry 1 is no public key of age",
		a + "," + b[:len(b)-1]:    "entry 2 is no public key of age",
		a + " " + one.String():    "entry 2 is a private key",
		hybrid.String():           "entry 1 is a private key",
		"ssh-ed25519 AAAAC3Nza":   "entry 1 is an SSH key",
		a + "," + pq:              "can't mix post-quantum and classic recipients",
		strings.Repeat(a+",", 33): "there are more than 32",
	} {
		_, err := parseRecipients(list)
		wantKind(t, list, err, berth.KindInvalidArgument)
		if err != nil && (!strings.Contains(err.Error(), `parameter "recipients": `) || !strings.Contains(err.Error(), say) || strings.Contains(err.Error(), one.String())) {
			t.Errorf("%q: %v; want it to say %q", list, err, say)
		}
	}
}

func TestIdentities(t *testing.T) {
	one, two := newKey(t), newKey(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		one.String(): 1,
		"# created: today\r\n# public key: age1\r\n" + one.String() + "\r\n\r\n" + two.String(): 2,
		one.String() + "\n" + hybrid.String() + "\n":                                            2,
	} {
		if got, err := parseIdentities([]byte(text)); err != nil || len(got) != want {
			t.Errorf("%d identities, %v, want %d", len(got), err, want)
		}
	}
	for text, say := range map[string]string{
		"":                                 "has no private key",
		"# only\n# comments\n":             "has no private key",
		one.Recipient().String():           "has in line 1 no private key",
		"#\n" + one.String()[:30]:          "has in line 2 no private key",
		one.String() + "\n" + "password":   "has in line 2 no private key",
		"age-encryption.org/v1\n-> scrypt": "is encrypted itself",
	} {
		_, err := parseIdentities([]byte(text))
		wantKind(t, text, err, berth.KindInvalidArgument)
		if err != nil && (!strings.Contains(err.Error(), `the secret "identity" `+say) || strings.Contains(err.Error(), one.String()[:25])) {
			t.Errorf("%q: %v; want it to say %q", text, err, say)
		}
	}
}

func TestRotation(t *testing.T) {
	old, current := newKey(t), newKey(t)
	d := &driver{recipients: []age.Recipient{current.Recipient()}, identities: []age.Identity{current, old}}
	for name, file := range map[string][]byte{"before": whole(t, with(old), []byte("content")), "since": whole(t, d, []byte("content"))} {
		if got, err := contentOf(d, file); err != nil || string(got) != "content" {
			t.Errorf("a file from %s: %q, %v", name, got, err)
		}
	}
	// An upload that was begun before is sealed for both, each segment for those of its time.
	base := sealed(t, with(old), []byte("begun before, "))
	file := goOn(t, d, base.states[1], &parts{segments: base.segments[:1]}, []byte("ended since")).file()
	if got, err := contentOf(d, file); err != nil || string(got) != "begun before, ended since" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := contentOf(with(current), file)
	wantKind(t, "without the key it was begun with", err, berth.KindPermission)
}
