package webdav

import (
	"bytes"
	"io"
	"strconv"
	"unicode/utf8"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// token is what the scanner has come to.
type token byte

const (
	tokenEnd   token = iota // of the document
	tokenOpen               // a start tag
	tokenClose              // an end tag
	tokenText               // character data
)

const (
	maxToken = 64 << 10 // bytes of a tag or a run of text; a name of 255 bytes escaped is 2 KiB
	maxNest  = 100      // levels; a multistatus has six
)

// scanner reads as much XML as a multistatus needs: tags with namespaces, text, CDATA, entities. It is
// tolerant of what it need not understand, and bounded in what it holds.
type scanner struct {
	r   io.Reader // nil when everything is in buf
	buf []byte
	pos int

	local []byte // the tag's local name, good until the next call
	dav   bool   // the tag is in the namespace DAV:
	text  []byte // good until the next call

	verbatim bool // the text is CDATA; otherwise it may have entities
	want     bool // set by the caller: text is wanted, otherwise it is passed over

	empty    bool // the start tag was empty: its end comes next
	depth    int
	bindings []binding
}

// binding is a namespace prefix and the level it was declared at.
type binding struct {
	prefix string
	dav    bool
	depth  int
}

var (
	errXML     = berth.NewError(berth.KindCorrupt, "the server's answer is not the XML of a multistatus")
	errXMLSize = berth.NewError(berth.KindCorrupt, "the server's answer has XML too deep or too long to be a multistatus")
)

// fill reads more; what lies before s.pos is dropped. io.EOF when there is no more.
func (s *scanner) fill() error {
	if s.r == nil {
		return io.EOF
	}
	if s.pos > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.pos:])]
		s.pos = 0
	}
	if len(s.buf) > maxToken {
		return errXMLSize
	}
	if cap(s.buf)-len(s.buf) < 8<<10 {
		s.buf = append(make([]byte, 0, 2*cap(s.buf)+32<<10), s.buf...)
	}
	for {
		n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// until returns what comes before mark and moves behind it.
func (s *scanner) until(mark string) ([]byte, error) {
	from := 0
	for {
		if i := bytes.Index(s.buf[s.pos+from:], []byte(mark)); i >= 0 {
			out := s.buf[s.pos : s.pos+from+i]
			s.pos += from + i + len(mark)
			return out, nil
		}
		from = max(0, len(s.buf)-s.pos-len(mark)+1)
		if err := s.fill(); err != nil {
			return nil, truncated(err)
		}
	}
}

// drop moves behind mark, however far it is.
func (s *scanner) drop(mark string) error {
	for {
		if i := bytes.Index(s.buf[s.pos:], []byte(mark)); i >= 0 {
			s.pos += i + len(mark)
			return nil
		}
		s.pos = max(s.pos, len(s.buf)-len(mark)+1)
		if err := s.fill(); err != nil {
			return truncated(err)
		}
	}
}

func truncated(err error) error {
	if err == io.EOF {
		return errXML
	}
	return err
}

// at reports whether the next bytes are prefix.
func (s *scanner) at(prefix string) bool {
	for len(s.buf)-s.pos < len(prefix) {
		if s.fill() != nil {
			return false
		}
	}
	return string(s.buf[s.pos:s.pos+len(prefix)]) == prefix
}

// next goes to the next tag or text. Text may come in several pieces, with its entities as they are; white
// space alone is left out.
//
// It is written for a guest compiled by Go, where a loop over bytes is slow, a call is not cheap and
// bytes.IndexByte is fast. A token that the buffer ends in is begun again when there is more of it.
func (s *scanner) next() (token, error) {
	if s.empty {
		s.empty = false
		return s.closed()
	}
	for {
		rest := s.buf[s.pos:]
		if len(rest) > 1 && rest[0] == '<' {
			switch rest[1] {
			case '/':
				if i := bytes.IndexByte(rest, '>'); i >= 0 {
					s.pos += i + 1
					return s.closed()
				}
			case '?':
				if err := s.drop("?>"); err != nil {
					return tokenEnd, err
				}
				continue
			case '!':
				if t, err := s.declaration(); t != tokenEnd || err != nil {
					return t, err
				}
				continue
			default:
				if whole, err := s.tag(rest); whole || err != nil {
					return tokenOpen, err
				}
			}
		} else if len(rest) > 0 {
			blank := 0
			for blank < len(rest) && rest[blank] <= ' ' {
				blank++
			}
			if s.pos += blank; blank > 0 {
				continue
			}
			if i := bytes.IndexByte(rest, '<'); i > 0 {
				s.pos += i
				if !s.want {
					continue
				}
				s.text, s.verbatim = rest[:i], false
				return tokenText, nil
			}
		}
		if err := s.fill(); err == io.EOF && s.depth == 0 && s.pos == len(s.buf) {
			return tokenEnd, nil
		} else if err != nil {
			return tokenEnd, truncated(err)
		}
	}
}

// declaration passes over a comment, for which it returns tokenEnd, or reads CDATA.
func (s *scanner) declaration() (token, error) {
	switch {
	case s.at("<!--"):
		s.pos += 4
		return tokenEnd, s.drop("-->")
	case s.at("<![CDATA["):
		s.pos += 9
		text, err := s.until("]]>")
		s.text, s.verbatim = text, true
		return tokenText, err
	}
	// A document type could declare entities; a multistatus has none.
	return tokenEnd, errXML
}

func (s *scanner) closed() (token, error) {
	if s.depth == 0 {
		return tokenEnd, errXML
	}
	for n := len(s.bindings); n > 0 && s.bindings[n-1].depth == s.depth; n-- {
		s.bindings = s.bindings[:n-1]
	}
	s.depth--
	return tokenClose, nil
}

// tag reads the start tag at the beginning of rest, unless the buffer ends in it.
func (s *scanner) tag(rest []byte) (whole bool, err error) {
	end := bytes.IndexByte(rest, '>')
	if end < 0 {
		return false, nil
	}
	name := rest[1:end]
	attributed := bytes.IndexByte(name, '=') >= 0
	if attributed {
		if name, end = s.attributes(rest, end); end < 0 {
			return false, nil
		}
	}
	s.pos += end + 1
	if s.depth++; s.depth > maxNest {
		return false, errXMLSize
	}
	if n := len(name); n > 0 && name[n-1] == '/' {
		s.empty = true
		name = name[:n-1]
	}
	if attributed {
		i := 0
		for i < len(name) && !space(name[i]) {
			i++
		}
		if !s.declare(name[i:]) {
			return false, errXML
		}
		name = name[:i]
	} else if n := len(name); n > 0 && space(name[n-1]) {
		name = trimmed(name)
	}
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		s.dav = s.inDAV(name[:i])
		name = name[i+1:]
	} else {
		s.dav = s.inDAV(nil)
	}
	s.local = name
	if len(name) == 0 {
		return false, errXML
	}
	return true, nil
}

// attributes finds the real end of a start tag whose quoted values may have ">" in them, -1 when it
// is not in rest.
func (s *scanner) attributes(rest []byte, end int) ([]byte, int) {
	for !quotesClosed(rest[1:end]) {
		i := bytes.IndexByte(rest[end+1:], '>')
		if i < 0 {
			return nil, -1
		}
		end += i + 1
	}
	return rest[1:end], end
}

// quotesClosed reports whether no quoted value is open at the end of a piece of a tag.
func quotesClosed(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '"')
		if j := bytes.IndexByte(b, '\''); j >= 0 && (i < 0 || j < i) {
			i = j
		}
		if i < 0 {
			return true
		}
		end := bytes.IndexByte(b[i+1:], b[i])
		if end < 0 {
			return false
		}
		b = b[i+1+end+1:]
	}
}

// declare notes the namespaces that a tag's attributes declare.
func (s *scanner) declare(attributes []byte) bool {
	for {
		for len(attributes) > 0 && space(attributes[0]) {
			attributes = attributes[1:]
		}
		if len(attributes) == 0 {
			return true
		}
		eq := bytes.IndexByte(attributes, '=')
		if eq < 0 {
			return false
		}
		name := trimmed(attributes[:eq])
		attributes = trimmed(attributes[eq+1:])
		if len(attributes) == 0 || attributes[0] != '"' && attributes[0] != '\'' {
			return false
		}
		end := bytes.IndexByte(attributes[1:], attributes[0])
		if end < 0 {
			return false
		}
		value := attributes[1 : 1+end]
		attributes = attributes[2+end:]
		if len(name) < 5 || string(name[:5]) != "xmlns" {
			continue
		}
		b := binding{dav: string(value) == "DAV:", depth: s.depth}
		if len(name) > 5 {
			if name[5] != ':' {
				continue
			}
			b.prefix = string(name[6:])
		}
		if len(s.bindings) == maxNest {
			return false
		}
		s.bindings = append(s.bindings, b)
	}
}

func (s *scanner) inDAV(prefix []byte) bool {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == string(prefix) {
			return s.bindings[i].dav
		}
	}
	return false
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// trimmed is bytes.TrimSpace for what XML calls space; guests feel the difference.
func trimmed(b []byte) []byte {
	for len(b) > 0 && space(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && space(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// entities replaces the predefined entities and character references.
func entities(b []byte) ([]byte, bool) {
	out := make([]byte, 0, len(b))
	for {
		i := bytes.IndexByte(b, '&')
		if i < 0 {
			return append(out, b...), true
		}
		out = append(out, b[:i]...)
		b = b[i+1:]
		end := bytes.IndexByte(b, ';')
		if end < 1 || end > 10 {
			return nil, false
		}
		r, ok := entity(string(b[:end]))
		if !ok {
			return nil, false
		}
		out = utf8.AppendRune(out, r)
		b = b[end+1:]
	}
}

func entity(name string) (rune, bool) {
	switch name {
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
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return rune(n), err == nil && n <= utf8.MaxRune
}
