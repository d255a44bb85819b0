package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

func TestProbeAsksForOneKeyBelowTheRoot(t *testing.T) {
	surroundings(t)
	s := serve(t, false, emptyBucket)
	opened(t, s.parameters(map[string]any{"rootdirectory": "/a/b", "useragent": "harbor/3 (east)"}))
	r := s.last(t)
	if q := r.URL.Query(); r.URL.Path != "/registry" || q.Get("prefix") != "a/b/" || q.Get("max-keys") != "1" || q.Get("list-type") != "2" {
		t.Errorf("asked for %s", r.URL)
	}
	if agent := r.UserAgent(); !strings.HasPrefix(agent, "aws-sdk-go-v2/") || !strings.HasSuffix(agent, " harbor/3 (east)") {
		t.Errorf("User-Agent: %s", agent)
	}
	if signed := r.Header.Get("Authorization"); r.Header.Get("Accept-Encoding") != "identity" || strings.Contains(signed, "accept-encoding") || !strings.Contains(signed, "x-amz-date") {
		t.Errorf("Accept-Encoding: %s is signed by %s", r.Header.Get("Accept-Encoding"), signed)
	}
	if n := len(s.seen()); n != 1 {
		t.Errorf("%d requests", n)
	}
	unprobed(t, s.parameters(nil))
	if n := len(s.seen()); n != 1 {
		t.Errorf("probe=false sent %d requests", n-1)
	}
}

func TestProbeSaysWhatToDo(t *testing.T) {
	surroundings(t)
	const permission, argument = storagedriver.KindPermission, storagedriver.KindInvalidArgument
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		kind   storagedriver.Kind
		says   []string
	}{
		{"denied", refusal(403, "AccessDenied", ""), permission, []string{"grant s3:ListBucket: the service answers 403 AccessDenied: a message of AccessDenied (request REQ1)"}},
		{"expired", refusal(400, "ExpiredToken", ""), permission, []string{`the credentials have expired: renew parameters "accesskey" and "secretkey"`}},
		{"key", refusal(403, "InvalidAccessKeyId", ""), permission, []string{`does not know the access key: look at parameter "accesskey"`}},
		{"secret", refusal(403, "SignatureDoesNotMatch", ""), permission, []string{`the secret key is wrong: look at parameter "secretkey":`}},
		{"bucket", refusal(404, "NoSuchBucket", ""), argument, []string{`parameter "bucket": there is no bucket "registry" at 127.0.0.1:`}},
		{"region in a header", refusal(301, "PermanentRedirect", "", "X-Amz-Bucket-Region", "ap-south-1"), argument, []string{`parameter "region" is "eu-west-1", but must be "ap-south-1", where the bucket is: `}},
		{"region in the body", refusal(400, "AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>"), argument, []string{`but must be "ap-south-1"`}},
		{"region unknown", refusal(301, "PermanentRedirect", "<Endpoint>s3.elsewhere.example</Endpoint>"), argument, []string{`parameter "region" is "eu-west-1", and the bucket is in another: its endpoint is s3.elsewhere.example`}},
		{"signature", refusal(400, "AuthorizationHeaderMalformed", ""), permission, []string{`look at parameter "accesskey" and at "region" and "v4auth"`}},
		{"clock behind", refusal(403, "RequestTimeTooSkewed", "", "Date", clock(2*time.Hour)), permission, []string{"this machine's clock is ", " behind the service's: set it: the service answers 403 RequestTimeTooSkewed"}},
		{"clock ahead", refusal(403, "RequestTimeTooSkewed", "", "Date", clock(-2*time.Hour)), permission, []string{" ahead of the service's: set it"}},
		{"clock of a service without the code", refusal(403, "SignatureDoesNotMatch", "", "Date", clock(2*time.Hour)), permission, []string{`look at parameter "secretkey"; this machine's clock is `}},
		{"html", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html><p>Welcome<br></html>") }, storagedriver.KindUnavailable, []string{"does not answer as S3 does: look at parameter \"regionendpoint\""}},
		{"not found by something else", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, storagedriver.KindNotFound, []string{"the service answers 404"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, false, c.answer)
			_, err := Open(t.Context(), s.parameters(map[string]any{"maxattempts": 1}))
			says(t, err, c.kind, c.says...)
			if storagedriver.IsTemporary(err) {
				t.Errorf("temporary: %v", err)
			}
		})
	}
}

// TestProbeOfAWrongClock is against a service that checks the time of a signature as S3 does: the SDK signs anew by the service's clock.
func TestProbeOfAWrongClock(t *testing.T) {
	surroundings(t)
	const ahead = time.Hour
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		w.Header().Set("Date", clock(ahead))
		if err != nil || time.Now().Add(ahead).Sub(at).Abs() > maxSkew {
			refusal(403, "RequestTimeTooSkewed", "")(w, r)
			return
		}
		emptyBucket(w, r)
	})
	opened(t, s.parameters(nil))
	if n := len(s.seen()); n != 2 {
		t.Errorf("%d requests, want the second to be signed by the service's clock", n)
	}
	_, err := Open(t.Context(), s.parameters(map[string]any{"maxattempts": 1}))
	says(t, err, storagedriver.KindPermission, "this machine's clock is ", " behind the service's")
}

func TestProbeOfAServiceThatIsBusy(t *testing.T) {
	surroundings(t)
	for _, code := range []int{429, 503} {
		s := serve(t, false, refusal(code, "SlowDown", "", "Retry-After", "120"))
		_, err := Open(t.Context(), s.parameters(nil))
		says(t, err, storagedriver.KindUnavailable, fmt.Sprintf("the service answers %d SlowDown", code))
		var e *storagedriver.Error
		if !errors.As(err, &e) || !e.Temporary || e.RetryAfter != 2*time.Minute {
			t.Errorf("%#v", e)
		}
		if n := len(s.seen()); n != 1 {
			t.Errorf("asked %d times a service that wants to be left alone for two minutes", n)
		}
	}
	var once sync.Once
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		busy := false
		once.Do(func() { busy = true })
		if busy {
			refusal(500, "InternalError", "")(w, r)
			return
		}
		emptyBucket(w, r)
	})
	opened(t, s.parameters(nil))
	if n := len(s.seen()); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestProbeOfWhatCannotBeReached(t *testing.T) {
	surroundings(t)
	config := Default()
	config.AccessKey, config.SecretKey, config.Region, config.Bucket, config.MaxAttempts = testAccess, factory.NewSecret(testSecret), "eu-west-1", "registry", 1
	probe := func(dialErr error) (string, error) {
		c := config
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
		var dialled string
		client, err := dialing(t.Context(), &c, func(_ context.Context, _, address string) (net.Conn, error) {
			dialled = address
			return nil, dialErr
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.close()
		return dialled, client.probe(t.Context(), c.Bucket, "", "")
	}
	missing := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "registry.s3.eu-west-1.amazonaws.com", IsNotFound: true}}
	_, err := probe(missing)
	says(t, err, storagedriver.KindUnavailable, `there is no host registry.s3.eu-west-1.amazonaws.com: look at parameters "region" and "regionendpoint": `)
	if !storagedriver.IsTemporary(err) {
		t.Error("not temporary: names come back")
	}
	config.RegionEndpoint, config.ForcePathStyle = "https://s3.example.com:8443", true
	_, err = probe(missing)
	says(t, err, storagedriver.KindUnavailable, `there is no host s3.example.com:8443: look at parameter "regionendpoint": `)
	_, err = probe(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("i/o timeout")})
	says(t, err, storagedriver.KindUnavailable, `the service at s3.example.com:8443 cannot be reached: look at parameter "regionendpoint", and whether the service runs: dial tcp: i/o timeout`)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	l.Close()
	_, err = Open(t.Context(), parametersOf("http://"+free, map[string]any{"maxattempts": 2}))
	says(t, err, storagedriver.KindUnavailable, "the service at "+free+" cannot be reached", "connection refused")
}

func TestProbeEndsWithItsContext(t *testing.T) {
	surroundings(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, false, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := Open(ctx, s.parameters(nil)); err != context.Canceled {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
