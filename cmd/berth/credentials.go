package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/registry/config"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/awschain"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/azure"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/oauth2"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/oss"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/swift"
)

// defaultCredential is the name of a credential that has none.
const defaultCredential = "storage"

// scheme is a way to sign requests.
type scheme struct {
	// config returns a pointer to the struct that it is configured by.
	config func() any
	// open makes a signer of what config returned. doer reaches the servers that it has its tokens from.
	open func(ctx context.Context, config any, doer sign.Doer) (sign.Signer, error)
	// outside says that open looks at more than its configuration.
	outside bool
	// server returns the URL of the one server that the signer asks, of what config returned; nil where it asks none,
	// or those that its surroundings name.
	server func(config any) string
}

// schemeOf is the scheme of one package below runtime/egress/sign.
func schemeOf[C any](open func(context.Context, C, sign.Doer) (sign.Signer, error)) scheme {
	return scheme{
		config: func() any { return new(C) },
		open: func(ctx context.Context, config any, doer sign.Doer) (sign.Signer, error) {
			return open(ctx, *config.(*C), doer)
		},
	}
}

// asking is s, whose signers ask the server at the URL that server returns.
func asking[C any](s scheme, server func(*C) string) scheme {
	s.server = func(config any) string { return server(config.(*C)) }
	return s
}

// fromOutside is s, whose signers look at their surroundings.
func fromOutside(s scheme) scheme {
	s.outside = true
	return s
}

// What the schemes that need nothing are configured by.
type (
	bearerConfig struct {
		Token factory.Secret `parameter:"token,secret"`
	}
	basicConfig struct {
		Username string         `parameter:"username"`
		Password factory.Secret `parameter:"password,secret"`
	}
	headerConfig struct {
		Name  string         `parameter:"name"`
		Value factory.Secret `parameter:"value,secret"`
	}
)

// schemes are all there are.
func schemes() map[string]scheme {
	return map[string]scheme{
		"sigv4":    schemeOf(sigv4.New),
		"awschain": fromOutside(schemeOf(awschain.New)),
		"azure":    schemeOf(azure.New),
		"oss":      schemeOf(oss.New),
		"swift":    asking(schemeOf(swift.New), func(c *swift.Config) string { return c.AuthURL }),
		"oauth2":   asking(schemeOf(oauth2.New), func(c *oauth2.Config) string { return c.TokenURL }),
		"bearer": schemeOf(func(_ context.Context, c bearerConfig, _ sign.Doer) (sign.Signer, error) {
			return sign.NewBearer(c.Token)
		}),
		"basic": schemeOf(func(_ context.Context, c basicConfig, _ sign.Doer) (sign.Signer, error) {
			return sign.NewBasic(c.Username, c.Password)
		}),
		"header": schemeOf(func(_ context.Context, c headerConfig, _ sign.Doer) (sign.Signer, error) {
			return sign.NewHeader(c.Name, c.Value)
		}),
	}
}

// schemeNames lists the schemes in ascending order.
func schemeNames() []string { return slices.Sorted(maps.Keys(schemes())) }

// credential is a section "credential" that was read.
type credential struct {
	name, scheme string
	config       any // what the scheme is configured by
}

// credential reads the section at path.
func (m *mistakes) credential(path string, section map[string]any) *credential {
	known := schemes()
	out := credential{name: defaultCredential}
	var named []string
	for _, key := range sortedKeys(section) {
		_, there := known[key]
		switch {
		case there:
			named = append(named, key)
		case key != "name":
			m.at(path+"."+key, "is unknown: there are name and the schemes %s", strings.Join(schemeNames(), ", "))
			return nil
		case section[key] != nil:
			out.name = fmt.Sprint(section[key])
		}
	}
	m.name(path+".name", out.name)
	if len(named) != 1 {
		m.at(path, "must have exactly one of the schemes %s", strings.Join(schemeNames(), ", "))
		return nil
	}
	out.scheme = named[0]
	path += "." + out.scheme
	parameters, ok := m.section(path, section[out.scheme])
	out.config = known[out.scheme].config()
	if !ok || !m.decode(path, parameters, out.config) {
		return nil
	}
	return &out
}

// credentialSection is what a configuration may say of a credential.
func credentialSection() *config.Node {
	n := config.OfParameters(struct {
		Name string `parameter:"name"`
	}{defaultCredential})
	for name, s := range schemes() {
		own := s.config()
		section := unlessSet(config.OfParameters(own))
		secretByTag(section, reflect.TypeOf(own).Elem())
		n.Add(name, section)
	}
	slices.Sort(n.Order[1:])
	n.Def = "credential"
	return unlessSet(n)
}

// secretByTag has those parameters be secret that are tagged so, whatever their names: the URL of a server of tokens is none.
func secretByTag(n *config.Node, t reflect.Type) {
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("parameter"), ",")
		if key := n.Keys[name]; key != nil {
			key.Secret = options == "secret" || t.Field(i).Type == reflect.TypeFor[factory.Secret]()
		}
	}
}

// check notes what is wrong with what a scheme is configured by, as far as that can be told without asking anybody.
func (m *mistakes) check(ctx context.Context, path string, c *credential) {
	s := schemes()[c.scheme]
	if s.outside {
		return
	}
	if _, err := s.open(ctx, c.config, noDoer{}); err != nil {
		m.at(path+"."+c.scheme, "has what cannot be used: %s", plainText(err))
	}
}

// noDoer is for signers that are not going to sign.
type noDoer struct{}

// Do implements sign.Doer.
func (noDoer) Do(*http.Request) (*http.Response, error) {
	return nil, storagedriver.NewError(storagedriver.KindDenied, "nobody is asked while a configuration is judged")
}

// signed returns the rules with their signers. The caller closes the doers, once nothing is signed any more.
func signed(ctx context.Context, s *sandbox) (_ []egress.Rule, doers []*asker, err error) {
	var out []egress.Rule
	for i, one := range s.rules {
		rule := one.Rule
		if c := one.credential; c != nil {
			doer := newAsker(s.limits, rule, c)
			doers = append(doers, doer)
			signer, err := schemes()[c.scheme].open(ctx, c.config, doer)
			if err != nil {
				closeAskers(doers)
				return nil, nil, fmt.Errorf("allow[%d].credential.%s: %w", i, c.scheme, err)
			}
			rule.Credential = egress.Credential{Name: c.name, Signer: signer}
		}
		out = append(out, rule)
	}
	return out, doers, nil
}
