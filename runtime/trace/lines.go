package trace

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// longestLine is the most bytes of a line of a transcript.
const longestLine = 400

// lines keeps the last of what was added.
type lines struct {
	mu      sync.Mutex
	most    int
	list    []string
	dropped int
}

// Transcribing reports whether Transcript will tell of anything.
func (r *Recorder) Transcribing() bool { return r.lines != nil }

// NamesSources reports whether it is to name lines of source.
func (r *Recorder) NamesSources() bool { return r.Transcribing() && r.options.Sources }

// Transcribe adds the line of a record, if it has one, to the transcript.
func (r *Recorder) Transcribe(rec *Record) {
	if r.lines == nil {
		return
	}
	text := rec.Line()
	switch {
	case text == "":
		return
	case rec.Source != "" && rec.Kind == KindReturn:
		text += "\n      " + strings.ReplaceAll(rec.Source, "\n", "\n      ")
	case rec.Source != "":
		text += "  at " + rec.Source
	}
	l := r.lines
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == l.most {
		l.list = append(l.list[:0], l.list[1:]...)
		l.dropped++
	}
	line := fmt.Sprintf("[%d] %s", rec.Instance, text)
	l.list = append(l.list, line)
	if r.options.Line != nil {
		r.options.Line(line, rec.Took)
	}
}

// Transcript returns what was transcribed since it was last called, a line for each host call and each operation with
// the number of the instance before it, and begins anew. It is "" when there was nothing.
func (r *Recorder) Transcript() string {
	if r.lines == nil {
		return ""
	}
	l := r.lines
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.Join(l.list, "\n")
	if l.dropped > 0 {
		text = fmt.Sprintf("(%d lines before)\n%s", l.dropped, text)
	}
	l.list, l.dropped = l.list[:0], 0
	return text
}

// Line tells of a record in one line. It is "" for those that say little: clocks, and calls that are not
// operations.
func (rec *Record) Line() string {
	switch {
	case rec.Kind == KindCall && rec.Func == abi.ExportDispatch && len(rec.Args) > 0:
		return clip(rec.describe())
	case rec.Kind == KindHost && (rec.Func == importFdWrite || strings.HasPrefix(rec.Func, abi.Module+".") && rec.Func != importNow && rec.Func != importRandom),
		rec.Kind == KindHost && rec.Trap != nil,
		rec.Kind == KindReturn && (rec.Trap != nil || rec.Reply != nil),
		rec.Kind == KindError && rec.Error != nil:
		return "  " + clip(rec.describe())
	}
	return ""
}

func clip(s string) string {
	if len(s) <= longestLine {
		return s
	}
	return s[:runeAt([]byte(s), longestLine)] + "..."
}

const (
	importFdWrite = "wasi_snapshot_preview1.fd_write"
	importNow     = abi.Module + "." + abi.ImportNow
	importRandom  = abi.Module + "." + abi.ImportRandom
	importCall    = abi.Module + "." + abi.ImportCall
	importTake    = abi.Module + "." + abi.ImportTake
)

// Describe tells of a record in one line of at most some KiB.
func (rec *Record) Describe() string {
	text := rec.describe()
	if len(text) > 4*abi.MaxText {
		return text[:runeAt([]byte(text), 4*abi.MaxText)] + "..."
	}
	return text
}

func (rec *Record) describe() string {
	switch rec.Kind {
	case KindCall:
		if rec.Func == abi.ExportDispatch && len(rec.Args) > 0 {
			return abi.Op(rec.Args[0]).String() + " " + said(rec.Said, true)
		}
		return rec.Func + numbers(rec.Args)
	case KindHost:
		return rec.host()
	case KindReturn:
		switch {
		case rec.Trap != nil:
			return "traps: " + rec.Trap.Text
		case rec.Reply != nil:
			return "answers " + Message(rec.Reply, abi.MaxText)
		}
		return "answers" + numbers(rec.Results)
	case KindError:
		if rec.Error != nil {
			return "error of " + rec.Op + ": " + rec.Error.Text
		}
	case KindStop:
		return "the recording stops: " + rec.Reason
	}
	return rec.Kind
}

func said(s *Said, message bool) string {
	switch {
	case s == nil:
		return ""
	case s.SHA256 != "":
		return fmt.Sprintf("%d bytes, sha256 %.12s, %s", s.Len, s.SHA256, Text(s.Data, 64))
	case message:
		return Message(s.Data, abi.MaxText)
	}
	return Text(s.Data, abi.MaxText)
}

func numbers(list []uint64) string {
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = fmt.Sprintf("%#x", n)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// host tells of a host call: what was asked, and what came of it.
func (rec *Record) host() string {
	asked := rec.Asked()
	switch {
	case rec.Trap != nil:
		return asked + ": traps: " + rec.Trap.Text
	case len(rec.Results) == 1 && int64(rec.Results[0]) < 0 && strings.HasPrefix(rec.Func, abi.Module+"."):
		return fmt.Sprintf("%s: fails: kind %d", asked, -1-int64(rec.Results[0]))
	case rec.Func == importCall && len(rec.Writes) == 0:
		return fmt.Sprintf("%s: %s", asked, sizeOf(rec.Results))
	case rec.Func == importCall || rec.Func == importTake:
		return asked + ": " + heard(rec)
	case len(rec.Results) == 1:
		return fmt.Sprintf("%s: %d", asked, int64(rec.Results[0]))
	}
	return asked
}

func sizeOf(results []uint64) string {
	if len(results) == 1 {
		return fmt.Sprintf("a reply of %d bytes", results[0])
	}
	return "nothing"
}

// Asked tells what a host call asks for.
func (rec *Record) Asked() string {
	arg := func(i int) uint64 {
		if i < len(rec.Args) {
			return rec.Args[i]
		}
		return 0
	}
	name := strings.TrimPrefix(rec.Func, abi.Module+".")
	switch rec.Func {
	case importCall:
		op := abi.HostOp(arg(0))
		if op == abi.HostHTTP && rec.Said != nil {
			var m abi.HTTPRequest
			if abi.Decode(rec.Said.Data, &m) == nil {
				return fmt.Sprintf("http %s %s %s", plain(m.Method), plain(m.URL), Message(rec.Said.Data, abi.MaxText))
			}
		}
		if op == abi.HostHTTPAll && rec.Said != nil {
			var m abi.HTTPAllRequest
			if abi.Decode(rec.Said.Data, &m) == nil {
				var each []string
				for _, r := range m.Requests {
					each = append(each, plain(r.Method)+" "+plain(r.URL))
				}
				return fmt.Sprintf("http_all %s %s", strings.Join(each, ", "), Message(rec.Said.Data, abi.MaxText))
			}
		}
		return op.String() + " " + said(rec.Said, true)
	case abi.Module + "." + abi.ImportRead:
		return fmt.Sprintf("read %#x into %d bytes", arg(0), arg(2))
	case abi.Module + "." + abi.ImportWrite:
		return fmt.Sprintf("write %#x %s", arg(0), said(rec.Said, false))
	case abi.Module + "." + abi.ImportLog:
		return fmt.Sprintf("log %d %s", arg(0), said(rec.Said, false))
	case importFdWrite:
		return fmt.Sprintf("fd_write %d %s", arg(0), said(rec.Said, false))
	}
	if rec.Said != nil {
		return name + numbers(rec.Args) + " " + said(rec.Said, false)
	}
	return name + numbers(rec.Args)
}

// heard tells of the reply to call or take.
func heard(rec *Record) string {
	b := rec.Writes[0].Data
	var m abi.HTTPReply
	if rec.Func == importCall && len(rec.Args) > 0 && abi.HostOp(rec.Args[0]) == abi.HostHTTP {
		if failure, err := abi.DecodeReply(b, &m); err == nil && failure == nil {
			return fmt.Sprintf("%d %s", m.Status, Message(b, abi.MaxText))
		}
	}
	if rec.Func == importCall && len(rec.Args) > 0 && abi.HostOp(rec.Args[0]) == abi.HostHTTPAll {
		return heardAll(b) + Message(b, abi.MaxText)
	}
	return Message(b, abi.MaxText)
}

// heardAll tells of each of several replies its status, or its kind of failure.
func heardAll(b []byte) string {
	var m abi.HTTPAllReply
	if failure, err := abi.DecodeReply(b, &m); err != nil || failure != nil {
		return ""
	}
	var each []string
	for _, r := range m.Replies {
		if r.Err != nil {
			each = append(each, storagedriver.Kind(r.Err.Kind).String())
			continue
		}
		each = append(each, strconv.Itoa(r.Status))
	}
	return strings.Join(each, ", ") + " "
}

// plain is text of a guest's without what a terminal would obey.
func plain(text string) string {
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}
