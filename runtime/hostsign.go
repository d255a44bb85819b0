package runtime

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// key is what requests may be keyed with: a secret of the operator's, or what hmac made of one. Guests cannot read it.
type key struct {
	secret  []byte
	origins []egress.Origin // of requests that may carry it
}

// keysOf returns the secrets that have origins. A bad origin, and a name that no guest could give, are
// KindInvalidArgument.
func keysOf(secrets map[string]Secret) (map[string]*key, error) {
	keys := make(map[string]*key, len(secrets))
	for name, s := range secrets {
		if len(s.Origins) == 0 {
			continue
		}
		if s.Value == "" {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the secret %q is empty", name)
		}
		k := &key{secret: []byte(s.Value)}
		for _, text := range s.Origins {
			o, err := egress.ParseOrigin(text)
			if err != nil {
				return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the secret %q: %w", name, err)
			}
			k.origins = append(k.origins, o)
		}
		keys[name] = k
	}
	return keys, nil
}

// signing runs the operations of credentials.
func (in *instance) signing(op abi.HostOp, request []byte) (abi.Message, error) {
	if op == abi.HostPresign {
		return in.presign(request)
	}
	return in.hmac(request)
}

// presign answers a URL of an allowed origin, and of the one that was asked for.
func (in *instance) presign(request []byte) (abi.Message, error) {
	var m abi.PresignRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	if m.Seconds < 1 || m.Seconds > abi.MaxPresign {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "presign: %d seconds, not 1 to %d", m.Seconds, abi.MaxPresign)
	}
	r := egress.Request{Method: m.Method, URL: m.URL, Headers: m.Headers, Credential: m.Credential}
	text, err := in.d.client.Presign(in.ctx, &r, time.Duration(m.Seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	return &abi.RedirectReply{URL: text}, nil
}

// hashes are those of hmac.
var hashes = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}

// hmac makes a key of a key.
func (in *instance) hmac(request []byte) (abi.Message, error) {
	var m abi.HMACRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	newHash, ok := hashes[m.Alg]
	if !ok {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "hmac: the algorithm %q is none of sha1, sha256, sha384, sha512", guest.Clip(m.Alg, abi.MaxName))
	}
	from, err := in.keyFor(&m)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(newHash, from.secret)
	_, _ = mac.Write(m.Data) // a hash takes all
	h, err := in.table.add(slot{kind: kindKey, key: &key{secret: mac.Sum(nil), origins: from.origins}})
	if err != nil {
		return nil, err
	}
	return &abi.HMACReply{Key: h}, nil
}

// keyFor returns what an hmac is to be keyed with.
func (in *instance) keyFor(m *abi.HMACRequest) (*key, error) {
	switch {
	case (m.Key == 0) == (m.Secret == ""):
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "hmac: it takes a key or the name of a secret, one of them")
	case m.Key != 0:
		s, err := in.table.want(m.Key, kindKey)
		if err != nil {
			return nil, err
		}
		return s.key, nil
	}
	if k := in.d.m.keys[m.Secret]; k != nil {
		return k, nil
	}
	return nil, storagedriver.Errorf(storagedriver.KindDenied,
		"hmac: the secret %q is not one to key requests with: give it, with the origins it is for, under \"secrets\" in the driver's configuration", guest.Clip(m.Secret, abi.MaxName))
}

// encodings are how a key is written in a request.
var encodings = map[string]func([]byte) string{"hex": hex.EncodeToString, "base64": base64.StdEncoding.EncodeToString, "base64url": base64.URLEncoding.EncodeToString}

// keyed makes the values of a request to raw that hold keys.
func (in *instance) keyed(raw string, list []abi.Keyed) ([]egress.Keyed, error) {
	if len(list) == 0 {
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "the URL is not an absolute one")
	}
	origin, err := egress.OriginOf(u)
	if err != nil {
		return nil, err
	}
	out := make([]egress.Keyed, len(list))
	for i := range list {
		k := &list[i]
		s, err := in.table.want(k.Key, kindKey)
		if err != nil {
			return nil, err
		}
		encode, known := encodings[k.Encoding]
		switch {
		case !known:
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "keyed: the encoding %q is none of hex, base64, base64url", guest.Clip(k.Encoding, abi.MaxName))
		case strings.Count(k.Text, abi.KeyMark) != 1:
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "keyed: the text of %q does not have %s once", guest.Clip(k.Name, abi.MaxName), abi.KeyMark)
		case !slices.Contains(s.key.origins, origin):
			return nil, storagedriver.Errorf(storagedriver.KindDenied,
				"keyed: the secret behind the key is not for the origin %s: name it among the secret's origins, under \"secrets\" in the driver's configuration", origin)
		}
		text := encode(s.key.secret)
		out[i] = egress.Keyed{Name: k.Name, Value: strings.Replace(k.Text, abi.KeyMark, text, 1), Secret: s.key.secret, Encoded: text}
	}
	return out, nil
}
