package oss

import (
	"context"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

// Config is a static credential.
type Config struct {
	// AccessKeyID is the access key's ID, which is not secret.
	AccessKeyID string `parameter:"accesskeyid"`
	// AccessKeySecret is the access key's secret.
	AccessKeySecret factory.Secret `parameter:"accesskeysecret,secret"`
	// SecurityToken belongs to keys that STS gave out; optional.
	SecurityToken factory.Secret `parameter:"securitytoken,secret"`
	// Region is the bucket's, such as "cn-hangzhou".
	Region string `parameter:"region"`
	// Bucket is the one that the origin's host stands for. Default: the first part of a host bucket.REGION.aliyuncs.com; with other
	// hosts the bucket is the first part of the path.
	Bucket string `parameter:"bucket"`
}

// New returns a Signer. It asks no server: do may be nil. A parameter that is wrong is KindInvalidArgument.
func New(ctx context.Context, cfg Config, _ sign.Doer) (sign.Signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	keys := credentials.Credentials{AccessKeyID: cfg.AccessKeyID, AccessKeySecret: cfg.AccessKeySecret.Reveal(), SecurityToken: cfg.SecurityToken.Reveal()}
	var wrong scheme.Wrong
	wrong.Check(is(keys.AccessKeyID, letters+digits+"._-"), "accesskeyid", "must be an access key ID: letters and digits")
	wrong.Check(scheme.Graphic(keys.AccessKeySecret), "accesskeysecret", "must be an access key's secret: without spaces and line ends")
	wrong.Check(keys.SecurityToken == "" || scheme.Graphic(keys.SecurityToken), "securitytoken", "must be a security token: without spaces and line ends")
	wrong.Check(is(cfg.Region, small+digits+"-") && !strings.HasPrefix(cfg.Region, "oss-"), "region", `must be a region without "oss-", such as "cn-hangzhou"`)
	wrong.Check(cfg.Bucket == "" || is(cfg.Bucket, small+digits+"-"), "bucket", `must be a bucket's name: lower-case letters, digits and "-"`)
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return &signer{"oss", &keys, cfg.Region, cfg.Bucket}, nil
}

const (
	small   = "abcdefghijklmnopqrstuvwxyz"
	letters = small + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

func is(s, of string) bool { return 0 < len(s) && len(s) <= 128 && strings.Trim(s, of) == "" }
