package s3

import "strings"

// element returns the text of the first element of that name, "" if there is none. What S3 answers has no
// attributes where it is looked at, no comments, and elements of one name at one depth only.
func element(s, name string) string {
	value, _, _ := cut(s, name)
	return value
}

// cut returns the content of the first element of that name and what follows it.
func cut(s, name string) (value, rest string, found bool) {
	_, s, found = strings.Cut(s, "<"+name+">")
	if !found {
		return "", "", false
	}
	value, rest, found = strings.Cut(s, "</"+name+">")
	return entities.Replace(value), rest, found
}

var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#34;", `"`, "&apos;", "'", "&#39;", "'", "&amp;", "&")
