package native

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

var layouts = map[string]string{
	berth.TimeRFC3339: time.RFC3339, berth.TimeHTTP: http.TimeFormat, berth.TimeBasic: "20060102T150405Z", berth.TimeDate: "20060102",
}

func layout(format string) (string, error) {
	if l, known := layouts[format]; known {
		return l, nil
	}
	return "", berth.NewError(berth.KindInvalidArgument, "times have the formats rfc3339, http, iso-basic and date, not ", strconv.Quote(format))
}

// FormatTime implements berth.Host.
func (h *Host) FormatTime(nanoseconds int64, format string) (string, error) {
	l, err := layout(format)
	if err != nil {
		return "", err
	}
	return time.Unix(0, nanoseconds).UTC().Format(l), nil
}

// ParseTime implements berth.Host.
func (h *Host) ParseTime(text, format string) (int64, error) {
	l, err := layout(format)
	if err != nil {
		return 0, err
	}
	t, err := time.Parse(l, text)
	if format == berth.TimeHTTP {
		t, err = http.ParseTime(text)
	}
	if err != nil || t.Year() < 1678 || t.Year() > 2261 {
		return 0, berth.NewError(berth.KindInvalidArgument, "the text ", strconv.Quote(text), " is no time of the format ", format)
	}
	return t.UnixNano(), nil
}

// Metric implements berth.Host.
func (h *Host) Metric(name string, counter bool, value int64) error {
	if name == "" || len(name) > berth.MaxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return berth.NewError(berth.KindInvalidArgument, "a metric's name is 1 to 64 lower-case letters, digits, '-' or '_', not ", strconv.Quote(name))
	}
	if counter && value < 0 {
		return berth.NewError(berth.KindInvalidArgument, "the counter ", name, " only goes up: ", strconv.FormatInt(value, 10))
	}
	if h.config.Metric != nil {
		h.config.Metric(name, counter, value)
	}
	return nil
}
