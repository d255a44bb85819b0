use core::fmt;
use core::time::Duration;

use crate::constants as numbers;

/// What the functions of a driver return.
pub type Result<T> = core::result::Result<T, Error>;

/// Classifies an error. What the host does with a failure depends on its kind and on nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Kind {
    /// Nothing else fits.
    Unknown = numbers::KIND_UNKNOWN,
    /// There is nothing at the path.
    NotFound = numbers::KIND_NOT_FOUND,
    /// What is asked for cannot be at the path, as a file where a directory is.
    InvalidPath = numbers::KIND_INVALID_PATH,
    /// The offset is beyond the end.
    InvalidOffset = numbers::KIND_INVALID_OFFSET,
    /// The driver does not do that.
    Unsupported = numbers::KIND_UNSUPPORTED,
    /// Somebody else has changed what the operation stands on.
    Conflict = numbers::KIND_CONFLICT,
    /// The backend refuses the credential.
    Permission = numbers::KIND_PERMISSION,
    /// The caller has given up.
    Canceled = numbers::KIND_CANCELED,
    /// The caller's time is over.
    Deadline = numbers::KIND_DEADLINE,
    /// A parameter or an argument is not what it must be.
    InvalidArgument = numbers::KIND_INVALID_ARGUMENT,
    /// What is stored is not what was stored.
    Corrupt = numbers::KIND_CORRUPT,
    /// A limit is reached.
    Limit = numbers::KIND_LIMIT,
    /// The backend cannot be reached, or cannot answer now.
    Unavailable = numbers::KIND_UNAVAILABLE,
    /// The operator does not allow it.
    Denied = numbers::KIND_DENIED,
    /// The backend is full.
    NoSpace = numbers::KIND_NO_SPACE,
    /// A driver failed to answer.
    Guest = numbers::KIND_GUEST,
    /// What is used has been closed.
    Closed = numbers::KIND_CLOSED,
}

const KINDS: [(Kind, &str); 17] = [
    (Kind::Unknown, "unknown error"),
    (Kind::NotFound, "not found"),
    (Kind::InvalidPath, "invalid path"),
    (Kind::InvalidOffset, "invalid offset"),
    (Kind::Unsupported, "unsupported"),
    (Kind::Conflict, "conflict"),
    (Kind::Permission, "permission denied"),
    (Kind::Canceled, "canceled"),
    (Kind::Deadline, "deadline exceeded"),
    (Kind::InvalidArgument, "invalid argument"),
    (Kind::Corrupt, "corrupt"),
    (Kind::Limit, "limit reached"),
    (Kind::Unavailable, "unavailable"),
    (Kind::Denied, "denied by policy"),
    (Kind::NoSpace, "no space"),
    (Kind::Guest, "guest failure"),
    (Kind::Closed, "closed"),
];

impl Kind {
    /// Returns the kind of a number; one that is not known counts as [`Kind::Unknown`].
    pub(crate) fn from_number(n: i64) -> Kind {
        usize::try_from(n).ok().and_then(|i| KINDS.get(i)).map_or(Kind::Unknown, |k| k.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KINDS[*self as usize].1)
    }
}

/// How a driver classifies a failure.
///
/// ```
/// use berth_guest::{Error, Kind};
/// use core::time::Duration;
///
/// let e = Error::new(Kind::Unavailable, "slow down")
///     .temporary()
///     .retry_after(Duration::from_secs(2))
///     .status(503);
/// assert_eq!(e.to_string(), "unavailable: slow down");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What failed.
    pub kind: Kind,
    /// The same call may succeed later.
    pub temporary: bool,
    /// How long the backend asked to be left alone; zero when it did not say. It crosses in whole milliseconds.
    pub retry_after: Duration,
    /// The HTTP status behind it, 0 when there is none.
    pub status: u16,
    /// One line without secrets; of more than [`MAX_TEXT`](numbers::MAX_TEXT) bytes the end is lost.
    pub message: String,
}

impl Error {
    /// Returns an error that is not temporary.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, temporary: false, retry_after: Duration::ZERO, status: 0, message: message.into() }
    }

    /// There is nothing at the path.
    pub fn not_found() -> Error {
        Error::new(Kind::NotFound, "")
    }

    /// An offset lies beyond the end of what is read.
    pub fn invalid_offset() -> Error {
        Error::new(Kind::InvalidOffset, "beyond the end")
    }

    /// What is asked for cannot be at the path.
    pub fn invalid_path(message: impl Into<String>) -> Error {
        Error::new(Kind::InvalidPath, message)
    }

    /// An argument is not what it must be.
    pub fn invalid_argument(message: impl Into<String>) -> Error {
        Error::new(Kind::InvalidArgument, message)
    }

    /// The driver does not do `operation`.
    pub fn unsupported(operation: &str) -> Error {
        Error::new(Kind::Unsupported, operation.to_owned() + " is not supported by this driver")
    }

    /// Says that the same call may succeed later.
    #[must_use]
    pub fn temporary(mut self) -> Error {
        self.temporary = true;
        self
    }

    /// Says how long the backend asked to be left alone.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Error {
        self.retry_after = wait;
        self
    }

    /// Names the HTTP status behind it.
    #[must_use]
    pub fn status(mut self, status: u16) -> Error {
        self.status = status;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if self.message.is_empty() {
            return Ok(());
        }
        f.write_str(": ")?;
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for std::io::Error {
    fn from(e: Error) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::Other, e)
    }
}

/// Gives back the [`Error`] that an [`io::Error`](std::io::Error) was made of; any other is [`Kind::Unknown`].
impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Error {
        match e.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(own) => own.clone(),
            None => Error::new(Kind::Unknown, e.to_string()),
        }
    }
}
