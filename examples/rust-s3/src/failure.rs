//! What a service's refusals mean.

use std::time::Duration;

use berth_guest::{Call, Error, Kind, Response, TimeFormat};

use crate::config::Config;
use crate::service::{source, CREDENTIAL};
use crate::xml;

/// The most bytes of a service's words that are repeated.
const MAX_WORDS: usize = 300;
/// The longest wait that is passed on.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// What a service says of a failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// One of S3's error codes; empty when it said none, as in answers to HEAD.
    pub code: String,
    pub message: String,
    pub region: String,
    /// What it was about, in an answer about several objects.
    pub key: String,
}

impl Said {
    /// Takes what an element of that name says.
    pub fn set(&mut self, name: &str, text: &str) {
        match name {
            "Code" => self.code = one_line(text),
            "Message" => self.message = one_line(text),
            "Region" => self.region = one_line(text),
            "Key" => self.key = one_line(text),
            _ => {}
        }
    }

    fn read(response: &Response<'_>) -> Said {
        let mut said = Said::default();
        let read = xml::parse(source(response), &mut |path, text| {
            if let Some(name) = path.strip_prefix("Error/") {
                said.set(name, text);
            }
            Ok(())
        });
        drop(read); // what there is says enough
        said
    }

    /// Makes an error of it. `action` is what a policy must grant for the request, such as `s3:GetObject`; `status` is 0 where there
    /// is none of the object's own.
    pub fn error(&self, config: &Config, action: &str, status: u16) -> Error {
        let (kind, advice) = self.meaning(config, action, status);
        let mut text = match &advice[..] {
            "" => String::new(),
            advice => advice.to_owned() + ": ",
        };
        text += "the service answers ";
        text += action;
        text += " with";
        if status != 0 {
            text += " ";
            text += &status.to_string();
        }
        if !self.code.is_empty() {
            text += " ";
            text += &self.code;
        }
        if !self.message.is_empty() {
            text += ": ";
            text += self.message.trim_end_matches('.');
        }
        let mut e = Error::new(kind, text).status(status);
        e.temporary = kind == Kind::Unavailable;
        e
    }

    /// Makes an error of it that came after an answer had begun with 200.
    pub fn late(&self, config: &Config, action: &str) -> Error {
        match &self.code[..] {
            "SlowDown" | "ServiceUnavailable" | "Busy" => self.error(config, action, 503),
            _ => self.error(config, action, 500),
        }
    }

    /// The kind of a failure, and what the operator may do.
    fn meaning(&self, config: &Config, action: &str, status: u16) -> (Kind, String) {
        let credential = |what: &str| (Kind::Permission, format!("{} of credential \"{}\"", what, CREDENTIAL));
        match &self.code[..] {
            "NoSuchKey" => (Kind::NotFound, String::new()),
            "NoSuchUpload" | "InvalidPart" | "InvalidPartOrder" => {
                (Kind::Conflict, "the upload has been ended by another writer".to_owned())
            }
            "NoSuchBucket" => {
                let text = format!(
                    "there is no bucket \"{}\": make it, or look at parameters \"bucket\" and \"endpoint\"",
                    config.bucket
                );
                (Kind::InvalidArgument, text)
            }
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException" => self.elsewhere(config),
            "InvalidAccessKeyId" => credential("the service does not know the access key"),
            "SignatureDoesNotMatch" => credential("look at the secret key"),
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => credential("renew the session token"),
            "RequestTimeTooSkewed" | "RequestExpired" => (Kind::Permission, "look at the host's clock".to_owned()),
            "SlowDown"
            | "ServiceUnavailable"
            | "Busy"
            | "RequestTimeout"
            | "InternalError"
            | "TooManyRequests"
            | "RequestLimitExceeded" => (Kind::Unavailable, String::new()),
            "EntityTooLarge" => (Kind::Limit, String::new()),
            "EntityTooSmall" => (Kind::Limit, "look at parameter \"min-part-size\"".to_owned()),
            "InvalidRange" => (Kind::InvalidOffset, String::new()),
            "KeyTooLongError" => (Kind::InvalidPath, String::new()),
            "InvalidStorageClass" => (Kind::InvalidArgument, "look at parameter \"storage-class\"".to_owned()),
            "NotImplemented" => (Kind::Unsupported, String::new()),
            "QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" => (Kind::NoSpace, String::new()),
            _ => self.by_status(config, action, status),
        }
    }

    fn by_status(&self, config: &Config, action: &str, status: u16) -> (Kind, String) {
        match status {
            301 | 302 | 307 | 308 => self.elsewhere(config),
            404 => (Kind::NotFound, String::new()),
            409 | 412 => (Kind::Conflict, String::new()),
            401 | 403 => (Kind::Permission, format!("credential \"{}\" may not: grant it {}", CREDENTIAL, action)),
            0 if self.code == "AccessDenied" => self.by_status(config, action, 403),
            416 => (Kind::InvalidOffset, String::new()),
            501 => (Kind::Unsupported, String::new()),
            507 => (Kind::NoSpace, String::new()),
            429 | 500..=599 => (Kind::Unavailable, String::new()),
            _ => (Kind::Unknown, String::new()),
        }
    }

    fn elsewhere(&self, config: &Config) -> (Kind, String) {
        let place = match &self.region[..] {
            "" => "elsewhere".to_owned(),
            region => "in region ".to_owned() + region,
        };
        let text = format!(
            "bucket \"{}\" is {}: look at parameter \"endpoint\" and at the region of credential \"{}\"",
            config.bucket, place, CREDENTIAL
        );
        (Kind::InvalidArgument, text)
    }
}

/// Makes an error of an answer that is one.
pub fn failure(c: &Call, config: &Config, action: &str, response: &Response<'_>) -> Error {
    let mut said = Said::read(response);
    if let Some(region) = response.header("x-amz-bucket-region") {
        said.region = one_line(region);
    }
    let e = said.error(config, action, response.status);
    match response.header("retry-after").and_then(|value| wait(c, value)) {
        Some(wait) if e.temporary => e.retry_after(wait),
        _ => e,
    }
}

/// Reads seconds, or a time.
fn wait(c: &Call, value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(MAX_WAIT));
    }
    let until = c.parse_time(value, TimeFormat::Http).ok()?.as_secs();
    let seconds = u64::try_from(until.checked_sub(c.now().as_secs())?).ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

/// Makes text of others fit for an error: one line, not too long, without control characters.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !c.is_control()));
        if line.len() > MAX_WORDS {
            let end = (0..=MAX_WORDS).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
            line.truncate(end);
            line.push_str("...");
            break;
        }
    }
    line
}
