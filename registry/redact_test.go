package registry

import (
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/sirupsen/logrus"
)

// TestRedactingMasksWholeSecrets has one secret that begins another, and a password that a URL may write in several ways.
func TestRedactingMasksWholeSecrets(t *testing.T) {
	const address = "https://me:tree%2fhou%20se@example.com/events"
	c := &Config{Notifications: configuration.Notifications{Endpoints: []configuration.Endpoint{{URL: address}}}}
	c.HTTP.Secret = "sesame"
	c.Proxy.Password = "sesame-street"
	f := redacting(&logrus.TextFormatter{DisableTimestamp: true}, secretsOf(c))
	text, err := f.Format(&logrus.Entry{Message: "sesame-street at " + address, Data: logrus.Fields{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"sesame", "street", "tree"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s is in %s", secret, text)
		}
	}
}
