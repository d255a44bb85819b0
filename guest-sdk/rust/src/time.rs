/// A point in time: nanoseconds since 1970 UTC. 0 is a time that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// A time that is not known, which is also the default.
    pub const UNKNOWN: Time = Time(0);

    /// Returns the time of so many nanoseconds since 1970 UTC.
    pub const fn from_nanos(nanoseconds: i64) -> Time {
        Time(nanoseconds)
    }

    /// Returns the time of so many seconds since 1970 UTC. One too far away for nanoseconds is the farthest that is not.
    pub const fn from_secs(seconds: i64) -> Time {
        Time(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970 UTC.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970 UTC.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2023-11-14T22:13:20Z`: whole seconds in UTC, but any RFC 3339 is read.
    Rfc3339,
    /// `Tue, 14 Nov 2023 22:13:20 GMT`, as in Last-Modified; the two obsolete forms are read, too.
    Http,
    /// `20231114T221320Z`.
    IsoBasic,
    /// `20231114`, in UTC.
    Date,
}

impl TimeFormat {
    pub(crate) fn name(self) -> &'static str {
        match self {
            TimeFormat::Rfc3339 => "rfc3339",
            TimeFormat::Http => "http",
            TimeFormat::IsoBasic => "iso-basic",
            TimeFormat::Date => "date",
        }
    }
}
