package seal

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"filippo.io/age"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

const (
	// store is the name under which the driver is granted where it stores.
	store = "under"
	// secret is the name under which it is lent private keys, in the form of age's files of identities.
	secret = "identity"
	// maxRecipients bounds what is before each segment: 1.6 KB for each post-quantum key.
	maxRecipients = 32
)

// config is the operator's parameters.
type config struct {
	recipients string
}

func (c *config) fields() berth.Fields {
	return berth.Fields{
		berth.String("recipients", &c.recipients).Required().
			Describe("public keys that content is sealed for, age1... or age1pq1..., separated by commas or blanks: whoever has one of the private keys can read it"),
	}
}

// always is what every store has, passed what some have.
const (
	always = berth.AbilityMove | berth.AbilityMoveTree | berth.AbilityDeleteTree | berth.AbilityParts
	passed = berth.AbilityFilesUnderFiles | berth.AbilityIdempotent
)

// Manifest describes the driver.
func Manifest() berth.Manifest {
	return berth.Manifest{
		Name:        "seal",
		Version:     "1.0.0",
		Description: "stores blobs encrypted with age in another store",
		Parameters:  new(config).fields(),
		Stores:      []string{store},
		Secrets:     []string{secret},
		Memory:      32 << 20,
		Abilities:   always | passed,
	}
}

// Open is the driver's berth.OpenFunc.
func Open(c *berth.Call, parameters []byte) (berth.Driver, berth.Abilities, int64, error) {
	var cfg config
	if err := cfg.fields().Decode(parameters); err != nil {
		return nil, 0, 0, err
	}
	recipients, err := parseRecipients(cfg.recipients)
	if err != nil {
		return nil, 0, 0, err
	}
	var identities []age.Identity
	text, err := c.Secret(secret)
	switch {
	case err == nil:
		if identities, err = parseIdentities(text); err != nil {
			return nil, 0, 0, err
		}
	case berth.KindOf(err) != berth.KindDenied: // without the secret it writes, and says at reads what is missing
		return nil, 0, 0, err
	}
	info, err := c.Store(store).Info()
	if err != nil {
		return nil, 0, 0, err
	}
	return &driver{recipients: recipients, identities: identities}, always | info.Abilities&passed, info.MaxObject, nil
}

// parseRecipients never quotes what it was given: a private key may be among it.
func parseRecipients(list string) ([]age.Recipient, error) {
	var recipients []age.Recipient
	for i, text := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		entry := "entry " + strconv.Itoa(i+1)
		if i == maxRecipients {
			return nil, badRecipients("there are more than ", strconv.Itoa(maxRecipients))
		}
		switch {
		case strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-"):
			return nil, badRecipients(entry, ` is a private key: name its public key here (age-keygen -y shows it), and lend the private one as the secret "`, secret, `"`)
		case strings.HasPrefix(text, "ssh-"):
			return nil, badRecipients(entry, " is an SSH key: keys are made with age-keygen")
		}
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, badRecipients(entry, " is no public key of age, age1... or age1pq1... as age-keygen shows it")
		}
		recipients = append(recipients, parsed...)
	}
	if len(recipients) == 0 {
		return nil, badRecipients("there is none: name a public key of age, age1... or age1pq1...")
	}
	// What cannot be used, or not together, is said now and not at the first upload.
	if _, err := age.Encrypt(io.Discard, recipients...); err != nil {
		return nil, badRecipients(err.Error())
	}
	return recipients, nil
}

func badRecipients(text ...string) error {
	return berth.NewError(berth.KindInvalidArgument, append([]string{`parameter "recipients": `}, text...)...)
}

// parseIdentities reads a file of identities. It never quotes any of it.
func parseIdentities(text []byte) ([]age.Identity, error) {
	bad := func(text ...string) error {
		return berth.NewError(berth.KindInvalidArgument, append([]string{`the secret "`, secret, `" `}, text...)...)
	}
	if bytes.HasPrefix(text, []byte("age-encryption.org/")) || bytes.HasPrefix(text, []byte("-----BEGIN AGE")) {
		return nil, bad("is encrypted itself: lend the private keys that are in it")
	}
	var identities []age.Identity
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		parsed, err := age.ParseIdentities(bytes.NewReader(line))
		if err != nil {
			return nil, bad("has in line ", strconv.Itoa(i+1), " no private key of age, AGE-SECRET-KEY-1... or AGE-SECRET-KEY-PQ-1... as age-keygen writes it")
		}
		identities = append(identities, parsed...)
	}
	if len(identities) == 0 {
		return nil, bad("has no private key of age: it is a file as age-keygen writes it")
	}
	return identities, nil
}

// errNoIdentity is what reading comes to without private keys.
func errNoIdentity() error {
	return berth.NewError(berth.KindDenied, `reading needs the private key: the operator lends it as the secret "`, secret, `" under secrets, with readable: true; without it this driver only writes`)
}

// opening classifies why age did not open an age file that is as it was written.
func opening(err error) error {
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return berth.NewError(berth.KindPermission, `no private key in the secret "`, secret, `" opens this file: it was sealed for other recipients`)
	}
	return errDamaged(err.Error())
}

func errDamaged(text ...string) error {
	return berth.NewError(berth.KindCorrupt, append([]string{"the file is damaged, or was tampered with: "}, text...)...)
}
