package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Masked stands in place of a secret.
const Masked = "***"

// Value is one setting that counts.
type Value struct {
	// Path is its key: "http.addr", "notifications.endpoints[0].url".
	Path string `json:"path"`
	// Value is text, a boolean, a number or an empty map or list; a secret is Masked.
	Value any `json:"value"`
	// Origin is where it comes from.
	Origin Origin `json:"origin"`

	steps []any // the keys and indices of Path, whose keys may hold dots
}

// Values returns the settings that count, with defaults and without secrets, in the order of the
// sections. Defaults of a section that is off are not among them. There are none where Config is nil.
func (d *Document) Values() []Value {
	if d.Config == nil {
		return nil
	}
	var out []Value
	d.values(place{node: d.tree.root}, d.value, &out)
	return out
}

// place is where a value stands.
type place struct {
	node   *Node // nil where anything may stand
	path   string
	steps  []any
	secret bool
}

// key is the place of a key, item that of an element.
func (p place) key(child *Node, key string, secret bool) place {
	return place{child, join(p.path, key), append(slices.Clone(p.steps), key), p.secret || secret || child != nil && child.Secret}
}

func (p place) item(i int) place {
	var elem *Node
	if p.node != nil {
		elem = p.node.Elem
	}
	return place{elem, fmt.Sprintf("%s[%d]", p.path, i), append(slices.Clone(p.steps), i), p.secret || elem != nil && elem.Secret}
}

func (d *Document) values(p place, v any, to *[]Value) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) > 0 || p.node != nil && p.node.Kind == Section {
			d.mapValues(p, v, to)
			return
		}
	case []any:
		if len(v) > 0 {
			for i, item := range v {
				d.values(p.item(i), item, to)
			}
			return
		}
	}
	d.leaf(p, v, to)
}

func (d *Document) mapValues(p place, v map[string]any, to *[]Value) {
	var keys []string
	if p.node != nil && p.node.Kind == Section {
		keys = slices.Clone(p.node.Order)
	}
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if o, set := d.origin(p.path); len(keys) == 0 && set {
		*to = append(*to, Value{p.path, map[string]any{}, o, p.steps})
	}
	for _, key := range keys {
		child, value := childOf(p.node, key), v[key]
		if p.path == "storage" && value == nil && !slices.Contains(ReservedKeys(), key) {
			continue // another driver
		}
		if value == nil && child != nil && child.Kind == Section && (child.Always || d.isSetWithin(join(p.path, key))) {
			value = map[string]any{}
		}
		// A key of the operator's choice is judged by its name, unless what it holds is known key by key.
		typed := child != nil && (p.node.Kind == Section && child.Kind != Any || child.Kind == Section)
		d.values(p.key(child, key, !typed && secretName(key)), value, to)
	}
}

// childOf returns the node of a key, or nil where anything may stand.
func childOf(n *Node, key string) *Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == Section:
		return n.Keys[key]
	}
	return n.Elem
}

// counts reports whether the defaults of the section n at path count.
func (d *Document) counts(n *Node, path string) bool {
	return n.Always || strings.HasSuffix(path, "]") || d.isSetWithin(path)
}

func (d *Document) leaf(p place, v any, to *[]Value) {
	o, set := d.origin(p.path)
	if !set && p.node == nil {
		o = d.nearestOrigin(p.path) // nothing has defaults where anything may stand
	}
	if v == nil || !set && isZero(v) {
		if p.node == nil || p.node.Default == nil || !d.parentCounts(p.path) {
			return
		}
		v, o = p.node.Default, Origin{}
	}
	if p.secret && !isZero(v) {
		v = Masked
	} else if text, ok := v.(string); ok {
		v = withoutPassword(text)
	}
	*to = append(*to, Value{p.path, v, o, p.steps})
}

func (d *Document) parentCounts(path string) bool {
	i := strings.LastIndex(path, ".")
	if i < 0 {
		return true
	}
	parent := path[:i]
	if tls := d.Config.HTTP.TLS; parent == "http.tls" && tls.Certificate == "" && tls.LetsEncrypt.CacheFile == "" {
		return false // there is no TLS
	}
	return d.counts(d.tree.nodeOf(parent), parent)
}

// nodeOf returns the node of a path with indices, or an empty one where anything may stand.
func (t *Tree) nodeOf(path string) *Node {
	n := t.root
	for _, step := range strings.Split(path, ".") {
		name, _, list := strings.Cut(step, "[")
		if n == nil || n.Kind != Section && n.Kind != Map {
			return &Node{}
		}
		if n.Kind == Section {
			n = n.Keys[name]
		} else {
			n = n.Elem
		}
		if list && n != nil {
			n = n.Elem
		}
	}
	if n == nil {
		return &Node{}
	}
	return n
}

func isZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == "" || v == "0s"
	case bool:
		return !v
	case int:
		return v == 0
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// withoutPassword masks the password in a URL, and what its query has under names of secrets.
func withoutPassword(text string) string {
	if !strings.ContainsAny(text, "@?") || !strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		return Masked
	}
	query := withoutSecrets(u.RawQuery)
	if _, has := u.User.Password(); !has && query == u.RawQuery {
		return text
	}
	u.RawQuery = query
	return strings.Replace(u.Redacted(), ":xxxxx@", ":"+Masked+"@", 1)
}

func withoutSecrets(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		escaped, value, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(escaped); value != "" && (err != nil || secretName(name)) {
			pairs[i] = escaped + "=" + Masked
		}
	}
	return strings.Join(pairs, "&")
}
