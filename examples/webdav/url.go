package webdav

import "strings"

// url is where the path is on the server.
func (d *driver) url(path string) string {
	if path == "/" {
		return d.base
	}
	return d.base + escape(path)
}

// collectionURL is url for a collection: some servers insist on the slash.
func (d *driver) collectionURL(path string) string { return d.url(path) + "/" }

const hexDigits = "0123456789ABCDEF"

// escape percent-encodes every byte of a path that is neither unreserved nor a slash.
func escape(path string) string {
	i := 0
	for i < len(path) && plain(path[i]) {
		i++
	}
	if i == len(path) {
		return path
	}
	out := append(make([]byte, 0, len(path)+16), path[:i]...)
	for ; i < len(path); i++ {
		if c := path[i]; plain(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(out)
}

// plainBytes has a bit for each byte that needs no escape: "-./0123456789", then "A" to "Z", "_", "a" to "z", "~".
var plainBytes = [4]uint64{0x03ffe00000000000, 0x47fffffe87fffffe}

func plain(c byte) bool { return plainBytes[c>>6]>>(c&63)&1 != 0 }

// storable reports whether a name of the host's may have the byte.
func storable(c byte) bool { return plain(c) && c != '/' }

// unescape undoes percent-encoding; false means that it is malformed.
func unescape(s string) (string, bool) {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s, true
	}
	out := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return string(out), true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// hrefPath returns the path on the server that an href names, without a slash at its end. base is
// the path of the request, for hrefs that are relative.
func hrefPath(href, base string) (string, bool) {
	href = strings.TrimSpace(href)
	if i := strings.Index(href, "://"); i >= 0 && !strings.ContainsAny(href[:i], "/?#") {
		href = href[i+3:]
		slash := strings.IndexByte(href, '/')
		if slash < 0 {
			return "", true
		}
		href = href[slash:]
	} else if strings.HasPrefix(href, "//") {
		slash := strings.IndexByte(href[2:], '/')
		if slash < 0 {
			return "", true
		}
		href = href[2+slash:]
	}
	path, ok := unescape(href)
	if !ok {
		return "", false
	}
	path = strings.TrimRight(path, "/")
	if strings.HasPrefix(href, "/") {
		return path, true
	}
	path = strings.TrimPrefix(path, "./")
	if path == "." || path == "" {
		return base, true
	}
	return base + "/" + path, true
}

// parent returns the directory that holds path, and path's last component.
func parent(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/", strings.TrimPrefix(path, "/")
	}
	return path[:i], path[i+1:]
}
