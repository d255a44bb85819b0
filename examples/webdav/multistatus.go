package webdav

import (
	"bytes"
	"io"
	"time"
)

// resource is one response of a multistatus.
type resource struct {
	href   string
	status int  // of the response as a whole, 0 when it has none
	found  bool // the properties were answered

	dir     bool
	size    int64 // -1 when the server did not say
	modTime time.Time
}

// element is what of a multistatus matters.
type element byte

const (
	other element = iota
	response
	href
	status
	propstat
	prop
	resourceType
	collection
	contentLength
	lastModified
)

// multistatus calls f for each response in the XML that data holds or r gives.
func multistatus(data []byte, r io.Reader, f func(*resource) error) error {
	_, err := multistatusSpans(data, r, f)
	return err
}

// multistatusSpans is multistatus that also says where in data the texts of the elements that matter are; nil when
// one of them is not plain text in one piece.
func multistatusSpans(data []byte, r io.Reader, f func(*resource) error) ([]span, error) {
	m := reader{s: scanner{r: r, buf: data}}
	m.s.bindings = m.bindings[:0]
	m.text = m.room[:0]
	m.spans = m.places[:0]
	err := m.read(f)
	if m.odd {
		return nil, err
	}
	return m.spans, err
}

// reader keeps the elements that are open and the response they make.
type reader struct {
	s     scanner
	stack [maxNest + 1]element // by depth
	text  []byte               // of the innermost element, if it is wanted
	at    resource
	props resource // of the propstat that is open
	code  int      // its status

	spans []span // of the texts that were wanted
	odd   bool   // one of them is not plain text in one piece

	// What the slices begin with: one allocation in place of many.
	bindings [4]binding
	room     [128]byte
	places   [4]span
}

func (m *reader) read(f func(*resource) error) error {
	root := false
	for {
		t, err := m.s.next()
		if err != nil {
			return err
		}
		switch t {
		case tokenEnd:
			if !root {
				return errXML
			}
			return nil
		case tokenOpen:
			if m.s.depth == 1 {
				if !m.s.dav || string(m.s.local) != "multistatus" {
					return errXML
				}
				root = true
			}
			m.open(m.classify())
		case tokenText:
			if m.s.want { // CDATA is not passed over
				if err := m.take(); err != nil {
					return err
				}
			}
		case tokenClose:
			if err := m.close(f); err != nil {
				return err
			}
		}
	}
}

// take adds a piece of text to that of the innermost element.
func (m *reader) take() error {
	text := m.s.text
	m.spans = append(m.spans, span{m.stack[m.s.depth], m.s.pos - len(text), m.s.pos})
	m.odd = m.odd || m.s.verbatim || len(m.text) > 0 || m.s.r != nil
	if !m.s.verbatim && bytes.IndexByte(text, '&') >= 0 {
		m.odd = true
		var ok bool
		if text, ok = entities(text); !ok {
			return errXML
		}
	}
	if m.text = append(m.text, text...); len(m.text) > maxToken {
		return errXMLSize
	}
	return nil
}

// classify says what the tag is; an element counts only where RFC 4918 has it.
func (m *reader) classify() element {
	if !m.s.dav {
		return other
	}
	name := string(m.s.local) // does not outlive this function, so it is not copied
	switch m.stack[m.s.depth-1] {
	case response:
		switch name {
		case "href":
			return href
		case "status":
			return status
		case "propstat":
			return propstat
		}
	case propstat:
		switch name {
		case "prop":
			return prop
		case "status":
			return status
		}
	case prop:
		switch name {
		case "resourcetype":
			return resourceType
		case "getcontentlength":
			return contentLength
		case "getlastmodified":
			return lastModified
		}
	case resourceType:
		if name == "collection" {
			return collection
		}
	}
	if m.s.depth == 2 && name == "response" {
		return response
	}
	return other
}

func (m *reader) open(e element) {
	m.stack[m.s.depth] = e
	m.text = m.text[:0]
	m.s.want = e == href || e == status || e == contentLength || e == lastModified
	switch e {
	case response:
		m.at = resource{size: -1}
	case propstat:
		m.props, m.code = resource{size: -1}, 200
	case collection:
		m.props.dir = true
	}
}

// close ends the element that was one level below where the scanner is now.
func (m *reader) close(f func(*resource) error) error {
	depth := m.s.depth + 1
	e := m.stack[depth]
	m.stack[depth] = other
	m.s.want = false
	switch e {
	case href:
		if m.at.href == "" {
			m.at.href = string(trimmed(m.text))
		}
	case status:
		code := statusCode(trimmed(m.text))
		if m.stack[depth-1] == propstat {
			m.code = code
		} else {
			m.at.status = code
		}
	case contentLength:
		if n, ok := number(trimmed(m.text)); ok {
			m.props.size = n
		}
	case lastModified:
		m.props.modTime = httpDate(trimmed(m.text))
	case propstat:
		if m.code/100 == 2 {
			m.at.merge(&m.props)
		}
	case response:
		return f(&m.at)
	}
	return nil
}

func (r *resource) merge(props *resource) {
	r.found = true
	r.dir = r.dir || props.dir
	if props.size >= 0 {
		r.size = props.size
	}
	if !props.modTime.IsZero() {
		r.modTime = props.modTime
	}
}

// statusCode reads a status line: "HTTP/1.1 200 OK". 0 when it is none.
func statusCode(line []byte) int {
	i := bytes.IndexByte(line, ' ') + 1
	if i == 0 || len(line) < i+3 || len(line) > i+3 && line[i+3] != ' ' {
		return 0
	}
	n, ok := decimal(line[i : i+3])
	if !ok {
		return 0
	}
	return n
}

func decimal(b []byte) (int, bool) {
	n, ok := number(b)
	return int(n), ok
}

const monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"

// httpDate reads a date as HTTP and WebDAV write it, "Sun, 06 Nov 1994 08:49:37 GMT", which is worth
// doing by hand: time.Parse is a tenth of a Stat in a guest. The zero time when it is none.
func httpDate(b []byte) time.Time {
	if len(b) != len("Sun, 06 Nov 1994 08:49:37 GMT") || b[7] != ' ' || b[11] != ' ' || b[16] != ' ' || b[19] != ':' || b[22] != ':' || string(b[25:]) != " GMT" {
		return otherDate(b)
	}
	day, year := digits(b, 5, 7), digits(b, 12, 16)
	hour, minute, second := digits(b, 17, 19), digits(b, 20, 22), digits(b, 23, 25)
	month := 0
	for month < len(monthNames) && (monthNames[month] != b[8] || monthNames[month+1] != b[9] || monthNames[month+2] != b[10]) {
		month += 3
	}
	if month == len(monthNames) || day|year|hour|minute|second < 0 {
		return time.Time{}
	}
	return time.Unix(int64(days(year, month/3+1, day))*(24*60*60)+int64((hour*60+minute)*60+second), 0).UTC() // an int may have 32 bits
}

// digits reads the decimal number in b[from:to]; negative when it is none.
//
//go:noinline
func digits(b []byte, from, to int) int {
	n := 0
	for _, c := range b[from:to] {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// otherDate reads a date with another zone or written otherwise.
func otherDate(b []byte) time.Time {
	t, err := time.Parse(time.RFC1123, string(b))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// days counts the days from 1970-01-01 to a date: years begin with March, so that leap days end them.
func days(year, month, day int) int {
	if month < 3 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 719469
}
