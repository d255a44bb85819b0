package objects

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

func TestStatus(t *testing.T) {
	for code, want := range map[int]struct {
		kind      storagedriver.Kind
		temporary bool
	}{
		400: {storagedriver.KindInvalidArgument, false},
		401: {storagedriver.KindPermission, false},
		403: {storagedriver.KindPermission, false},
		404: {storagedriver.KindNotFound, false},
		405: {storagedriver.KindUnsupported, false},
		408: {storagedriver.KindUnavailable, true},
		409: {storagedriver.KindConflict, false},
		410: {storagedriver.KindNotFound, false},
		412: {storagedriver.KindConflict, false},
		413: {storagedriver.KindLimit, false},
		416: {storagedriver.KindInvalidOffset, false},
		418: {storagedriver.KindUnknown, false},
		429: {storagedriver.KindUnavailable, true},
		500: {storagedriver.KindUnavailable, true},
		501: {storagedriver.KindUnsupported, false},
		502: {storagedriver.KindUnavailable, true},
		503: {storagedriver.KindUnavailable, true},
		504: {storagedriver.KindUnavailable, true},
		507: {storagedriver.KindNoSpace, false},
	} {
		kind, temporary, after := Status(code, nil)
		if kind != want.kind || temporary != want.temporary || after != 0 {
			t.Errorf("%d: want %q, temporary: %v, got %q, temporary: %v, after %v", code, want.kind, want.temporary, kind, temporary, after)
		}
		_, _, after = Status(code, http.Header{"Retry-After": {"7"}})
		if (after == 7*time.Second) != want.temporary {
			t.Errorf("%d: want its Retry-After when it is temporary, got %v", code, after)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0}, {"0", "", 0}, {"120", "", 2 * time.Minute}, {" 3 ", "", 3 * time.Second}, {"-1", "", 0}, {"1.5", "", 0}, {"soon", "", 0},
		{"3601", "", time.Hour}, {"99999999999999999999", "", time.Hour}, {"4294967295", "", time.Hour},
		{at(30 * time.Second), "", 30 * time.Second}, {at(-time.Hour), "", 0}, {at(48 * time.Hour), "", time.Hour},
		{at(30 * time.Second), at(20 * time.Second), 10 * time.Second}, {at(30 * time.Second), "?", 30 * time.Second},
		{now.Add(time.Minute).Format(time.RFC850), "", time.Minute}, {now.Add(time.Minute).Format(time.ANSIC), "", time.Minute},
	} {
		if got := retryAfterOf(http.Header{"Retry-After": {c.value}, "Date": {c.date}}, now); got != c.want {
			t.Errorf("Retry-After: %q, Date: %q: want %v, got %v", c.value, c.date, c.want, got)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, value := range []string{"", "0", "5", "-5", "+5", "1e3", "99999999999999999999", "Sun, 01 Mar 2026 12:00:09 GMT", "Sunday, 01-Mar-26 12:00:09 GMT", "Sun Mar  1 12:00:09 2026", "Sun, 01 Mar 9999 12:00:09 GMT"} {
		f.Add(value, "")
		f.Add(value, "Sun, 01 Mar 2026 12:00:00 GMT")
		f.Add(value, "Sun, 01 Mar 0001 12:00:00 GMT")
	}
	f.Fuzz(func(t *testing.T, value, date string) {
		got := retryAfterOf(http.Header{"Retry-After": {value}, "Date": {date}}, now)
		if got < 0 || got > maxRetryAfter {
			t.Errorf("Retry-After: %q, Date: %q: %v is no pause", value, date, got)
		}
		if n, err := strconv.ParseUint(value, 10, 16); err == nil && got != min(time.Duration(n)*time.Second, maxRetryAfter) {
			t.Errorf("Retry-After: %q: want the seconds, got %v", value, got)
		}
	})
}
