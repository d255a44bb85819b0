package s3

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// class is what is known of a code whatever the request was: it counts for more than the status it comes with.
type class struct {
	kind      storagedriver.Kind
	temporary bool
	advice    string
}

// classes are the codes of S3 and of services that speak its protocol. Those that say no more than their status are left out.
var classes = map[string]class{
	"NoSuchKey":                  {kind: storagedriver.KindNotFound},
	"NoSuchUpload":               {kind: storagedriver.KindConflict, advice: "the upload has been ended"},
	"PreconditionFailed":         {kind: storagedriver.KindConflict},
	"ConditionalRequestConflict": {kind: storagedriver.KindConflict},
	"InvalidPart":                {kind: storagedriver.KindConflict, advice: "a part of the upload is not there any more"},
	"InvalidRange":               {kind: storagedriver.KindInvalidOffset},
	"EntityTooLarge":             {kind: storagedriver.KindLimit},
	"KeyTooLongError":            {kind: storagedriver.KindInvalidPath, advice: "the key is too long: a key has at most 1,024 bytes, of which rootdirectory is a part"},

	"SlowDown":           {kind: storagedriver.KindUnavailable, temporary: true},
	"ServiceUnavailable": {kind: storagedriver.KindUnavailable, temporary: true},
	"InternalError":      {kind: storagedriver.KindUnavailable, temporary: true},
	"RequestTimeout":     {kind: storagedriver.KindUnavailable, temporary: true},
	"OperationAborted":   {kind: storagedriver.KindUnavailable, temporary: true},
	"IncompleteBody":     {kind: storagedriver.KindUnavailable, temporary: true},
	"BadDigest":          {kind: storagedriver.KindUnavailable, temporary: true, advice: "the body was damaged on its way"},
	// versitygw answers so when the checksum that it computes of the body is not the one signed.
	"XAmzContentSHA256Mismatch": {kind: storagedriver.KindUnavailable, temporary: true, advice: "the body was damaged on its way"},

	"NotImplemented":   {kind: storagedriver.KindUnsupported},
	"MethodNotAllowed": {kind: storagedriver.KindUnsupported},

	"QuotaExceeded":                  {kind: storagedriver.KindNoSpace},
	"InsufficientStorage":            {kind: storagedriver.KindNoSpace},
	"XMinioStorageFull":              {kind: storagedriver.KindNoSpace},
	"XMinioAdminBucketQuotaExceeded": {kind: storagedriver.KindNoSpace},

	"ObjectParentIsFile":            {kind: storagedriver.KindInvalidPath, advice: underFile},
	"ExistingObjectIsDirectory":     {kind: storagedriver.KindInvalidPath, advice: overDirectory},
	"DirectoryObjectContainsData":   {kind: storagedriver.KindInvalidPath, advice: overDirectory},
	"XMinioParentIsObject":          {kind: storagedriver.KindInvalidPath, advice: underFile},
	"XMinioObjectExistsAsDirectory": {kind: storagedriver.KindInvalidPath, advice: overDirectory},
	"XMinioInvalidObjectName":       {kind: storagedriver.KindInvalidPath},

	"RequestExpired": {kind: storagedriver.KindPermission, advice: "the request took too long to arrive, or this machine's clock is wrong"},

	"NoSuchCORSConfiguration": {kind: storagedriver.KindUnknown}, // 404, and nothing that is asked for
}

const (
	underFile     = "an object is above the path, and this service has no objects below others"
	overDirectory = "objects are below the path, and this service has no object there then"
)

// readAction is the action of GET and HEAD, and writeAction that of all that stores.
const (
	readAction  = "s3:GetObject"
	writeAction = "s3:PutObject"
)

// advice classifies the answer further into out, and returns what to do, followed by ": ", or "".
func (f *failed) advice(action string, status int, code string, out *storagedriver.Error) string {
	if parameter, advice := f.encryption(action, status, code); advice != "" {
		out.Kind, out.Temporary = storagedriver.KindInvalidArgument, false
		return then(parameter + advice)
	}
	if known, ok := classes[code]; ok {
		out.Kind, out.Temporary = known.kind, known.temporary
		return then(known.advice)
	}
	if parameters, advice := f.misconfigured(status, code); advice != "" {
		out.Kind, out.Temporary = storagedriver.KindInvalidArgument, false
		return then(parameters + advice)
	}
	advice := f.refused(action, status, code)
	if advice != "" {
		out.Kind, out.Temporary = storagedriver.KindPermission, false
	}
	return then(advice)
}

func then(advice string) string {
	if advice == "" {
		return ""
	}
	return advice + ": "
}

// misconfigured returns what is wrong with which parameter.
func (f *failed) misconfigured(status int, code string) (parameter, advice string) {
	p, region := f.place, f.answer.region()
	switch {
	case code == "NoSuchBucket":
		return `parameter "bucket": `, fmt.Sprintf("there is no bucket %q at %s", p.Bucket, p.Host)
	case code == "InvalidBucketName":
		return `parameter "bucket": `, fmt.Sprintf("%q cannot be a bucket's name", p.Bucket)
	case code == "PermanentRedirect", code == "TemporaryRedirect", code == "IllegalLocationConstraintException", code == "InvalidRegion",
		status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect,
		status == http.StatusBadRequest && region != "" && region != p.Region:
		return `parameter "region" `, f.otherRegion(region)
	case status == http.StatusBadRequest && strings.Contains(f.answer.text, "HTTP request") && strings.Contains(f.answer.text, "HTTPS"):
		return `parameter "secure": `, "the service at " + p.Host + ` speaks TLS: set it to true, or begin "regionendpoint" with https://`
	case code == "InvalidStorageClass":
		return `parameter "storageclass": `, "the service does not have it; NONE sends none"
	case code == "AccessControlListNotSupported":
		return `parameter "objectacl": `, "the bucket takes none but private and bucket-owner-full-control"
	case code == "MissingContentMD5", code == "XAmzContentChecksumMismatch":
		return `parameter "checksums": `, "try the other value"
	}
	return "", ""
}

// encryption returns what is wrong with which parameter of encryption. Services give it the codes and the status of anything: a Move of minio's whose key
// there is not is a 404.
func (f *failed) encryption(action string, status int, code string) (parameter, advice string) {
	text := strings.ReplaceAll(strings.ToLower(f.answer.text), "-", " ")
	said := strings.Contains(text, "server side encryption") || strings.Contains(text, "encryption parameters")
	switch {
	case status < http.StatusInternalServerError && (strings.HasPrefix(code, "KMS.") || strings.HasPrefix(code, "kms:")):
		return `parameter "keyid": `, "KMS refuses the key"
	case code == "NotImplemented" && said:
		return `parameter "encrypt": `, "the service has no keys to encrypt with, which a KMS would give it"
	case code == "InvalidRequest" && said && f.place.Customer:
		return `parameter "ssecustomerkey": `, "the object was not stored with a key that the client keeps"
	case code == "InvalidRequest" && said:
		return `parameter "ssecustomerkey": `, "the object was stored with a key that the client keeps, and it must be given"
	case f.place.Customer && action == readAction && status == http.StatusBadRequest && f.answer.text == "" && (f.answer.region() == "" || f.answer.region() == f.place.Region): // of a HEAD
		return `parameter "ssecustomerkey": `, "the object was probably not stored with a key that the client keeps, or the credentials have expired"
	}
	return "", ""
}

func (f *failed) otherRegion(region string) string {
	if region != "" && region != f.place.Region {
		return fmt.Sprintf("is %q, but must be %q, where the bucket is", f.place.Region, region)
	}
	if f.answer.said.Endpoint != "" {
		return fmt.Sprintf("is %q, and the bucket is in another: its endpoint is %s", f.place.Region, oneLine(f.answer.said.Endpoint))
	}
	return fmt.Sprintf("is %q, and the bucket is in another", f.place.Region)
}

// refused returns why the credentials are not accepted, or what they lack.
func (f *failed) refused(action string, status int, code string) string {
	switch code {
	case "RequestTimeTooSkewed":
		return f.wrongClock()
	case "InvalidAccessKeyId":
		return "the service does not know the access key: look at " + f.keys("accesskey")
	case "SignatureDoesNotMatch":
		return "the secret key is wrong: look at " + f.keys("secretkey") + f.clockToo()
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		return "the credentials have expired: renew " + f.keys("sessiontoken")
	case "InvalidToken", "InvalidTokenId", "InvalidClientTokenId":
		return "the session token is not accepted: look at " + f.keys("sessiontoken")
	case "AuthorizationHeaderMalformed", "InvalidSecurity", "MissingSecurityHeader":
		return "the signature is not accepted: look at " + f.keys("accesskey") + ` and at "region" and "v4auth"`
	case "AccountProblem", "AllAccessDisabled", "NotSignedUp", "InvalidPayer":
		return "the account may not use the service"
	case "InvalidObjectState":
		return "the object is archived"
	}
	if status != http.StatusForbidden && status != http.StatusUnauthorized {
		return ""
	}
	if f.place.V2 {
		return "the credentials may not do this, or the service takes no signatures of version 2: grant " + action + `, or set parameter "v4auth" to true`
	}
	if action == readAction {
		advice := "the credentials may not do this: grant s3:GetObject on the bucket's objects, and s3:ListBucket on the bucket, without which an object that is not there is answered so too"
		if f.place.Customer {
			advice = `the object was stored with another key than that of parameter "ssecustomerkey", or ` + advice
		}
		return advice
	}
	if f.place.Customer && action == writeAction {
		return "the credentials may not do this, or the bucket blocks encryption with keys that clients keep: grant " + action + `, or let the bucket take parameter "ssecustomerkey" (PutBucketEncryption)`
	}
	return "the credentials may not do this: grant " + action
}

// keys names where credentials come from.
func (f *failed) keys(parameter string) string {
	switch {
	case f.place.Keys && (parameter != "sessiontoken" || f.place.Token):
		return `parameter "` + parameter + `"`
	case f.place.Keys:
		return `parameters "accesskey" and "secretkey"`
	}
	return "the credentials of AWS's default chain, or of the profile or the role in the parameters"
}

func (f *failed) wrongClock() string {
	skew, known := f.answer.skew()
	switch {
	case !known || skew == 0:
		return "this machine's clock differs from the service's: set it"
	case skew < 0:
		return fmt.Sprintf("this machine's clock is %v ahead of the service's: set it", -skew)
	}
	return fmt.Sprintf("this machine's clock is %v behind the service's: set it", skew)
}

// maxSkew is what S3 allows.
const maxSkew = 15 * time.Minute

// clockToo is for services that answer a wrong time like a wrong key.
func (f *failed) clockToo() string {
	if skew, known := f.answer.skew(); known && skew.Abs() > maxSkew {
		return "; " + f.wrongClock()
	}
	return ""
}
