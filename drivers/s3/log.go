package s3

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/logging"
	"github.com/berth-dev/storagedriver/factory"
)

// logMode is the SDK's word for a level.
func logMode(level LogLevel) aws.ClientLogMode {
	const heads = aws.LogRequest | aws.LogResponse
	switch level {
	case LogDebug:
		return heads
	case LogSigning:
		return heads | aws.LogSigning
	case LogBody:
		return heads | aws.LogRequestWithBody | aws.LogResponseWithBody
	case LogRetries, LogErrors:
		return heads | aws.LogRetries
	case LogEventStream:
		return heads | aws.LogRequestEventMessage | aws.LogResponseEventMessage
	}
	return 0
}

// logger gives what the SDK tells to slog's default logger.
type logger struct{ secrets *strings.Replacer }

func newLogger(c *Config) logging.Logger {
	if c.LogLevel == LogOff {
		return logging.Nop{}
	}
	var pairs []string
	for _, secret := range []factory.Secret{c.SecretKey, c.SessionToken, c.SSECustomerKey} {
		if text := secret.Reveal(); text != "" {
			pairs = append(pairs, text, masked)
		}
	}
	return logger{strings.NewReplacer(pairs...)}
}

// Logf implements logging.Logger.
func (l logger) Logf(_ logging.Classification, format string, args ...any) {
	if !slog.Default().Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	slog.Debug("s3: "+withoutSecrets(l.secrets.Replace(fmt.Sprintf(format, args...))), "driver", Name)
}

const masked = "(secret)"

var (
	// secretHeader is a line of a dump, or of what is signed, that may hold a secret or stand for one.
	secretHeader = regexp.MustCompile(`(?im)^(\s*(?:authorization|proxy-authorization|x-amz-security-token|x-amz-s3session-token|x-amz-(?:copy-source-)?server-side-encryption-customer-key)\s*:)[^\r\n]*`)
	// secretQuery is a part of a presigned URL, or of the query that is signed, that is worth as much as one.
	secretQuery = regexp.MustCompile(`(?i)\b(X-Amz-Signature|X-Amz-Security-Token|X-Amz-Credential|Signature|AWSAccessKeyId)=[^&\s"'<>]*`)
	// secretElement is what answers give credentials in.
	secretElement = regexp.MustCompile(`(?i)<(SecretAccessKey|SessionToken)>[^<]*`)
)

// withoutSecrets masks what is known to be secret by its name.
func withoutSecrets(text string) string {
	text = secretHeader.ReplaceAllString(text, "${1} "+masked)
	text = secretQuery.ReplaceAllString(text, "${1}="+masked)
	return secretElement.ReplaceAllString(text, "<${1}>"+masked)
}
