package s3

import (
	"errors"
	"slices"
	"strings"
)

// StorageClass is a storage class of S3, in capitals.
type StorageClass string

// NoStorageClass sends none.
const NoStorageClass StorageClass = "NONE"

// storageClasses are those whose objects can be read at once.
var storageClasses = []StorageClass{
	NoStorageClass, "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "OUTPOSTS", "GLACIER_IR", "EXPRESS_ONEZONE",
}

// Values returns the storage classes.
func (StorageClass) Values() []string { return texts(storageClasses) }

// UnmarshalText implements encoding.TextUnmarshaler. Case does not matter.
func (c *StorageClass) UnmarshalText(text []byte) error {
	return choose(c, strings.ToUpper(string(text)), storageClasses)
}

// ObjectACL is a canned ACL of S3.
type ObjectACL string

var objectACLs = []ObjectACL{
	"private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control",
}

// Values returns the canned ACLs.
func (ObjectACL) Values() []string { return texts(objectACLs) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *ObjectACL) UnmarshalText(text []byte) error { return choose(a, string(text), objectACLs) }

// Checksums says when bodies have checksums of their own.
type Checksums string

// The values of Checksums.
const (
	// ChecksumsWhenRequired: where a request is refused without, and Content-MD5 where that is enough.
	ChecksumsWhenRequired Checksums = "when_required"
	// ChecksumsWhenSupported: CRC32 in both directions, wherever AWS's S3 has it.
	ChecksumsWhenSupported Checksums = "when_supported"
)

var checksums = []Checksums{ChecksumsWhenRequired, ChecksumsWhenSupported}

// Values returns the values of Checksums.
func (Checksums) Values() []string { return texts(checksums) }

// UnmarshalText implements encoding.TextUnmarshaler. AWS's own variables have the values in any case.
func (c *Checksums) UnmarshalText(text []byte) error {
	return choose(c, strings.ToLower(string(text)), checksums)
}

// FilesUnderFiles says what becomes of the keys a and a/b.
type FilesUnderFiles string

// The values of FilesUnderFiles.
const (
	// FilesAllowed: both may be objects.
	FilesAllowed FilesUnderFiles = "true"
	// FilesRefused: the service refuses the second.
	FilesRefused FilesUnderFiles = "refused"
	// FilesChecked: the driver looks before it writes.
	FilesChecked FilesUnderFiles = "checked"
)

var filesUnderFiles = []FilesUnderFiles{FilesAllowed, FilesRefused, FilesChecked}

// Values returns the values of FilesUnderFiles.
func (FilesUnderFiles) Values() []string { return texts(filesUnderFiles) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *FilesUnderFiles) UnmarshalText(text []byte) error {
	return choose(f, string(text), filesUnderFiles)
}

// LogLevel says what of the requests is logged.
type LogLevel string

// The values of LogLevel are distribution's. All but LogOff log what LogDebug does.
const (
	LogOff LogLevel = "off"
	// LogDebug: the heads of requests and answers.
	LogDebug LogLevel = "debug"
	// LogSigning: what is signed.
	LogSigning LogLevel = "debugwithsigning"
	// LogBody: the bodies of requests and answers, whole.
	LogBody LogLevel = "debugwithhttpbody"
	// LogRetries: what is sent again, and why.
	LogRetries LogLevel = "debugwithrequestretries"
	// LogErrors: the same, for the SDK tells of errors where it decides on retries.
	LogErrors LogLevel = "debugwithrequesterrors"
	// LogEventStream: the messages of event streams, of which the driver has none.
	LogEventStream LogLevel = "debugwitheventstreambody"
)

var logLevels = []LogLevel{LogOff, LogDebug, LogSigning, LogBody, LogRetries, LogErrors, LogEventStream}

// Values returns the values of LogLevel.
func (LogLevel) Values() []string { return texts(logLevels) }

// UnmarshalText implements encoding.TextUnmarshaler. Case does not matter, and YAML reads an off without quotes as false.
func (l *LogLevel) UnmarshalText(text []byte) error {
	level := strings.ToLower(string(text))
	if level == "false" {
		level = string(LogOff)
	}
	return choose(l, level, logLevels)
}

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// choose sets to, if text is among the values.
func choose[T ~string](to *T, text string, values []T) error {
	if err := oneOf(T(text), values); err != nil {
		return err
	}
	*to = T(text)
	return nil
}

// oneOf says what is allowed if value is not.
func oneOf[T ~string](value T, values []T) error {
	if slices.Contains(values, value) {
		return nil
	}
	var quoted []string
	for _, v := range values {
		quoted = append(quoted, `"`+string(v)+`"`)
	}
	last := len(quoted) - 1
	return errors.New("must be " + strings.Join(quoted[:last], ", ") + " or " + quoted[last])
}
