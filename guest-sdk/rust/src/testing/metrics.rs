use super::asked::Asked;
use super::{Host, State};
use crate::constants::{MAX_METRICS, MAX_NAME};
use crate::error::{Error, Kind, Result};

/// A counter or a gauge.
pub(super) struct Metric {
    kind: String,
    value: u64,
}

impl Host {
    /// Returns what [`Call::count`](crate::Call::count) has come to, or what [`Call::gauge`](crate::Call::gauge) was set to last.
    ///
    /// ```
    /// let host = berth_guest::testing::Host::new();
    /// host.call().count("retries", 2);
    /// host.call().count("retries", 1);
    /// assert_eq!((host.metric("retries"), host.metric("others")), (Some(3), None));
    /// ```
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.state.metrics.borrow().get(name).map(|metric| metric.value)
    }
}

impl State {
    pub(super) fn metric(&self, asked: &Asked<'_>) -> Result<()> {
        let in_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
        if asked.name.is_empty() || asked.name.len() > MAX_NAME || !asked.name.bytes().all(in_name) {
            let text = format!("the name of a metric is 1 to {} of a-z, 0-9, - and _, not {:?}", MAX_NAME, asked.name);
            return Err(Error::invalid_argument(text));
        }
        let mut metrics = self.metrics.borrow_mut();
        if metrics.len() == MAX_METRICS && !metrics.contains_key(asked.name) {
            return Err(Error::new(Kind::Limit, format!("more than {} metrics", MAX_METRICS)));
        }
        let metric = metrics.entry(asked.name.to_owned()).or_insert(Metric { kind: asked.kind.to_owned(), value: 0 });
        if metric.kind != asked.kind {
            let text = format!("the metric {} is a {}, not a {}", asked.name, metric.kind, asked.kind);
            return Err(Error::invalid_argument(text));
        }
        let before = if asked.kind == "counter" { metric.value } else { 0 };
        metric.value = before.saturating_add(asked.value);
        Ok(())
    }
}
