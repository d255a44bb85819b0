package berth

import "time"

// Formats of times.
const (
	// TimeRFC3339 is 2023-11-14T22:13:20Z: whole seconds in UTC, but any RFC 3339 is read.
	TimeRFC3339 = "rfc3339"
	// TimeHTTP is Tue, 14 Nov 2023 22:13:20 GMT, as in Last-Modified.
	TimeHTTP = "http"
	// TimeBasic is 20231114T221320Z.
	TimeBasic = "iso-basic"
	// TimeDate is 20231114, in UTC.
	TimeDate = "date"
)

// FormatTime writes t, which must lie in the years from 1678 to 2261. A guest that uses it need not carry package time's
// formats.
func (c *Call) FormatTime(t time.Time, format string) (string, error) {
	if s := t.Unix(); s < -9214560000 || s >= 9214646400 { // 1678-01-01, 2262-01-01
		return "", NewError(KindInvalidArgument, "a time to be written is not in the years 1678 to 2261")
	}
	return c.host.FormatTime(t.UnixNano(), format)
}

// ParseTime reads a time that FormatTime has written, or another of that format. Any other text is KindInvalidArgument.
func (c *Call) ParseTime(text, format string) (time.Time, error) {
	n, err := c.host.ParseTime(text, format)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(0, n).UTC(), nil
}

// Count adds n, at least 0, to the counter of that name, which the operator sees. Names are lower-case letters, digits, "-" and
// "_", at most MaxName bytes, and a driver has at most MaxMetrics. What the host refuses is a warning
// in its log: no operation fails for it.
func (c *Call) Count(name string, n int64) { c.metric(name, true, n) }

// Gauge sets the gauge of that name to n. It is otherwise as Count.
func (c *Call) Gauge(name string, n int64) { c.metric(name, false, n) }

func (c *Call) metric(name string, counter bool, n int64) {
	if err := c.host.Metric(name, counter, n); err != nil {
		c.host.Log(LevelWarn, "the metric "+name+": "+err.Error())
	}
}
