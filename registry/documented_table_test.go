package registry_test

// documented are configurations that together hold each key of distribution's documentation and each key
// that this program knows: what is said about them, and which tests show that what is accepted works.
// CERT, KEYFILE and CA are files.
var documented = []struct {
	name, text string
	says       []string // parts of the problems, in order; none: accepted
	shown      []string
}{
	{
		"log", "log: {accesslog: {disabled: true}, level: debug, formatter: json, fields: {service: registry}, reportcaller: true}\n", nil,
		[]string{"TestLogIsAsConfigured"},
	},
	{
		"log hooks", "log: {hooks: [{type: mail, disabled: false, levels: [panic, error], options: {smtp: {addr: 'mail.example.com:25', username: u, password: p}, from: a@b, to: [c@d]}}]}\n", nil,
		[]string{"TestLogHookSendsMails"},
	},
	{
		"log hooks, insecure", "log: {hooks: [{type: mail, levels: [error], options: {smtp: {addr: 'm:25', insecure: true}, from: a@b, to: [c@d]}}]}\n",
		[]string{"log.hooks[0].options.smtp.insecure has no effect"}, nil,
	},
	{"loglevel", "loglevel: debug\n", []string{"warning: loglevel is the former name of log.level"}, []string{"TestLogIsAsConfigured"}},
	{"inmemory", "storage: {inmemory: }\n", nil, []string{"TestMonolithicPushAndPull"}},
	{"filesystem", "storage: {filesystem: {rootdirectory: /x, maxthreads: 100, fsync: full}}\n", nil, []string{"TestStorageSectionNamesAnyDriver", "TestEnvironmentOverridesTheStorageSection"}},
	{"filesystem, half synced", "storage: {filesystem: {fsync: half}}\n", []string{`storage.filesystem.fsync must be "full" or "off"`}, nil},
	{"azure", "storage: {azure: {accountname: a}}\n", []string{"storage.azure is a driver of distribution that is not here; there are filesystem, inmemory"}, nil},
	{"gcs", "storage: {gcs: {bucket: a}}\n", []string{"storage.gcs is a driver of distribution that is not here; there are filesystem, inmemory"}, nil},
	{"s3", "storage: {s3: {bucket: a}}\n", []string{"storage.s3 is a driver of distribution that is not here; there are filesystem, inmemory"}, nil},
	{"swift", "storage: {swift: {container: a}}\n", []string{"storage.swift is a driver of distribution 2.8 that is not here; there are filesystem, inmemory"}, nil},
	{"oss", "storage: {oss: {bucket: a}}\n", []string{"storage.oss is a driver of distribution 2.8 that is not here; there are filesystem, inmemory"}, nil},
	{"tag", "storage: {inmemory: {}, tag: {concurrencylimit: 8}}\n", nil, []string{"TestDeletionIsOffUnlessItIsEnabled"}},
	{"delete", "storage: {inmemory: {}, delete: {enabled: true}}\n", nil, []string{"TestDeletionIsOffUnlessItIsEnabled"}},
	{"redirect", "storage: {inmemory: {}, redirect: {disable: true}}\n", nil, []string{"TestRedirectsAndTheirMiddleware"}},
	{"cache in memory", "storage: {inmemory: {}, cache: {blobdescriptor: inmemory, blobdescriptorsize: 10000}}\n", nil, []string{"TestBlobDescriptorsAreCachedInMemory"}},
	{"cache, former name", "storage: {inmemory: {}, cache: {layerinfo: inmemory}}\n", []string{"warning: storage.cache.layerinfo is the former name of blobdescriptor"}, []string{"TestBlobDescriptorsAreCachedInMemory"}},
	{
		"cache in redis", "storage: {inmemory: {}, cache: {blobdescriptor: redis, blobdescriptorsize: 10000}}\nredis: {addrs: ['localhost:6379']}\n",
		[]string{"warning: storage.cache.blobdescriptorsize has no effect with blobdescriptor: redis"}, []string{"TestBlobDescriptorsAreCachedInRedis"},
	},
	{"cache in redis without redis", "storage: {inmemory: {}, cache: {blobdescriptor: redis}}\n", []string{"storage.cache uses redis; set redis.addrs"}, nil},
	{"cache of another kind", "storage: {inmemory: {}, cache: {blobdescriptor: memcached}}\n", []string{"storage.cache.blobdescriptor is none of inmemory, redis"}, nil},
	{"maintenance", "storage: {inmemory: {}, maintenance: {uploadpurging: {enabled: true, age: 168h, interval: 24h, dryrun: false}, readonly: {enabled: true}}}\n", nil, []string{"TestReadOnlyRegistryRefusesEachChange", "TestPurgeRemovesOldUploadsOnly"}},
	{"auth silly", "auth: {silly: {realm: r, service: s}}\n", nil, []string{"TestSillyLetsInWhoSaysAnything"}},
	{
		"auth token", "auth: {token: {autoredirect: true, autoredirectpath: /auth, realm: r, service: s, issuer: i, rootcertbundle: /b, jwks: /j, signingalgorithms: [EdDSA, HS256]}}\n", nil,
		[]string{"TestTokensOfATrustedKeyAreHonoured", "TestTokenOfAnAlgorithmThatIsNotNamedIsRefused", "TestTokenRealmFollowsTheRequest", "TestTokenIsFetchedAsTheChallengeSays"},
	},
	{"auth token without a key", "auth: {token: {realm: r, service: s, issuer: i}}\n", []string{"auth.token trusts no key; set rootcertbundle or jwks"}, nil},
	{"auth htpasswd", "auth: {htpasswd: {realm: r, path: /x}}\n", nil, []string{"TestHtpasswdLetsInWhoKnowsThePassword"}},
	{"auth htpasswd without a path", "auth: {htpasswd: {realm: r}}\n", []string{"auth.htpasswd.path is missing"}, nil},
	{"auth none", "auth: {none: {}}\n", nil, []string{"TestNoneLetsInEverybody"}},
	{"auth of another kind", "auth: {ldap: {}}\n", []string{"auth.ldap is no way to authenticate here; there are silly, token, htpasswd, none"}, nil},
	{"registry middleware", "middleware: {registry: [{name: ARegistryMiddleware, disabled: false, options: {foo: bar}}]}\n", []string{"middleware.registry[0].name names ARegistryMiddleware, and there is no registry middleware here"}, nil},
	{"repository middleware", "middleware: {repository: [{name: ARepositoryMiddleware, disabled: false, options: {foo: bar}}]}\n", []string{"middleware.repository[0].name names ARepositoryMiddleware, and there is no repository middleware here"}, nil},
	{
		"cloudfront", "middleware: {storage: [{name: cloudfront, disabled: false, options: {baseurl: 'https://a/', privatekey: /p, keypairid: k, duration: 3000s, ipfilteredby: awsregion, awsregion: us-east-1, updatefrequency: 12h, iprangesurl: 'https://b/'}}]}\n",
		nil, []string{"TestCloudFront", "TestCloudFrontSendsNetworksOfAWSToTheBucket"},
	},
	{"cloudfront without options", "middleware: {storage: [{name: cloudfront}]}\n", []string{"middleware.storage[0] has no options; cloudfront needs baseurl, privatekey, keypairid"}, nil},
	{"cloudfront without its key", "middleware: {storage: [{name: cloudfront, options: {baseurl: 'https://a/', keypairid: k}}]}\n", []string{"middleware.storage[0].options.privatekey is missing"}, nil},
	{"cloudfront, misspelt", "middleware: {storage: [{name: cloudfront, options: {baseurl: 'https://a/', keypairid: k, privatekey: /p, updatefrenquency: 1h}}]}\n", []string{"middleware.storage[0].options.updatefrenquency is a former spelling; use updatefrequency"}, nil},
	{"cloudfront for no time", "middleware: {storage: [{name: cloudfront, options: {baseurl: 'https://a/', keypairid: k, privatekey: /p, duration: 0s}}]}\n", []string{"middleware.storage[0].options.duration must be a duration such as 20m"}, nil},
	{"cloudfront by regions, without any", "middleware: {storage: [{name: cloudfront, options: {baseurl: 'https://a/', keypairid: k, privatekey: /p, ipfilteredby: awsregion}}]}\n", []string{"middleware.storage[0].options.awsregion is missing: ipfilteredby is awsregion, which needs its regions, separated by commas"}, nil},
	{"redirect middleware", "middleware: {storage: [{name: redirect, options: {baseurl: 'https://example.com/'}}]}\n", nil, []string{"TestRedirectsAndTheirMiddleware"}},
	{"redirect middleware without a base", "middleware: {storage: [{name: redirect, options: {}}]}\n", []string{"middleware.storage[0].options.baseurl is missing"}, nil},
	{"redirect middleware, misspelt", "middleware: {storage: [{name: redirect, options: {baseurl: 'https://a/', baseur: x}}]}\n", []string{"middleware.storage[0].options.baseur is unknown; did you mean baseurl?"}, nil},
	{"rewrite middleware", "middleware: {storage: [{name: rewrite, disabled: true, options: {scheme: https, host: a, trimpathprefix: /x}}]}\n", nil, []string{"TestRedirectsAndTheirMiddleware"}},
	{"catalog and tags", "catalog: {maxentries: 1000}\ntags: {maxtags: 1000}\n", nil, []string{"TestCatalogIsLimited", "TestTagsAreLimited"}},
	{
		"http", "http: {addr: 'localhost:5000', net: tcp, prefix: /my/nested/registry/, host: 'https://myregistryaddress.org:5000', secret: s, relativeurls: true, draintimeout: 60s, headers: {X-Content-Type-Options: [nosniff]}, http2: {disabled: true}, h2c: {enabled: true}}\n", nil,
		[]string{"TestPrefixIsHonoured", "TestURLsAreMadeAsConfigured", "TestHeadersAreSent", "TestHTTP2WithoutTLSIsSpokenWhenEnabled", "TestServeSuspendsWhatDoesNotFinishInTime", "TestUnixSocketIsListenedOn"},
	},
	{"http host without a scheme", "http: {host: registry.example.com}\n", []string{"http.host must be a URL such as https://registry.example.com: without a scheme it would have no effect"}, nil},
	{"http prefix without a slash", "http: {prefix: /path}\n", []string{"http.prefix must begin and end with a slash, as /registry/"}, nil},
	{
		"http tls", "http: {tls: {certificate: CERT, key: KEYFILE, clientcas: [CA], clientauth: require-and-verify-client-cert, minimumtls: tls1.2, ciphersuites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_RSA_WITH_RC4_128_SHA]}}\n", nil,
		[]string{"TestTLSOfAnAuthorityOfOnesOwn", "TestClientCertificatesAreAskedForAsConfigured"},
	},
	{"http tls 1.1", "http: {tls: {certificate: CERT, key: KEYFILE, minimumtls: tls1.1}}\n", []string{"http.tls.minimumtls is none of tls1.2, tls1.3"}, nil},
	{"http tls without a certificate", "http: {tls: {clientcas: [CA]}}\n", []string{"http.tls.clientcas has no effect, and there is no TLS: set certificate and key, or letsencrypt.cachefile"}, nil},
	{"http tls, clientauth alone", "http: {tls: {certificate: CERT, key: KEYFILE, clientauth: request-client-cert}}\n", []string{"http.tls.clientauth has no effect without clientcas: every client would be let in"}, nil},
	{"http tls, suites of 1.3", "http: {tls: {certificate: CERT, key: KEYFILE, minimumtls: tls1.3, ciphersuites: [TLS_AES_128_GCM_SHA256]}}\n", []string{"warning: http.tls.ciphersuites has no effect with minimumtls: tls1.3"}, []string{"TestTLSOfAnAuthorityOfOnesOwn"}},
	{"letsencrypt", "http: {tls: {letsencrypt: {cachefile: /c, email: a@b, hosts: [myregistryaddress.org], directoryurl: 'https://a/directory'}}}\n", nil, []string{"TestLetsEncryptServesWhatIsInItsCache"}},
	{"letsencrypt for nobody", "http: {tls: {letsencrypt: {cachefile: /c}}}\n", []string{"warning: http.tls.letsencrypt.hosts is missing"}, []string{"TestLetsEncryptServesWhatIsInItsCache"}},
	{"letsencrypt and a certificate", "http: {tls: {certificate: CERT, key: KEYFILE, letsencrypt: {cachefile: /c}}}\n", []string{"http.tls.letsencrypt and certificate exclude each other; leave one"}, nil},
	{"debug", "http: {debug: {addr: 'localhost:5001', prometheus: {enabled: true, path: /metrics}}}\n", nil, []string{"TestDebugServerShowsHealthAndMetrics", "TestMetricsAreServedWhereConfigured"}},
	{"metrics without a server", "http: {debug: {prometheus: {enabled: true}}}\n", []string{"http.debug.prometheus.enabled needs http.debug.addr, where metrics are served"}, nil},
	{
		"notifications", "notifications: {events: {includereferences: true}, endpoints: [{name: alistener, disabled: false, url: 'https://my.listener.com/event', headers: {X: [y]}, timeout: 1s, threshold: 10, backoff: 1s, ignoredmediatypes: [application/octet-stream], ignore: {mediatypes: [application/octet-stream], actions: [pull]}}]}\n", nil,
		[]string{"TestListenersAreToldWhatHappens", "TestListenersAreToldAgainAfterAFailure", "TestListenersAreNotToldWhatTheyIgnore"},
	},
	{"notifications of another action", "notifications: {endpoints: [{name: a, url: 'http://a', ignore: {actions: [pulls]}}]}\n", []string{"notifications.endpoints[0].ignore.actions[0] is none of pull, push, mount, delete; did you mean pull?"}, nil},
	{"notifications to nowhere", "notifications: {endpoints: [{name: a}]}\n", []string{"notifications.endpoints[0].url is missing"}, nil},
	{
		"redis", "redis: {addrs: ['localhost:6379'], password: asecret, username: u, db: 1, clientname: c, protocol: 2, sentinelusername: u, sentinelpassword: p, maxretries: 1, minretrybackoff: 1ms, maxretrybackoff: 1s, " +
			"dialtimeout: 10ms, readtimeout: 10ms, writetimeout: 10ms, contexttimeoutenabled: true, poolfifo: true, poolsize: 64, pooltimeout: 1s, minidleconns: 1, maxidleconns: 16, maxactiveconns: 3, connmaxidletime: 300s, " +
			"connmaxlifetime: 1h, maxredirects: 3, readonly: true, routebylatency: true, routerandomly: true, mastername: m, disableidentity: true, identitysuffix: s, unstableresp3: true, tls: {certificate: CERT, key: KEYFILE, rootcas: [CA]}}\n", nil,
		[]string{"TestBlobDescriptorsAreCachedInRedis", "TestRegistryWorksWhileRedisIsAway"},
	},
	{"redis tls.enabled", "redis: {addrs: ['localhost:6379'], tls: {enabled: false}}\n", []string{"redis.tls.enabled has no effect, in distribution either"}, nil},
	{"redis without its key", "redis: {addrs: ['localhost:6379'], tls: {certificate: CERT}}\n", []string{"redis.tls has one of certificate and key; set both or none"}, nil},
	{"redis nowhere", "redis: {db: 3}\n", []string{"redis.addrs is missing"}, nil},
	{"health of the storage", "health: {storagedriver: {enabled: true, interval: 10s, threshold: 3}}\n", nil, []string{"TestDebugServerShowsHealthAndMetrics"}},
	{"health of files", "health: {file: [{file: /path, interval: 10s}]}\n", nil, []string{"TestFileTakesTheRegistryOutOfRotation"}},
	{"health of files, threshold", "health: {file: [{file: /path, threshold: 3}]}\n", []string{"health.file[0].threshold has no effect"}, nil},
	{"health of HTTP", "health: {http: [{uri: 'http://server/up', headers: {Authorization: [Basic x]}, statuscode: 200, timeout: 3s, interval: 10s, threshold: 3}]}\n", nil, []string{"TestHTTPServerThatIsIllMakesTheRegistryIll"}},
	{"health of TCP", "health: {tcp: [{addr: 'redis-server.domain.com:6379', timeout: 3s, interval: 10s, threshold: 3}]}\n", nil, []string{"TestTCPServerThatIsAwayMakesTheRegistryIll"}},
	{
		"proxy", "storage: {inmemory: {}, delete: {enabled: true}}\nproxy: {remoteurl: 'https://registry-1.docker.io', username: u, password: p, ttl: 168h, cachewritetimeout: 1m}\n", nil,
		[]string{"TestPullThroughCacheServesWhatItPulledWithoutUpstream", "TestPullThroughCacheRefusesPushes", "TestPullThroughCacheExpires", "TestPullThroughCacheRemembersTimesAcrossARestart"},
	},
	{"proxy with a command", "proxy: {remoteurl: 'https://registry-1.docker.io', exec: {command: docker-credential-helper, lifetime: 1h}, ttl: 0s}\n", nil, []string{"TestPullThroughCacheTakesItsPasswordFromACommand"}},
	{"proxy that may not delete", "proxy: {remoteurl: 'https://registry-1.docker.io', ttl: 168h}\n", []string{"warning: proxy.ttl has no effect, and nothing expires, without storage.delete.enabled: true"}, []string{"TestPullThroughCacheKeepsWhatMayNotBeDeleted"}},
	{"proxy of nothing", "proxy: {username: u, password: p}\n", []string{"proxy.remoteurl is missing"}, nil},
	{
		"validation", "validation: {disabled: false, manifests: {urls: {allow: ['^https?://([^/]+\\.)*example\\.com/'], deny: ['^https?://www\\.example\\.com/']}, indexes: {platforms: List, platformlist: [{architecture: amd64, os: linux}]}}}\n", nil,
		[]string{"TestURLsInManifestsAreValidated", "TestImagesOfAnIndexAreValidated"},
	},
	{"validation, former switch", "validation: {enabled: true}\n", []string{"warning: validation.enabled is on anyway"}, []string{"TestURLsInManifestsAreValidated"}},
	{"validation of a list that is not asked for", "validation: {manifests: {indexes: {platforms: all, platformlist: [{architecture: amd64, os: linux}]}}}\n", []string{"validation.manifests.indexes.platformlist needs platforms: list"}, nil},
	{"policy", "policy: {repository: {classes: [image]}}\n", nil, []string{"TestPolicyRefusesOtherClasses"}},
	{"what 2.8 had", "compatibility: {schema1: {enabled: true}}\nreporting: {}\nredis: {addr: x, pool: {maxidle: 1}, addrs: [x]}\n", []string{
		"compatibility is gone since distribution 3", "reporting is gone since distribution 3", "redis.addr is gone since distribution 3; use addrs, a list", "redis.pool is gone since distribution 3",
	}, nil},
}
