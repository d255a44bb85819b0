package s3

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

// decoded is what Open makes of parameters, before it does anything.
func decoded(parameters map[string]any) (Config, error) {
	p := map[string]any{"bucket": "registry", "region": "eu-west-1"}
	maps.Copy(p, parameters)
	c := Default()
	if err := factory.Decode(p, &c); err != nil {
		return c, err
	}
	return c, c.check()
}

// TestDefaults has those of distribution's driver, and ours.
func TestDefaults(t *testing.T) {
	c, err := decoded(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Bucket: "registry", Region: "eu-west-1", Secure: true, V4Auth: true, ChunkSize: 10 << 20, MultipartCopyChunkSize: 32 << 20,
		MultipartCopyMaxConcurrency: 100, MultipartCopyThresholdSize: 32 << 20, StorageClass: "STANDARD", ObjectACL: "private", LogLevel: "off",
		Checksums: "when_required", Parallel: 4, ConditionalWrites: true, FilesUnderFiles: "true", MaxAttempts: 5, Connections: 64, Probe: true,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestParametersAccepted(t *testing.T) {
	for _, c := range []struct {
		parameters map[string]any
		got        func(Config) any
		want       any
	}{
		{map[string]any{"regionendpoint": "minio:9000"}, func(c Config) any { return c.RegionEndpoint }, "https://minio:9000"},
		{map[string]any{"regionendpoint": "minio:9000", "secure": "false"}, func(c Config) any { return c.RegionEndpoint }, "http://minio:9000"},
		{map[string]any{"regionendpoint": "minio", "secure": false}, func(c Config) any { return c.RegionEndpoint }, "http://minio"},
		{map[string]any{"regionendpoint": "http://minio:9000", "secure": true}, func(c Config) any { return c.RegionEndpoint }, "http://minio:9000"},
		{map[string]any{"regionendpoint": "https://host/base"}, func(c Config) any { return c.RegionEndpoint }, "https://host/base"},
		{map[string]any{"regionendpoint": "http://minio", "region": nil}, func(c Config) any { return c.Region }, "us-east-1"},
		{map[string]any{"regionendpoint": "http://garage", "region": "Garage_1"}, func(c Config) any { return c.Region }, "Garage_1"},
		{map[string]any{"region": "eu-isoe-west-1"}, func(c Config) any { return c.Region }, "eu-isoe-west-1"},
		{map[string]any{"storageclass": "none"}, func(c Config) any { return c.StorageClass }, NoStorageClass},
		{map[string]any{"storageclass": "Glacier_ir"}, func(c Config) any { return c.StorageClass }, StorageClass("GLACIER_IR")},
		{map[string]any{"objectacl": "bucket-owner-full-control"}, func(c Config) any { return c.ObjectACL }, ObjectACL("bucket-owner-full-control")},
		{map[string]any{"loglevel": false}, func(c Config) any { return c.LogLevel }, LogOff},
		{map[string]any{"loglevel": "DebugWithSigning"}, func(c Config) any { return c.LogLevel }, LogSigning},
		{map[string]any{"chunksize": "5242880"}, func(c Config) any { return c.ChunkSize }, int64(5 << 20)},
		{map[string]any{"chunksize": 5 << 30}, func(c Config) any { return c.ChunkSize }, int64(5 << 30)},
		{map[string]any{"multipartcopythresholdsize": 0}, func(c Config) any { return c.MultipartCopyThresholdSize }, int64(0)},
		{map[string]any{"accelerate": true, "forcepathstyle": true}, func(c Config) any { return c.ForcePathStyle }, false},
		{map[string]any{"rolearn": "arn:aws:iam::1:role/r"}, func(c Config) any { return c.RoleSessionName }, "berth"},
		{map[string]any{"rolearn": "r", "stsendpoint": "sts.example.com"}, func(c Config) any { return c.STSEndpoint }, "https://sts.example.com"},
		{map[string]any{"accesskey": "", "secretkey": ""}, func(c Config) any { return c.AccessKey }, ""},
		{map[string]any{"filesunderfiles": true}, func(c Config) any { return c.FilesUnderFiles }, FilesAllowed},
		{map[string]any{"v4auth": false, "regionendpoint": "http://minio"}, func(c Config) any { return c.V4Auth }, false},
		{map[string]any{"keyid": "k"}, func(c Config) any { return c.KeyID }, "k"},
		{map[string]any{"bucket": "arn:aws:s3:eu-west-1:1:accesspoint/a"}, func(c Config) any { return c.Bucket }, "arn:aws:s3:eu-west-1:1:accesspoint/a"},
	} {
		config, err := decoded(c.parameters)
		if err != nil {
			t.Errorf("%v: %v", c.parameters, err)
		} else if got := c.got(config); got != c.want {
			t.Errorf("%v: got %v, want %v", c.parameters, got, c.want)
		}
	}
}

func TestParametersRefused(t *testing.T) {
	key := strings.Repeat("QUFB", 10) + "QUE=" // 32 bytes
	for _, c := range []struct {
		parameters map[string]any
		want       string
	}{
		{map[string]any{"bucket": nil}, `parameter "bucket" must name the bucket`},
		{map[string]any{"bucket": "registry/docker"}, `parameter "bucket" must be a bucket's name, without "/"; a prefix of the keys is parameter "rootdirectory"`},
		{map[string]any{"region": ""}, `parameter "region" must be the bucket's region, such as "us-east-1"`},
		{map[string]any{"region": "us east"}, `parameter "region" must be a region of AWS's, such as "us-east-1"`},
		{map[string]any{"region": "a/b", "regionendpoint": "http://h"}, `parameter "region" must be a region's name, such as "us-east-1"`},
		{map[string]any{"accesskey": "zebra"}, `parameter "accesskey" and parameter "secretkey" must be given together`},
		{map[string]any{"secretkey": "zebra"}, `parameter "accesskey" and parameter "secretkey" must be given together`},
		{map[string]any{"sessiontoken": "zebra"}, `parameter "sessiontoken" needs parameters "accesskey" and "secretkey"`},
		{map[string]any{"accesskey": "a", "secretkey": "zebra", "profile": "p"}, `parameter "accesskey" excludes profile: `},
		{map[string]any{"webidentitytokenfile": "/t"}, `parameter "webidentitytokenfile" needs parameter "rolearn", the role to assume`},
		{map[string]any{"roleexternalid": "x", "stsendpoint": "h"}, `parameter "roleexternalid" needs parameter "rolearn", the role to assume; parameter "stsendpoint" needs`},
		{map[string]any{"regionendpoint": "ftp://host"}, `parameter "regionendpoint" must be a URL of http or https`},
		{map[string]any{"regionendpoint": "https://user:zebra@host"}, `parameter "regionendpoint" must be a URL of http or https`},
		{map[string]any{"regionendpoint": "https://host?x=1"}, `parameter "regionendpoint" must be a URL of http or https`},
		{map[string]any{"redirectendpoint": "cdn.example.com"}, `parameter "redirectendpoint" must be a scheme and a host`},
		{map[string]any{"redirectendpoint": "https://cdn.example.com/base"}, `parameter "redirectendpoint" must be a scheme and a host`},
		{map[string]any{"redirectendpoint": "https://cdn.example.com/?x=y"}, `parameter "redirectendpoint" must be a scheme and a host`},
		{map[string]any{"accelerate": true, "regionendpoint": "http://h"}, `parameter "accelerate" excludes "regionendpoint"`},
		{map[string]any{"v4auth": false}, `parameter "v4auth" must be true for Amazon S3`},
		{map[string]any{"v4auth": "false", "regionendpoint": "https://s3.eu-west-1.AMAZONAWS.com"}, `parameter "v4auth" must be true for Amazon S3`},
		{map[string]any{"v4auth": false, "regionendpoint": "http://h", "checksums": "when_supported"}, `parameter "v4auth" must be true with "checksums" when_supported`},
		{map[string]any{"chunksize": 5<<20 - 1}, `parameter "chunksize" must be from 5242880 to 5368709120`},
		{map[string]any{"chunksize": "5368709121"}, `parameter "chunksize" must be from 5242880 to 5368709120`},
		{map[string]any{"chunksize": "10MB"}, `parameter "chunksize" must be a whole number`},
		{map[string]any{"multipartcopychunksize": 1}, `parameter "multipartcopychunksize" must be from 5242880 to 5368709120`},
		{map[string]any{"multipartcopythresholdsize": -1}, `parameter "multipartcopythresholdsize" must be from 0 to 5368709120`},
		{map[string]any{"multipartcopymaxconcurrency": 0}, `parameter "multipartcopymaxconcurrency" must be at least 1`},
		{map[string]any{"parallel": 65, "maxattempts": 21, "connections": 4097}, `parameter "parallel" must be from 1 to 64; parameter "maxattempts" must be from 1 to 20; parameter "connections" must be from 1 to 4096`},
		{map[string]any{"storageclass": "zebra"}, `parameter "storageclass" must be "NONE", "STANDARD", `},
		{map[string]any{"storageclass": ""}, `parameter "storageclass" must be "NONE", "STANDARD", `},
		{map[string]any{"objectacl": "zebra"}, `parameter "objectacl" must be "private", "public-read", `},
		{map[string]any{"loglevel": "zebra"}, `parameter "loglevel" must be "off", "debug", `},
		{map[string]any{"checksums": "zebra"}, `parameter "checksums" must be "when_required" or "when_supported"`},
		{map[string]any{"filesunderfiles": "zebra"}, `parameter "filesunderfiles" must be "true", "refused" or "checked"`},
		{map[string]any{"ssecustomerkey": "zebra"}, `parameter "ssecustomerkey" must be the base64 of 32 bytes`},
		{map[string]any{"ssecustomerkey": key, "encrypt": true}, `parameter "ssecustomerkey" excludes "encrypt"`},
		{map[string]any{"ssecustomerkey": key, "regionendpoint": "http://h"}, `parameter "ssecustomerkey" needs TLS`},
		{map[string]any{"ssecustomerkey": key, "secure": false}, `parameter "ssecustomerkey" needs TLS`},
		{map[string]any{"useragent": "a\r\nX-Amz-Acl: public-read"}, `parameter "useragent" must be one line`},
		{map[string]any{"rootdirectory": "a\x00b"}, `parameter "rootdirectory" must be text of printable characters`},
		{map[string]any{"secretkey": "(secret)"}, `parameter "secretkey" must be the secret itself, not what it was printed as`},
		{map[string]any{"encypt": true}, `unknown parameter "encypt": allowed are accelerate, accesskey, bucket, `},
	} {
		_, err := decoded(c.parameters)
		if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%v:\n got %v\nwant %s", c.parameters, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "zebra") {
			t.Errorf("%v: the error repeats the value: %v", c.parameters, err)
		}
	}
	if c, err := decoded(map[string]any{"ssecustomerkey": key}); err != nil || c.SSECustomerKey.Reveal() != key {
		t.Errorf("a key of 32 bytes: %v", err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c, err := decoded(map[string]any{"accesskey": "a", "secretkey": "zebra1", "sessiontoken": "zebra2", "ssecustomerkey": strings.Repeat("QUFB", 10) + "QUE="})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	d := &Driver{config: c} // in an unexported field fmt calls no methods
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %q", c, c, c, c.SecretKey), fmt.Sprintf("%+v %#v", &c, &c), fmt.Sprintf("%+v", d.config), string(encoded)} {
		if strings.Contains(text, "zebra") || strings.Contains(text, "QUFB") {
			t.Errorf("a secret is in %s", text)
		}
	}
	if !strings.Contains(fmt.Sprintf("%+v", c), "SecretKey:(secret)") {
		t.Errorf("%+v", c)
	}
}

// TestDocumented compares the table of docs/drivers/s3.md with the parameters.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/drivers/s3.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, row[1])
	}
	var want []string
	for f := range reflect.TypeFor[Config]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("parameter"), ",")
		want = append(want, name)
	}
	slices.Sort(documented)
	slices.Sort(want)
	if !slices.Equal(documented, want) {
		t.Errorf("documented are %q\nparameters are %q", documented, want)
	}
}
