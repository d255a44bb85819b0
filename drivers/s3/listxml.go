package s3

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// scanPage reads an answer to a ListObjectsV2 that is written as services write them: elements without prefixes and, but for the outermost,
// without attributes; text with references, in UTF-8; nothing else. For what it accepts it returns what the SDK returns. It accepts nothing
// that the SDK does not, and reports false for all that the SDK should look at: comments, CDATA, carriage returns, other encodings, what is
// nested where it knows no nesting, and whatever is damaged. The page keeps nothing of text.
func scanPage(text []byte) (*s3.ListObjectsV2Output, bool) {
	p := &page{scanner: scanner{text: text}, out: &s3.ListObjectsV2Output{}}
	if n := bytes.Count(text, []byte("<Contents>")); n > 0 {
		p.out.Contents = make([]types.Object, 0, min(n, maxKeys))
		p.objects = make([]listedObject, min(n, maxKeys))
	}
	if !p.declaration() || !p.root("ListBucketResult") || !p.members("ListBucketResult", p.member) {
		return nil, false
	}
	p.space()
	return p.out, p.at == len(p.text)
}

// listedObject is what most objects of a page have: one allocation holds it for many.
type listedObject struct {
	key, tag  string
	size      int64
	modified  time.Time
	checksums [1]types.ChecksumAlgorithm
}

// page is one that is being read.
type page struct {
	scanner
	out     *s3.ListObjectsV2Output
	objects []listedObject // for objects to come
	words   []string       // what word returned
}

// member reads a member of the page.
func (p *page) member(name []byte, empty bool) bool {
	switch string(name) {
	case "Contents":
		return !empty && p.contents()
	case "CommonPrefixes":
		var prefix types.CommonPrefix
		ok := !empty && p.members("CommonPrefixes", func(name []byte, empty bool) bool {
			if string(name) == "Prefix" {
				return p.pointed(&prefix.Prefix, "Prefix", empty)
			}
			return p.unknown(name, empty)
		})
		p.out.CommonPrefixes = append(p.out.CommonPrefixes, prefix)
		return ok
	case "IsTruncated":
		text, ok := p.value("IsTruncated", empty)
		b, err := strconv.ParseBool(string(text))
		p.out.IsTruncated = &b
		return ok && err == nil
	case "KeyCount":
		return p.count(&p.out.KeyCount, "KeyCount", empty)
	case "MaxKeys":
		return p.count(&p.out.MaxKeys, "MaxKeys", empty)
	case "EncodingType":
		text, ok := p.value("EncodingType", empty)
		p.out.EncodingType = types.EncodingType(text)
		return ok
	case "Name":
		return p.pointed(&p.out.Name, "Name", empty)
	case "Prefix":
		return p.pointed(&p.out.Prefix, "Prefix", empty)
	case "Delimiter":
		return p.pointed(&p.out.Delimiter, "Delimiter", empty)
	case "StartAfter":
		return p.pointed(&p.out.StartAfter, "StartAfter", empty)
	case "ContinuationToken":
		return p.pointed(&p.out.ContinuationToken, "ContinuationToken", empty)
	case "NextContinuationToken":
		return p.pointed(&p.out.NextContinuationToken, "NextContinuationToken", empty)
	}
	return p.unknown(name, empty)
}

// contents reads an object.
func (p *page) contents() bool {
	if len(p.objects) == 0 {
		p.objects = make([]listedObject, 1)
	}
	in := &p.objects[0]
	p.objects = p.objects[1:]
	var out types.Object
	ok := p.members("Contents", func(name []byte, empty bool) bool {
		switch string(name) {
		case "Key":
			out.Key = &in.key
			return p.set(&in.key, "Key", empty)
		case "ETag":
			out.ETag = &in.tag
			return p.set(&in.tag, "ETag", empty)
		case "Size":
			text, ok := p.value("Size", empty)
			var err error
			in.size, err = strconv.ParseInt(string(text), 10, 64)
			out.Size = &in.size
			return ok && err == nil
		case "LastModified":
			text, ok := p.value("LastModified", empty)
			out.LastModified = &in.modified
			return ok && in.modified.UnmarshalText(text) == nil
		case "StorageClass":
			text, ok := p.value("StorageClass", empty)
			out.StorageClass = types.ObjectStorageClass(p.word(text))
			return ok
		case "ChecksumAlgorithm":
			text, ok := p.value("ChecksumAlgorithm", empty)
			if out.ChecksumAlgorithm == nil {
				out.ChecksumAlgorithm = in.checksums[:0]
			}
			out.ChecksumAlgorithm = append(out.ChecksumAlgorithm, types.ChecksumAlgorithm(p.word(text)))
			return ok
		case "ChecksumType":
			text, ok := p.value("ChecksumType", empty)
			out.ChecksumType = types.ChecksumType(p.word(text))
			return ok
		case "Owner":
			if out.Owner == nil {
				out.Owner = &types.Owner{}
			}
			return !empty && p.owner(out.Owner)
		}
		return p.unknown(name, empty)
	})
	p.out.Contents = append(p.out.Contents, out)
	return ok
}

func (p *page) owner(out *types.Owner) bool {
	return p.members("Owner", func(name []byte, empty bool) bool {
		switch string(name) {
		case "ID":
			return p.pointed(&out.ID, "ID", empty)
		case "DisplayName":
			return p.pointed(&out.DisplayName, "DisplayName", empty)
		}
		return p.unknown(name, empty)
	})
}

// maxWords is the most words of a page that are shared.
const maxWords = 8

// word is text, shared by the many objects that have the same.
func (p *page) word(text []byte) string {
	for _, w := range p.words {
		if w == string(text) {
			return w
		}
	}
	w := string(text)
	if len(p.words) < maxWords {
		p.words = append(p.words, w)
	}
	return w
}

// set reads the text of the element into to.
func (p *page) set(to *string, name string, empty bool) bool {
	text, ok := p.value(name, empty)
	*to = string(text)
	return ok
}

func (p *page) pointed(to **string, name string, empty bool) bool {
	*to = new(string)
	return p.set(*to, name, empty)
}

func (p *page) count(to **int32, name string, empty bool) bool {
	text, ok := p.value(name, empty)
	n, err := strconv.ParseInt(string(text), 10, 64)
	*to = aws.Int32(int32(n))
	return ok && err == nil
}

// members of a listing that the SDK knows, in whatever case they are written.
var pageMembers = [...]string{
	"CommonPrefixes", "Contents", "ContinuationToken", "Delimiter", "EncodingType", "IsTruncated", "KeyCount", "MaxKeys", "Name", "NextContinuationToken", "Prefix",
	"StartAfter", "ChecksumAlgorithm", "ChecksumType", "ETag", "Key", "LastModified", "Owner", "RestoreStatus", "Size", "StorageClass", "DisplayName", "ID",
}

// unknown passes over an element of text that the SDK passes over too.
func (p *page) unknown(name []byte, empty bool) bool {
	n := string(name)
	for _, known := range pageMembers {
		if strings.EqualFold(known, n) {
			return false
		}
	}
	_, ok := p.value(n, empty)
	return ok
}

// scanner goes through text. Its methods report false for what they do not read; it is of no use then.
type scanner struct {
	text    []byte
	at      int
	decoded []byte // the last value that had references
}

// took passes over what, if that comes next.
func (s *scanner) took(what string) bool {
	if len(s.text)-s.at < len(what) || string(s.text[s.at:s.at+len(what)]) != what {
		return false
	}
	s.at += len(what)
	return true
}

func (s *scanner) space() {
	for s.at < len(s.text) && (s.text[s.at] == ' ' || s.text[s.at] == '\n' || s.text[s.at] == '\t' || s.text[s.at] == '\r') {
		s.at++
	}
}

// declaration passes over <?xml ...?>, which may be missing.
func (s *scanner) declaration() bool {
	if !s.took("<?xml ") {
		return true
	}
	end := bytes.Index(s.text[s.at:], []byte("?>"))
	if end < 0 {
		return false
	}
	said := strings.ReplaceAll(string(s.text[s.at:s.at+end]), "'", `"`)
	s.at += end + len("?>")
	return strings.EqualFold(strings.TrimRight(said, " "), `version="1.0" encoding="UTF-8"`)
}

// root passes over the tag that begins the outermost element, which may name a namespace.
func (s *scanner) root(name string) bool {
	s.space()
	if !s.took("<") || !s.took(name) {
		return false
	}
	if s.took(" xmlns=") && s.at < len(s.text) {
		quote := s.text[s.at]
		length := bytes.IndexByte(s.text[s.at+1:], quote)
		if quote != '"' && quote != '\'' || length < 0 {
			return false
		}
		for _, b := range s.text[s.at+1 : s.at+1+length] {
			if textClasses[b] != plain || b == '<' {
				return false
			}
		}
		s.at += length + 2
	}
	return s.took(">")
}

// members calls each at every element in the element called name, whose tag was read, and passes over what ends it. each reads the element whole,
// unless it was empty: a tag alone.
func (s *scanner) members(name string, each func(name []byte, empty bool) bool) bool {
	for {
		s.space()
		if !s.took("<") {
			return false
		}
		if s.took("/") {
			return s.took(name) && s.took(">")
		}
		start := s.at
		for s.at < len(s.text) && isLetter(s.text[s.at]) {
			s.at++
		}
		member := s.text[start:s.at]
		s.space()
		empty := s.took("/")
		if len(member) == 0 || !s.took(">") || !each(member, empty) {
			return false
		}
	}
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// value reads the text of the element called name, whose tag was read, to behind the tag that ends it. It is good until the next.
func (s *scanner) value(name string, empty bool) ([]byte, bool) {
	if empty {
		return nil, true
	}
	length := bytes.IndexByte(s.text[s.at:], '<')
	if length < 0 {
		return nil, false
	}
	text, class := s.text[s.at:s.at+length], plain
	for _, b := range text {
		class |= textClasses[b]
	}
	s.at += length
	if class&other != 0 || !s.took("</") || !s.took(name) || !s.took(">") {
		return nil, false
	}
	if class&wide != 0 && !isText(text) {
		return nil, false
	}
	if class&reference != 0 {
		return s.dereferenced(text)
	}
	return text, true
}

// isText reports whether text is UTF-8 without the two characters above ASCII that XML does not have.
func isText(text []byte) bool {
	return utf8.Valid(text) && !bytes.Contains(text, []byte("\ufffe")) && !bytes.Contains(text, []byte("\uffff"))
}

// dereferenced returns text with characters in place of references.
func (s *scanner) dereferenced(text []byte) ([]byte, bool) {
	s.decoded = s.decoded[:0]
	for {
		i := bytes.IndexByte(text, '&')
		if i < 0 {
			s.decoded = append(s.decoded, text...)
			return s.decoded, true
		}
		s.decoded = append(s.decoded, text[:i]...)
		end := bytes.IndexByte(text[i:], ';')
		if end < 0 {
			return nil, false
		}
		r, ok := character(string(text[i+1 : i+end]))
		if !ok {
			return nil, false
		}
		s.decoded = utf8.AppendRune(s.decoded, r)
		text = text[i+end+1:]
	}
}

// character is the one that a reference is to, which XML must have.
func character(reference string) (rune, bool) {
	switch reference {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	number, ok := strings.CutPrefix(reference, "#")
	base := 10
	if n, hex := strings.CutPrefix(number, "x"); hex {
		number, base = n, 16
	}
	n, err := strconv.ParseUint(number, base, 32)
	r := rune(n)
	control := n < ' ' && n != '\t' && n != '\n' && n != '\r'
	return r, ok && err == nil && !control && n != 0xfffe && n != 0xffff && n <= utf8.MaxRune && utf8.ValidRune(r)
}

// What a byte of a text may be: plain, of a character above ASCII, the beginning of a reference, or one that the SDK should look at.
const (
	plain     byte = 0
	wide      byte = 1
	reference byte = 2
	other     byte = 4
)

var textClasses = func() (c [256]byte) {
	for b := range c {
		switch {
		case b < ' ' && b != '\t' && b != '\n', b == '>': // "]]>" must not be
			c[b] = other
		case b == '&':
			c[b] = reference
		case b >= utf8.RuneSelf:
			c[b] = wide
		}
	}
	return c
}()
