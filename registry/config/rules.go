package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/distribution/distribution/v3/configuration"
)

// refuse notes a problem of the value at path, wherever it comes from.
func (d *Document) refuse(path, format string, args ...any) {
	o := d.nearestOrigin(path)
	p := Problem{Source: o.File, Line: o.Line, Path: path, Message: fmt.Sprintf(format, args...)}
	if o.Variable != "" {
		p.Source = o.Variable
	}
	d.Problems = append(d.Problems, p)
}

func (d *Document) caution(path, format string, args ...any) {
	d.refuse(path, format, args...)
	d.Problems[len(d.Problems)-1].Warning = true
}

// rules judges what cannot be told from one value alone: settings that need another, or that
// distribution would accept and not use.
func (d *Document) rules() {
	d.needed(d.tree.root, d.value, "")
	d.storageRules()
	d.authRules()
	d.httpRules()
	d.tlsRules()
	d.middlewareRules()
	d.notificationRules()
	d.proxyRules()
	d.validationRules()
	d.logRules()
	d.redisRules()
	d.healthRules()
	if d.isSetWithin("loglevel") {
		d.caution("loglevel", "is the former name of log.level")
	}
}

// needed looks for keys that must be set where their section is.
func (d *Document) needed(n *Node, v any, path string) {
	switch v := v.(type) {
	case map[string]any:
		if n.Kind == Map && n.Elem != nil {
			for _, key := range slices.Sorted(maps.Keys(v)) {
				d.needed(n.Elem, v[key], join(path, key))
			}
		}
		if n.Kind != Section {
			return
		}
		for key, child := range n.Keys {
			if _, there := v[key]; there || child.Kind == Section {
				d.needed(child, v[key], join(path, key))
			}
		}
	case []any:
		for i, item := range v {
			if n.Elem != nil {
				d.needed(n.Elem, item, fmt.Sprintf("%s[%d]", path, i))
			}
		}
		return
	}
	if _, section := v.(map[string]any); n.Alone != "" && v != nil && !section {
		return
	}
	if len(n.Required) == 0 || !strings.HasSuffix(path, "]") && !d.isSetWithin(path) {
		return
	}
	section, _ := v.(map[string]any)
	for _, key := range n.Required {
		if value := section[key]; value == nil || value == "" {
			d.refuse(join(path, key), "is missing")
		}
	}
}

func (d *Document) storageRules() {
	var names []string
	for name := range d.Config.Storage {
		if !slices.Contains(ReservedKeys(), name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		d.refuse("storage", "names no driver; name one, for example filesystem")
	case len(names) > 1:
		d.refuse("storage", "names %s; leave one (a REGISTRY_STORAGE_* variable may have added one)", strings.Join(names, ", "))
	}
	if len(names) == 1 {
		d.judge(names[0])
	}
	if cache := d.Config.Storage["cache"]; cache != nil {
		kind, former := cache["blobdescriptor"], cache["layerinfo"]
		if former != nil {
			d.caution("storage.cache.layerinfo", "is the former name of blobdescriptor")
		}
		if kind == nil {
			kind = former
		}
		_, sized := cache["blobdescriptorsize"]
		switch {
		case kind == nil && sized:
			d.refuse("storage.cache.blobdescriptorsize", "needs blobdescriptor: inmemory")
		case kind == "redis" && sized:
			d.caution("storage.cache.blobdescriptorsize", "has no effect with blobdescriptor: redis")
		}
		if kind == "redis" && len(d.Config.Redis.Options.Addrs) == 0 {
			d.refuse("storage.cache", "uses redis; set redis.addrs")
		}
	}
	if limit, ok := d.Config.Storage["tag"]["concurrencylimit"].(int); ok && limit < 0 {
		d.refuse("storage.tag.concurrencylimit", "must not be negative")
	}
	if section, ok := d.Config.Storage["redirect"]; ok && section["disable"] == nil {
		d.refuse("storage.redirect.disable", "is missing; write true or false")
	}
	d.nonNegative("tags.maxtags", d.Config.Tags.MaxTags)
}

// judge has the driver's own say about parameters with which nothing is wrong so far.
func (d *Document) judge(driver string) {
	path := "storage." + driver
	judge := d.tree.judges[driver]
	if judge == nil || d.ErrWithin(path) != nil {
		return
	}
	storage, _ := d.value.(map[string]any)["storage"].(map[string]any)
	parameters, _ := storage[driver].(map[string]any)
	d.judged(path, judge(parameters))
}

// judged notes what a driver said about its parameters, which stand at path.
func (d *Document) judged(path string, err error) {
	var (
		place *PlaceError
		all   interface{ Unwrap() []error }
	)
	switch {
	case err == nil:
	case errors.As(err, &all):
		for _, err := range all.Unwrap() {
			d.judged(path, err)
		}
	case errors.As(err, &place):
		d.refuse(join(path, place.Key), "%s", place.Message)
	default:
		d.refuse(path, "has what cannot be used: %s", strings.TrimPrefix(err.Error(), storagedriver.KindInvalidArgument.String()+": "))
	}
}

func (d *Document) nonNegative(path string, n int) {
	if n < 0 {
		d.refuse(path, "must not be negative")
	}
}

func (d *Document) authRules() {
	if len(d.Config.Auth) > 1 {
		d.refuse("auth", "names several ways to authenticate; leave one (a REGISTRY_AUTH_* variable may have added one)")
		return
	}
	if file, ok := d.Config.Auth["htpasswd"]["path"].(string); ok {
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			d.refuse("auth.htpasswd.path", "names a folder; name a file, which is made where it is missing")
		}
	}
	if token, ok := d.Config.Auth["token"]; ok {
		if (token["rootcertbundle"] == nil || token["rootcertbundle"] == "") && (token["jwks"] == nil || token["jwks"] == "") {
			d.refuse("auth.token", "trusts no key; set rootcertbundle or jwks")
		}
		if token["autoredirectpath"] != nil && token["autoredirect"] != true {
			d.refuse("auth.token.autoredirectpath", "needs autoredirect: true")
		}
	}
}

func (d *Document) middlewareRules() {
	for _, where := range []string{"registry", "repository", "storage"} {
		elem := d.tree.root.at("middleware." + where + "[]")
		for i, m := range d.Config.Middleware[where] {
			path := fmt.Sprintf("middleware.%s[%d]", where, i)
			if m.Disabled || m.Name == "" {
				continue
			}
			variant, known := elem.Variants[m.Name]
			switch {
			case known && variant.Refused != "":
				d.refuse(path+".name", "%s", variant.Refused)
			case known && len(variant.Required) > 0 && !d.isSetWithin(path+".options"):
				d.refuse(path, "has no options; %s needs %s", m.Name, strings.Join(variant.Required, ", "))
			case known:
				d.needed(variant, plainOptions(m), path+".options")
				if m.Name == "cloudfront" {
					d.cloudFrontRules(m, path+".options")
				}
			case elem.Open:
			case len(elem.Variants) == 0:
				d.refuse(path+".name", "names %s, and there is no %s middleware here", m.Name, where)
			default:
				d.refuse(path+".name", "names %s; there are cloudfront, redirect, rewrite", m.Name)
			}
		}
	}
}

func (d *Document) cloudFrontRules(m configuration.Middleware, path string) {
	for _, key := range []string{"duration", "updatefrequency"} {
		value, is := m.Options[key].(string)
		if duration, err := time.ParseDuration(value); is && (err != nil || duration <= 0) {
			d.refuse(join(path, key), "must be a duration such as 20m")
		}
	}
	filter, _ := m.Options["ipfilteredby"].(string)
	if regions, _ := m.Options["awsregion"].(string); strings.EqualFold(strings.TrimSpace(filter), "awsregion") && regions == "" {
		d.refuse(join(path, "awsregion"), "is missing: ipfilteredby is awsregion, which needs its regions, separated by commas")
	}
}

func plainOptions(m configuration.Middleware) map[string]any {
	out := map[string]any{}
	for key, value := range m.Options {
		out[key] = value
	}
	return out
}

func (d *Document) notificationRules() {
	seen := map[string]bool{}
	for i, e := range d.Config.Notifications.Endpoints {
		path := fmt.Sprintf("notifications.endpoints[%d]", i)
		if e.URL != "" {
			d.httpURL(path+".url", e.URL)
		}
		if e.Name != "" && seen[e.Name] {
			d.refuse(path+".name", "names another endpoint already")
		}
		seen[e.Name] = true
		if e.Threshold < 0 || e.Timeout < 0 || e.Backoff < 0 {
			d.refuse(path, "has a negative timeout, threshold or backoff")
		}
	}
}

// httpURL refuses what is no URL of HTTP. The value, which may hold a password, is not shown.
func (d *Document) httpURL(path, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		d.refuse(path, "must be a URL such as https://registry.example.com")
	}
}

func (d *Document) proxyRules() {
	p := d.Config.Proxy
	if p.RemoteURL != "" {
		d.httpURL("proxy.remoteurl", p.RemoteURL)
		if expires := p.TTL == nil || *p.TTL > 0; expires && d.Config.Storage["delete"]["enabled"] != true {
			d.caution("proxy.ttl", "has no effect, and nothing expires, without storage.delete.enabled: true")
		}
	}
	if (p.Username == "") != (p.Password == "") {
		d.refuse("proxy", "has one of username and password; set both or none")
	}
	if p.Exec != nil && p.Username != "" {
		d.refuse("proxy.exec", "and username exclude each other; leave one")
	}
}

func (d *Document) validationRules() {
	v := d.Config.Validation
	if v.Enabled && v.Disabled {
		d.refuse("validation.enabled", "and disabled are both true; leave disabled")
	} else if d.isSetWithin("validation.enabled") {
		d.caution("validation.enabled", "is on anyway; to switch validation off, use disabled")
	}
	for _, list := range []struct {
		path   string
		values []string
	}{{"validation.manifests.urls.allow", v.Manifests.URLs.Allow}, {"validation.manifests.urls.deny", v.Manifests.URLs.Deny}} {
		for i, text := range list.values {
			if _, err := regexp.Compile(text); err != nil {
				d.refuse(fmt.Sprintf("%s[%d]", list.path, i), "is no regular expression: %v", err)
			}
		}
	}
	if len(v.Manifests.Indexes.PlatformList) > 0 && v.Manifests.Indexes.Platforms != "list" {
		d.refuse("validation.manifests.indexes.platformlist", "needs platforms: list")
	}
}

func (d *Document) logRules() {
	for i, hook := range d.Config.Log.Hooks {
		if hook.Disabled || hook.Type != "mail" {
			continue
		}
		path := fmt.Sprintf("log.hooks[%d]", i)
		o := hook.MailOptions
		if host, port, ok := strings.Cut(o.SMTP.Addr, ":"); !ok || host == "" || port == "" || strings.Contains(port, ":") {
			d.refuse(path+".options.smtp.addr", "must be HOST:PORT")
		}
		if o.SMTP.Insecure {
			d.refuse(path+".options.smtp.insecure", "has no effect, in distribution either; leave it out")
		}
		if o.From == "" || len(o.To) == 0 || len(hook.Levels) == 0 {
			d.refuse(path, "needs levels, options.from and options.to")
		}
	}
}
