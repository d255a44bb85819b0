package config

import (
	"reflect"
	"strings"
	"testing"
)

const inMemory = "version: 0.1\nstorage: inmemory\n"

// TestServicesOfKubernetesAreNoConfiguration has what the kubelet sets in each container for Services called
// registry, registry-http, registry-ui and registry-redis, and what Docker sets for a link called registry.
func TestServicesOfKubernetesAreNoConfiguration(t *testing.T) {
	for _, variable := range strings.Fields(`
REGISTRY_SERVICE_HOST=10.0.0.11
REGISTRY_SERVICE_PORT=5000
REGISTRY_SERVICE_PORT_HTTP=5000
REGISTRY_SERVICE_PORT_WEB_UI=5001
REGISTRY_PORT=tcp://10.0.0.11:5000
REGISTRY_PORT_5000_TCP=tcp://10.0.0.11:5000
REGISTRY_PORT_5000_TCP_PROTO=tcp
REGISTRY_PORT_5000_TCP_PORT=5000
REGISTRY_PORT_5000_TCP_ADDR=10.0.0.11
REGISTRY_PORT_53_UDP_ADDR=10.0.0.11
REGISTRY_HTTP_SERVICE_HOST=10.0.0.12
REGISTRY_HTTP_SERVICE_PORT=80
REGISTRY_HTTP_PORT=tcp://10.0.0.12:80
REGISTRY_HTTP_PORT_80_TCP=tcp://10.0.0.12:80
REGISTRY_HTTP_PORT_80_TCP_PROTO=tcp
REGISTRY_HTTP_PORT_80_TCP_PORT=80
REGISTRY_HTTP_PORT_80_TCP_ADDR=10.0.0.12
REGISTRY_UI_SERVICE_HOST=10.0.0.13
REGISTRY_UI_PORT_80_TCP_ADDR=10.0.0.13
REGISTRY_REDIS_SERVICE_HOST=10.0.0.14
REGISTRY_REDIS_PORT=tcp://10.0.0.14:6379
REGISTRY_REDIS_PORT_6379_TCP_ADDR=10.0.0.14
REGISTRY_CONFIGURATION_PATH=/etc/distribution/config.yml`) {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	d := read(t, inMemory)
	expectProblems(t, d)
	if d.Config == nil || len(d.Config.Redis.Options.Addrs) != 0 || d.Config.HTTP.Addr != "" {
		t.Errorf("they changed the configuration: %+v", d.Config)
	}
}

func TestServiceThatWouldNameADriverIsSaid(t *testing.T) {
	t.Setenv("REGISTRY_STORAGE_SERVICE_HOST", "10.0.0.11")
	for _, tree := range []*Tree{New(Known{}), testTree()} {
		d, err := tree.Read(strings.NewReader(inMemory), "config.yml")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Err(); err == nil || !strings.Contains(err.Error(), "REGISTRY_STORAGE_SERVICE_HOST: would name a storage driver: Kubernetes sets it") {
			t.Errorf("got %v", err)
		}
	}
}

func TestVariablesThatSetNothingAreSaid(t *testing.T) {
	for variable, want := range map[string]string{
		"REGISTRY_HTTP_ADRR=x":                                "is unknown; did you mean REGISTRY_HTTP_ADDR?",
		"REGISTRY_HTPP_ADDR=x":                                "is unknown; did you mean REGISTRY_HTTP_ADDR?",
		"REGISTRY_HTTP_PORT=5000":                             "is unknown; the next part can be ADDR, DEBUG, ",
		"REGISTRY_STORAGE_FILESYSTEM_ROOTDIR=x":               "is unknown; the next part can be LIST, MAXTHREADS, ",
		"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTRY=x":          "is unknown; did you mean REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY?",
		"REGISTRY_STORAGE_S3_BUCKET=x":                        "storage.s3 is a driver of distribution that is not here",
		"REGISTRY_HEALTH_FILE_0_FILE=x":                       "is unknown; did you mean REGISTRY_HEALTH_FILECHECKERS_0_FILE?",
		"REGISTRY_NOTIFICATIONS_EVENTS_INCLUDEREFERENCES=yes": "did you mean REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES?",
		"REGISTRY_NOTIFICATIONS_ENDPOINTS_URL=x":              "is unknown; the next part must be an index of the list, from 0",
		"REGISTRY_HTTP_ADDR_HOST=x":                           "is unknown; the key before the last part has no keys of its own",
		"REGISTRY_HTTP_SECRET=[x]":                            "http.secret must be text",
		"REGISTRY_REDIS_DB=[":                                 "redis.db is not YAML; put the value in quotes",
		"REGISTRY_LOG={levell: info}":                         "log.levell is unknown; did you mean level?",
		"REGISTRY_HTTP_HOST=registry.example.com":             "http.host must be a URL",
		"REGISTRY_USER=me":                                    "warning: sets nothing",
		"REGISTRY_IMAGE_TAG=v1":                               "warning: sets nothing",
		"REGISTRY_TAG=v1":                                     "warning: sets nothing",
	} {
		t.Run(variable, func(t *testing.T) {
			name, value, _ := strings.Cut(variable, "=")
			t.Setenv(name, value)
			d := read(t, inMemory)
			for _, p := range d.Problems {
				if p.Source == name && strings.Contains(p.String(), want) {
					return
				}
			}
			t.Errorf("got %v, want %s", d.Problems, want)
		})
	}
}

func TestVariablesOverrideAsInDistribution(t *testing.T) {
	for name, value := range map[string]string{
		"REGISTRY_HTTP_ADDR": "127.0.0.1:9", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/from/the/environment",
		"REGISTRY_HEALTH_FILECHECKERS_0_FILE": "/file", "REGISTRY_HTTP_HEADERS": "{X-A: [b]}", "REGISTRY_REDIS_ADDRS_0": "localhost:6379",
		"REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES": "true", "REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED": "true",
		"REGISTRY_PROXY_EXEC_COMMAND": "x", "REGISTRY_PROXY_REMOTEURL": "http://u",
	} {
		t.Setenv(name, value)
	}
	d := read(t, "version: 0.1\nstorage: {filesystem: {rootdirectory: /from/the/file, maxthreads: 50}, delete: {enabled: true}}\nhttp: {addr: ':1'}\n")
	expectProblems(t, d)
	origins := map[string]string{}
	for _, v := range d.Values() {
		origins[v.Path] = v.Origin.String()
	}
	for path, want := range map[string]string{
		"http.addr":                                 "REGISTRY_HTTP_ADDR",
		"storage.filesystem.rootdirectory":          "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY",
		"storage.filesystem.maxthreads":             "config.yml:2",
		"storage.filesystem.wait":                   "default",
		"health.file[0].file":                       "REGISTRY_HEALTH_FILECHECKERS_0_FILE",
		"health.file[0].interval":                   "default",
		"http.headers.X-A[0]":                       "REGISTRY_HTTP_HEADERS",
		"redis.addrs[0]":                            "REGISTRY_REDIS_ADDRS_0",
		"notifications.events.includereferences":    "REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES",
		"storage.maintenance.readonly.enabled":      "REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED",
		"storage.maintenance.uploadpurging.enabled": "default",
		"proxy.exec.command":                        "REGISTRY_PROXY_EXEC_COMMAND",
		"version":                                   "config.yml:1",
	} {
		if origins[path] != want {
			t.Errorf("%s: got %q, want %q", path, origins[path], want)
		}
	}
}

func TestServiceThatWouldNameAWayToAuthenticateIsSaid(t *testing.T) {
	t.Setenv("REGISTRY_AUTH_PORT", "tcp://10.0.0.11:80")
	t.Setenv("REGISTRY_AUTH_PORT_80_TCP_ADDR", "10.0.0.11")
	const advice = "would name a way to authenticate: " + serviceAdvice
	d := read(t, inMemory)
	expectProblems(t, d, "REGISTRY_AUTH_PORT: "+advice, "REGISTRY_AUTH_PORT_80_TCP_ADDR: "+advice)
}

// TestAuthNoneInAVariable: it names one way, of which no other's keys are needed.
func TestAuthNoneInAVariable(t *testing.T) {
	t.Setenv("REGISTRY_AUTH", "none")
	expectProblems(t, read(t, inMemory))
}

// TestVariablesBelowWhatTheFileHasAreSaid: distribution's parser passes over them, and what counts is the file's.
func TestVariablesBelowWhatTheFileHasAreSaid(t *testing.T) {
	t.Setenv("REGISTRY_STORAGE_ANYTHING_DEEP_NUMBER", "7")
	t.Setenv("REGISTRY_STORAGE_ANYTHING_ROOTDIRECTORY", "/other")
	t.Setenv("REGISTRY_STORAGE_ANYTHING_NEW_NUMBER", "7")
	d := read(t, "version: 0.1\nstorage: {anything: {rootdirectory: /data, deep: {number: 2}}}\n")
	expectProblems(t, d, "REGISTRY_STORAGE_ANYTHING_DEEP_NUMBER: storage.anything.deep.number has no effect, in distribution either, where the file has storage.anything.deep; set it there")
	want := map[any]any{"number": 2}
	if got := d.Config.Storage["anything"]["deep"]; !reflect.DeepEqual(got, want) {
		t.Errorf("the parser reads it now: got %v, want %v", got, want)
	}
}

// TestGapsInListsOfVariablesAreSaid, but none where the file or another variable has what is before.
func TestGapsInListsOfVariablesAreSaid(t *testing.T) {
	const none = "version: 0.1\nstorage: inmemory\n"
	for name, c := range map[string]struct {
		file string
		set  []string
		want []string
	}{
		"no first":        {none, []string{"REDIS_ADDRS_1=b:1"}, []string{"REGISTRY_REDIS_ADDRS_1: redis.addrs[1] leaves a gap: nothing sets redis.addrs[0]; count the elements of a list from 0"}},
		"no second":       {none, []string{"REDIS_ADDRS_0=a:1", "REDIS_ADDRS_2=b:1"}, []string{"REGISTRY_REDIS_ADDRS_2: redis.addrs[2] leaves a gap: nothing sets redis.addrs[1]; count the elements of a list from 0"}},
		"of sections":     {none, []string{"HEALTH_FILECHECKERS_1_FILE=/a"}, []string{"REGISTRY_HEALTH_FILECHECKERS_1_FILE: health.file[1].file leaves a gap: nothing sets health.file[0]; count the elements of a list from 0"}},
		"a whole before":  {none, []string{"REDIS_ADDRS=[a:1]", "REDIS_ADDRS_1=b:1"}, nil},
		"a section's":     {none, []string{"REDIS={addrs: [a:1]}", "REDIS_ADDRS_1=b:1"}, nil},
		"the file's":      {none + "redis: {addrs: [a:1]}\n", []string{"REDIS_ADDRS_1=b:1"}, nil},
		"after the file":  {none + "redis: {addrs: [a:1]}\n", []string{"REDIS_ADDRS_2=b:1"}, []string{"REGISTRY_REDIS_ADDRS_2: redis.addrs[2] leaves a gap: nothing sets redis.addrs[1]; count the elements of a list from 0"}},
		"one and another": {none, []string{"REDIS_ADDRS_0=a:1", "REDIS_ADDRS_1=b:1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, one := range c.set {
				key, value, _ := strings.Cut(one, "=")
				t.Setenv("REGISTRY_"+key, value)
			}
			expectProblems(t, read(t, c.file), c.want...)
		})
	}
}

// TestVariablesBelowWhatAnotherSetsAreSaid: distribution's parser passes over them, whatever the other's value.
func TestVariablesBelowWhatAnotherSetsAreSaid(t *testing.T) {
	t.Setenv("REGISTRY_STORAGE_ANYTHING_DEEP", "{first: 1}")
	t.Setenv("REGISTRY_STORAGE_ANYTHING_DEEP_NUMBER", "7")
	t.Setenv("REGISTRY_STORAGE_ANYTHING_EMPTY", "")
	t.Setenv("REGISTRY_STORAGE_ANYTHING_EMPTY_NUMBER", "7")
	d := read(t, "version: 0.1\nstorage: {anything: {rootdirectory: /data}}\n")
	expectProblems(t, d, "REGISTRY_STORAGE_ANYTHING_DEEP_NUMBER: storage.anything.deep.number has no effect, in distribution either, "+
		"beside REGISTRY_STORAGE_ANYTHING_DEEP, which sets all of storage.anything.deep; set it there")
	for key, want := range map[string]any{"deep": map[any]any{"first": 1}, "empty": map[string]any{"number": 7}} {
		if got := d.Config.Storage["anything"][key]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the parser reads %#v, want %#v", key, got, want)
		}
	}
}
