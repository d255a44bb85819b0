package registry

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver/registry/config"
	"github.com/sirupsen/logrus"
)

// leastSecret is the length from which a secret is looked for in the log: shorter ones are
// syllables of other words.
const leastSecret = 4

// secretsOf returns what distribution has in hand and would log: at its start it prints the headers
// that notifications are sent with, and where one fails the whole URL.
func secretsOf(c *Config) []string {
	all := []string{c.HTTP.Secret, c.Proxy.Password, c.Redis.Options.Password, c.Redis.Options.SentinelPassword}
	add := func(address string, header http.Header) {
		if u, err := url.Parse(address); err == nil {
			password, _ := u.User.Password()
			all = append(all, password, url.QueryEscape(password))
			// As it is written, and as a URL writes it.
			_, after, _ := strings.Cut(address, "://")
			_, written, _ := strings.Cut(after, ":")
			if i := strings.LastIndex(written, "@"); password != "" && i >= 0 {
				all = append(all, written[:i])
			}
			_, escaped, _ := strings.Cut(u.User.String(), ":")
			all = append(all, escaped)
		}
		for name, values := range header {
			if config.IsSecretHeader(name) {
				all = append(all, values...)
			}
		}
	}
	for _, e := range c.Notifications.Endpoints {
		add(e.URL, e.Headers)
	}
	for _, h := range c.Health.HTTPCheckers {
		add(h.URI, h.Headers)
	}
	add(c.Proxy.RemoteURL, nil)
	for _, h := range c.Log.Hooks {
		all = append(all, h.MailOptions.SMTP.Password)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < leastSecret })
	slices.SortFunc(all, func(a, b string) int { // of two that begin alike, the whole of the longer one is masked
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	return slices.Compact(all)
}

// redactingFormatter masks secrets in what is logged.
type redactingFormatter struct {
	logrus.Formatter
	mask *strings.Replacer
}

// redacting returns f, or one that masks the secrets where there are any.
func redacting(f logrus.Formatter, secrets []string) logrus.Formatter {
	if len(secrets) == 0 {
		return f
	}
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, config.Masked)
	}
	return redactingFormatter{f, strings.NewReplacer(pairs...)}
}

func (f redactingFormatter) Format(e *logrus.Entry) ([]byte, error) {
	entry := *e
	entry.Message = f.mask.Replace(e.Message)
	entry.Data = make(logrus.Fields, len(e.Data))
	for key, value := range e.Data {
		switch v := value.(type) {
		case string:
			value = f.mask.Replace(v)
		case error:
			if text := v.Error(); f.mask.Replace(text) != text {
				value = f.mask.Replace(text)
			}
		}
		entry.Data[key] = value
	}
	return f.Formatter.Format(&entry)
}
