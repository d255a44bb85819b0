package oss_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/oss"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// The signature covers no body, so over http one is not sent without a digest of its own.
func Example() {
	signer, err := oss.New(context.Background(), oss.Config{AccessKeyID: "LTAIEXAMPLE", AccessKeySecret: factory.NewSecret("open-sesame"), Region: "cn-hangzhou"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, origin := range []string{"https://examplebucket.oss-cn-hangzhou.aliyuncs.com", "http://examplebucket.oss-cn-hangzhou.aliyuncs.com"} {
		req, err := http.NewRequest("PUT", origin+"/test.txt", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := signer.Sign(context.Background(), req, suite.Payload{Content: "hello"}); err != nil {
			fmt.Println(err)
			continue
		}
		scope := strings.SplitN(req.Header.Get("Authorization"), "/", 3) // the algorithm and the key, the day, the rest
		rest, _, _ := strings.Cut(scope[2], ",")
		fmt.Println(scope[0], rest, req.Header.Get("X-Oss-Content-Sha256"))
	}
	// Output:
	// OSS4-HMAC-SHA256 Credential=LTAIEXAMPLE cn-hangzhou/oss/aliyun_v4_request UNSIGNED-PAYLOAD
	// denied by policy: OSS signs no bodies, and one is not sent unsigned over http: set Content-MD5, or use an origin of https
}
