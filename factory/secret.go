package factory

import (
	"errors"
	"fmt"
	"io"
)

// Secret is a parameter's value that is never shown: every verb of fmt, also inside of other values, and every encoder of text prints
// "(secret)" instead, or "(none)" and "" for the zero value, which is no secret. JSON, YAML and log/slog are such encoders. [Secret.Reveal] alone returns the text.
//
// Decode sets a field of this type; its tag is `parameter:"name,secret"`, by which Schema knows that it is writeOnly. A Secret does not change and
// may be used concurrently. == tells whether two are copies of one, and never whether their texts are equal: compare what Reveal returns.
type Secret struct {
	text *string // fmt and reflection print the address where they may not call methods
}

// NewSecret hides text. Without text it returns the zero value.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text, "" for the zero value. Whoever calls it keeps the text out of errors, logs and what is printed.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// hidden is what a secret is shown as.
const hidden = "(secret)"

// Format implements fmt.Formatter.
func (s Secret) Format(f fmt.State, _ rune) {
	if s.text == nil {
		_, _ = io.WriteString(f, "(none)") // fmt's own buffer
		return
	}
	_, _ = io.WriteString(f, hidden)
}

// MarshalText implements encoding.TextMarshaler, for encoders: it does not reveal the text.
func (s Secret) MarshalText() ([]byte, error) {
	if s.text == nil {
		return nil, nil
	}
	return []byte(hidden), nil
}

// UnmarshalText implements encoding.TextUnmarshaler, for parameters. The error is one for what a Secret was printed as.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == hidden {
		return errors.New("must be the secret itself, not what it was printed as")
	}
	*s = NewSecret(string(text))
	return nil
}
