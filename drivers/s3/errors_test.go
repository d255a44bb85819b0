package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

// TestErrorsOfTheService has a service answer a PutObject with each.
func TestErrorsOfTheService(t *testing.T) {
	surroundings(t)
	for _, c := range []struct {
		status    int
		code      string
		kind      storagedriver.Kind
		temporary bool
		says      string
	}{
		{404, "NoSuchKey", storagedriver.KindNotFound, false, "not found: the service answers 404 NoSuchKey: a message of NoSuchKey (request REQ1)"},
		{404, "NoSuchUpload", storagedriver.KindConflict, false, "the upload has been ended: the service answers 404 NoSuchUpload"},
		{412, "PreconditionFailed", storagedriver.KindConflict, false, ""},
		{409, "ConditionalRequestConflict", storagedriver.KindConflict, false, ""},
		{409, "OperationAborted", storagedriver.KindUnavailable, true, ""},
		{400, "InvalidPart", storagedriver.KindConflict, false, "a part of the upload is not there any more"},
		{416, "InvalidRange", storagedriver.KindInvalidOffset, false, ""},
		{400, "EntityTooLarge", storagedriver.KindLimit, false, ""},
		{400, "KeyTooLongError", storagedriver.KindInvalidPath, false, "the key is too long"},
		{503, "SlowDown", storagedriver.KindUnavailable, true, ""},
		{503, "XMinioServerNotInitialized", storagedriver.KindUnavailable, true, ""},
		{500, "InternalError", storagedriver.KindUnavailable, true, ""},
		{502, "", storagedriver.KindUnavailable, true, "the service answers 502"},
		{429, "TooManyRequests", storagedriver.KindUnavailable, true, ""},
		{400, "RequestTimeout", storagedriver.KindUnavailable, true, ""},
		{400, "BadDigest", storagedriver.KindUnavailable, true, "the body was damaged on its way"},
		{403, "AccessDenied", storagedriver.KindPermission, false, "the credentials may not do this: grant s3:PutObject: the service answers 403 AccessDenied"},
		{403, "", storagedriver.KindPermission, false, "grant s3:PutObject: the service answers 403"},
		{403, "QuotaExceeded", storagedriver.KindNoSpace, false, ""},
		{507, "XMinioStorageFull", storagedriver.KindNoSpace, false, ""},
		{400, "XMinioAdminBucketQuotaExceeded", storagedriver.KindNoSpace, false, ""},
		{409, "ObjectParentIsFile", storagedriver.KindInvalidPath, false, "an object is above the path"},
		{409, "ExistingObjectIsDirectory", storagedriver.KindInvalidPath, false, "objects are below the path"},
		{400, "XMinioParentIsObject", storagedriver.KindInvalidPath, false, "an object is above the path"},
		{400, "XMinioObjectExistsAsDirectory", storagedriver.KindInvalidPath, false, "objects are below the path"},
		{501, "NotImplemented", storagedriver.KindUnsupported, false, ""},
		{405, "MethodNotAllowed", storagedriver.KindUnsupported, false, ""},
		{400, "InvalidStorageClass", storagedriver.KindInvalidArgument, false, `parameter "storageclass": the service does not have it; NONE sends none`},
		{400, "AccessControlListNotSupported", storagedriver.KindInvalidArgument, false, `parameter "objectacl"`},
		{400, "KMS.NotFoundException", storagedriver.KindInvalidArgument, false, `parameter "keyid": KMS refuses the key`},
		{400, "InvalidArgument", storagedriver.KindInvalidArgument, false, "the service answers 400 InvalidArgument: a message of InvalidArgument (request REQ1)"},
		{409, "SomethingNew", storagedriver.KindConflict, false, ""},
	} {
		s := serve(t, false, refusal(c.status, c.code, ""))
		d := unprobed(t, s.parameters(map[string]any{"maxattempts": 1}))
		_, err := d.client.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: ptr("registry"), Key: ptr("k"), Body: strings.NewReader("b")})
		err = classify("s3:PutObject", err)
		says(t, err, c.kind, c.says, fmt.Sprintf("the service answers %d %s", c.status, c.code)[:len("the service answers 400")])
		if storagedriver.IsTemporary(err) != c.temporary {
			t.Errorf("%d %s: temporary is %v", c.status, c.code, !c.temporary)
		}
		for _, noise := range []string{"operation error", "HostID", "RequestID:", "exceeded maximum number of attempts", s.URL} {
			if strings.Contains(err.Error(), noise) {
				t.Errorf("%q is in %v", noise, err)
			}
		}
	}
}

// TestErrorsOfHEAD: an answer to HEAD has no body to say more than its status.
func TestErrorsOfHEAD(t *testing.T) {
	surroundings(t)
	for _, c := range []struct {
		status int
		header string
		kind   storagedriver.Kind
		says   string
	}{
		{404, "", storagedriver.KindNotFound, "the service answers 404 NotFound (request REQ1)"},
		{403, "", storagedriver.KindPermission, "grant s3:GetObject on the bucket's objects, and s3:ListBucket on the bucket, without which an object that is not there is answered so too"},
		{301, "ap-south-1", storagedriver.KindInvalidArgument, `parameter "region" is "eu-west-1", but must be "ap-south-1"`},
		{400, "ap-south-1", storagedriver.KindInvalidArgument, `parameter "region" is "eu-west-1", but must be "ap-south-1"`},
		{400, "", storagedriver.KindInvalidArgument, "the service answers 400"},
		{503, "", storagedriver.KindUnavailable, "the service answers 503"},
	} {
		s := serve(t, false, refusal(c.status, "", "", "X-Amz-Bucket-Region", c.header))
		d := unprobed(t, s.parameters(map[string]any{"maxattempts": 1}))
		_, err := d.client.api.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: ptr("registry"), Key: ptr("k")})
		says(t, classify("s3:GetObject", err), c.kind, c.says)
	}
}

// TestErrorsOfOneOfMany: in the answer to a DeleteObjects.
func TestErrorsOfOneOfMany(t *testing.T) {
	says(t, classifyCode("s3:DeleteObject", "AccessDenied", "Access Denied"), storagedriver.KindPermission, "grant s3:DeleteObject: the service answers AccessDenied: Access Denied")
	err := classifyCode("s3:DeleteObject", "SlowDown", "Please reduce your request rate.")
	says(t, err, storagedriver.KindUnavailable, "the service answers SlowDown: Please reduce your request rate")
	if !storagedriver.IsTemporary(err) {
		t.Error("not temporary")
	}
	says(t, classifyCode("s3:DeleteObject", "Odd", ""), storagedriver.KindUnknown, "the service answers Odd")
}

func TestErrorsThatAreNoAnswers(t *testing.T) {
	if err := classify("s3:PutObject", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	ours := storagedriver.NewError(storagedriver.KindCorrupt, "ours")
	for err, want := range map[error]error{
		ours:                                    ours,
		fmt.Errorf("deep: %w", ours):            ours,
		fmt.Errorf("sdk: %w", context.Canceled): context.Canceled,
		fmt.Errorf("x: %w", context.DeadlineExceeded): context.DeadlineExceeded,
	} {
		if got := classify("s3:PutObject", err); got != want {
			t.Errorf("%v became %v, want %v", err, got, want)
		}
	}
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	for _, err := range []error{reset, io.ErrUnexpectedEOF} {
		got := classify("s3:GetObject", err)
		says(t, got, storagedriver.KindUnavailable, "cannot be reached: ")
		if !storagedriver.IsTemporary(got) {
			t.Errorf("%v is not temporary", got)
		}
	}
}

// TestAnswersThatBreakOff: the connection ends after the header of a 200, before the SDK could see whether its body is an <Error>.
func TestAnswersThatBreakOff(t *testing.T) {
	surroundings(t)
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "3")
			return
		}
		w.Header().Set("Content-Length", "100")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	err := unprobed(t, s.parameters(map[string]any{"maxattempts": 1})).Copy(t.Context(), "/a", "/b")
	says(t, err, storagedriver.KindUnavailable, "cannot be reached: ", "unexpected EOF")
	if !storagedriver.IsTemporary(err) {
		t.Errorf("not temporary: %v", err)
	}
}

// TestErrorsRepeatNoSecrets: what a service says may repeat what it was sent.
func TestErrorsRepeatNoSecrets(t *testing.T) {
	surroundings(t)
	s := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		fmt.Fprintf(w, "<Error><Code>Odd</Code><Message>bad URL /b/k?X-Amz-Signature=zebra&amp;X-Amz-Credential=zebra and\nAuthorization: zebra\n%s</Message></Error>", strings.Repeat("é", 400))
	})
	_, err := Open(t.Context(), s.parameters(nil))
	says(t, err, storagedriver.KindInvalidArgument, "the service answers 400 Odd: bad URL /b/k?X-Amz-Signature=(secret)&X-Amz-Credential=(secret) and Authorization: (secret)", "...")
	if len(err.Error()) > 500 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

// TestDeadlineOfAConnectionIsNoContexts: a dial that took too long is a service that is away.
func TestDeadlineOfAConnectionIsNoContexts(t *testing.T) {
	surroundings(t)
	c := Default()
	c.AccessKey, c.SecretKey, c.RegionEndpoint, c.ForcePathStyle = testAccess, factory.NewSecret(testSecret), "http://s3.example.com", true
	c.Bucket, c.MaxAttempts = "registry", 1
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	client, err := dialing(t.Context(), &c, func(ctx context.Context, network, _ string) (net.Conn, error) {
		ctx, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Second))
		defer cancel()
		return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:1")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	err = client.probe(t.Context(), c.Bucket, "", "")
	says(t, err, storagedriver.KindUnavailable, "the service at s3.example.com cannot be reached: ")
}
