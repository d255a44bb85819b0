package native

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// sign puts r's keyed values into req and has its credential sign it.
func (h *Host) sign(req *http.Request, r *berth.Request) error {
	if err := putAllKeyed(req, r); err != nil {
		return err
	}
	return h.prove(req, r)
}

func putAllKeyed(req *http.Request, r *berth.Request) error {
	if len(r.Keyed) > berth.MaxKeyed {
		return berth.NewError(berth.KindLimit, strconv.Itoa(len(r.Keyed)), " keyed values, more than ", strconv.Itoa(berth.MaxKeyed))
	}
	for i := range r.Keyed {
		if err := putKeyed(req, &r.Keyed[i]); err != nil {
			return err
		}
	}
	return nil
}

// prove has r's credential sign req.
func (h *Host) prove(req *http.Request, r *berth.Request) error {
	if r.Credential == "" {
		return nil
	}
	if h.config.Credential == nil {
		return denied("credential", r.Credential)
	}
	return h.config.Credential(h.ctx, req, r.Credential, r.SHA256)
}

func denied(what, name string) error {
	return berth.NewError(berth.KindDenied, "the ", what, " ", strconv.Quote(name), " is not there for this driver")
}

// key is what HMAC made.
type key []byte

func (key) Close() error { return nil }

func bytesOf(k *berth.Key) ([]byte, error) {
	if k != nil {
		if own, ok := k.Host().(key); ok {
			return own, nil
		}
	}
	return nil, berth.NewError(berth.KindInvalidArgument, "a key of another host, or none")
}

func putKeyed(req *http.Request, k *berth.Keyed) error {
	sum, err := bytesOf(k.Key)
	if err != nil {
		return err
	}
	var text string
	switch k.Encoding {
	case berth.Hex:
		text = hex.EncodeToString(sum)
	case berth.Base64:
		text = base64.StdEncoding.EncodeToString(sum)
	case berth.Base64URL:
		text = base64.URLEncoding.EncodeToString(sum)
	default:
		return berth.NewError(berth.KindInvalidArgument, "the encoding of a key is hex, base64 or base64url, not ", strconv.Quote(k.Encoding))
	}
	if strings.Count(k.Text, berth.KeyMark) != 1 {
		return berth.NewError(berth.KindInvalidArgument, "the text of the keyed value ", strconv.Quote(k.Name), " must have ", berth.KeyMark, " once")
	}
	text = strings.Replace(k.Text, berth.KeyMark, text, 1)
	parameter, isParameter := strings.CutPrefix(k.Name, "?")
	if !isParameter {
		req.Header.Set(k.Name, text)
		return nil
	}
	if req.URL.RawQuery != "" {
		req.URL.RawQuery += "&"
	}
	req.URL.RawQuery += url.QueryEscape(parameter) + "=" + url.QueryEscape(text)
	return nil
}

// Presign implements berth.Host.
func (h *Host) Presign(r *berth.Request, seconds int64) (string, error) {
	if seconds < 1 || seconds > berth.MaxPresign {
		return "", berth.NewError(berth.KindInvalidArgument, "a presigned URL is good for 1 to ", strconv.Itoa(berth.MaxPresign), " seconds, not ", strconv.FormatInt(seconds, 10))
	}
	req, err := h.request(r)
	if err != nil {
		return "", err
	}
	if h.config.Presign == nil {
		return "", denied("credential", r.Credential)
	}
	return h.config.Presign(h.ctx, req, r.Credential, time.Duration(seconds)*time.Second)
}

// HMAC implements berth.Host.
func (h *Host) HMAC(secret string, k *berth.Key, alg string, data []byte) (*berth.Key, error) {
	var with []byte
	var err error
	if k != nil {
		with, err = bytesOf(k)
	} else {
		with, err = h.Secret(secret)
	}
	if err != nil {
		return nil, err
	}
	algs := map[string]func() hash.Hash{berth.SHA1: sha1.New, berth.SHA256: sha256.New, berth.SHA384: sha512.New384, berth.SHA512: sha512.New}
	if algs[alg] == nil {
		return nil, berth.NewError(berth.KindInvalidArgument, "hmac knows sha1, sha256, sha384 and sha512, not ", strconv.Quote(alg))
	}
	mac := hmac.New(algs[alg], with)
	mac.Write(data)
	return berth.NewKey(key(mac.Sum(nil))), nil
}

// Secret implements berth.Host.
func (h *Host) Secret(name string) ([]byte, error) {
	value, there := h.config.Secrets[name]
	if !there {
		return nil, denied("secret", name)
	}
	return []byte(value), nil
}
