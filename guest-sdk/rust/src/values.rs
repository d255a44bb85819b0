use crate::call::{Call, Level};
use crate::constants::{HOST_METRIC, HOST_TIME_FORMAT, HOST_TIME_PARSE};
use crate::error::Result;
use crate::time::{Time, TimeFormat};

impl Call {
    /// Writes a time.
    pub fn format_time(&self, time: Time, format: TimeFormat) -> Result<String> {
        self.ask_text(HOST_TIME_FORMAT, "time_format", "text", &mut |m| {
            m.int("time", time.as_nanos());
            m.text("format", format.name());
        })
    }

    /// Reads a time of a format. Any other text is `InvalidArgument`, as are years before 1678 and after 2261.
    pub fn parse_time(&self, text: &str, format: TimeFormat) -> Result<Time> {
        let nanoseconds = self.ask_int(HOST_TIME_PARSE, "time_parse", "time", &mut |m| {
            m.text("text", text);
            m.text("format", format.name());
        })?;
        Ok(Time::from_nanos(nanoseconds))
    }

    /// Adds `n` to the counter of that name, which the operator sees. Names are lower-case letters, digits, `-` and `_`, at most
    /// [`MAX_NAME`](crate::MAX_NAME) bytes, and a driver has at most [`MAX_METRICS`](crate::MAX_METRICS). What the host
    /// refuses is a warning in its log: no operation fails for it.
    pub fn count(&self, name: &str, n: u64) {
        self.metric(name, "counter", n);
    }

    /// Sets the gauge of that name. It is otherwise as [`count`](Call::count).
    pub fn gauge(&self, name: &str, n: u64) {
        self.metric(name, "gauge", n);
    }

    fn metric(&self, name: &str, kind: &str, n: u64) {
        let done = self.ask_nothing(HOST_METRIC, "metric", &mut |m| {
            m.text("name", name);
            m.text("type", kind);
            m.uint("value", n);
        });
        if let Err(e) = done {
            self.log(Level::Warn, &("the metric ".to_owned() + name + ": " + &e.to_string()));
        }
    }
}
