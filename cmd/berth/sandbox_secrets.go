package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
)

// secretConfig is an entry of "secrets": a value, or where it is, and what the driver may do with it.
type secretConfig struct {
	// Value is the secret. Exactly one of Value, File and Env is set.
	Value *string `parameter:"value,secret"`
	// File is a file that holds it; a newline at its end does not count.
	File string `parameter:"file"`
	// Env is a variable of Berth's environment that holds it.
	Env variable `parameter:"env"`
	// Readable lets the driver read it.
	Readable bool `parameter:"readable"`
	// Origins are those to which the driver may send requests keyed with it.
	Origins []origin `parameter:"origins"`

	name string
}

// maxSecret is the most bytes of a file that holds a secret: keys and tokens have a few thousand, and a file that has more is
// another one.
const maxSecret = 64 << 10

func (m *mistakes) secrets(s *sandbox) {
	for _, name := range sortedKeys(s.Secrets) {
		path := "secrets." + name
		if !m.name(path, name) {
			continue
		}
		parameters, ok := m.section(path, s.Secrets[name])
		if !ok {
			continue
		}
		one := secretConfig{name: name}
		if !m.decode(path, parameters, &one) {
			continue
		}
		n := 0
		for _, set := range []bool{one.Value != nil, one.File != "", one.Env != ""} {
			if set {
				n++
			}
		}
		switch {
		case n != 1:
			m.at(path, "must have exactly one of value, file and env")
		case one.Value != nil && *one.Value == "":
			m.at(path+".value", "is empty")
		case !one.Readable && len(one.Origins) == 0:
			m.at(path, "is of no use: set readable: true, or origins to which requests may be keyed with it")
		}
		m.keyed(s, path, one.Origins)
		s.secrets = append(s.secrets, one)
	}
}

// keyed notes the origins of a secret to which no request can be keyed, as the driver may not send one there. Where an entry of
// "allow" could not be read that is not known.
func (m *mistakes) keyed(s *sandbox, path string, origins []origin) {
	if len(s.rules) < len(s.Allow) {
		return
	}
	for i, o := range origins {
		name := o.parsed().String()
		if !slices.ContainsFunc(s.rules, func(r allowed) bool { return r.Origin == name }) {
			m.at(fmt.Sprintf("%s.origins[%d]", path, i), "is of no use: %s is not under allow", name)
		}
	}
}

// from says where a secret is, which is none.
func (s secretConfig) from() string {
	switch {
	case s.File != "":
		return "the file " + s.File
	case s.Env != "":
		return "the variable " + string(s.Env)
	}
	return "the configuration"
}

// readSecrets reads the secrets. No error holds one.
func (c *composition) readSecrets(secrets []secretConfig) (map[string]runtime.Secret, error) {
	out := map[string]runtime.Secret{}
	for _, s := range secrets {
		value, err := c.readSecret(s)
		if err != nil {
			return nil, fmt.Errorf("secrets.%s: %w", s.name, err)
		}
		one := runtime.Secret{Value: value, Readable: s.Readable}
		for _, o := range s.Origins {
			one.Origins = append(one.Origins, o.parsed().String())
		}
		out[s.name] = one
	}
	return out, nil
}

func (c *composition) readSecret(s secretConfig) (string, error) {
	refuse := func(format string, args ...any) (string, error) {
		return "", storagedriver.Errorf(storagedriver.KindInvalidArgument, format, args...)
	}
	switch {
	case s.Env != "":
		value := c.getenv(string(s.Env))
		if value == "" {
			return refuse("the variable %s is not set", s.Env)
		}
		return value, nil
	case s.File != "":
		value, err := readSecretFile(s.File)
		if err == nil && value == "" {
			return refuse("the file %s is empty", s.File)
		}
		return value, err
	}
	return *s.Value, nil
}

// readSecretFile returns the content of a file but for the newline at its end, which editors and echo put there.
func readSecretFile(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecret {
		return "", storagedriver.Errorf(storagedriver.KindInvalidArgument, "the file %s has more than %d bytes: it is no secret", path, maxSecret)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}
