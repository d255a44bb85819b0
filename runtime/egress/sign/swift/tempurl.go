package swift

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

// digest makes the hash of TempURLs.
type digest func() hash.Hash

var digests = map[string]digest{"": sha256.New, "sha256": sha256.New, "sha512": sha512.New, "sha1": sha1.New}

// tempURL signs the method, the end and the path of an object. Swift tells the digest by the signature's length.
func (s *signer) tempURL(req *http.Request, valid time.Duration) (string, error) {
	key := s.cfg.TempURLKey.Reveal()
	if key == "" {
		return "", storagedriver.NewError(storagedriver.KindUnsupported, `there are presigned URLs only with the parameter "tempurlkey"`)
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete:
	default:
		return "", storagedriver.Errorf(storagedriver.KindUnsupported, "presigned URLs are for GET, HEAD, PUT, POST and DELETE, not for %s", req.Method)
	}
	if req.URL.Scheme != "https" && (req.Method == http.MethodPut || req.Method == http.MethodPost) {
		return "", storagedriver.Errorf(storagedriver.KindDenied, "no presigned URL for %s over http: its body would be unsigned", req.Method)
	}
	if parts := strings.SplitN(strings.TrimPrefix(req.URL.Path, "/"), "/", 4); len(parts) < 4 || parts[3] == "" {
		return "", storagedriver.NewError(storagedriver.KindUnsupported, "presigned URLs are for objects: the path must be /v1/account/container/object")
	}
	seconds, err := scheme.Seconds(valid)
	if err != nil {
		return "", err
	}
	if _, err := scheme.Query(req.URL); err != nil {
		return "", err
	}
	end := time.Now().Unix() + seconds
	mac := hmac.New(s.digest, []byte(key))
	fmt.Fprintf(mac, "%s\n%d\n%s", req.Method, end, req.URL.Path)
	u := *req.URL
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "temp_url_sig=" + hex.EncodeToString(mac.Sum(nil)) + "&temp_url_expires=" + strconv.FormatInt(end, 10)
	return u.String(), nil
}
