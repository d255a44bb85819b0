package berth

// FormatTime implements Host.
func (w *wireHost) FormatTime(nanoseconds int64, format string) (string, error) {
	o := w.message()
	o.int("time", nanoseconds)
	o.str("format", format)
	return w.askText(hostTimeFormat, "time_format", "text")
}

// ParseTime implements Host.
func (w *wireHost) ParseTime(text, format string) (int64, error) {
	o := w.message()
	o.str("text", text)
	o.str("format", format)
	return w.askInt(hostTimeParse, "time_parse", "time")
}

// Metric implements Host.
func (w *wireHost) Metric(name string, counter bool, value int64) error {
	o := w.message()
	o.str("name", name)
	if counter {
		o.str("type", "counter")
	} else {
		o.str("type", "gauge")
	}
	o.int("value", value)
	return w.askNothing(hostMetric, "metric")
}
