//! The operator's parameters.

use std::time::Duration;

use berth_guest::{Error, Field, Fields, Parameters, Result, UploadLimits, MAX_PRESIGN};

/// The fewest bytes that S3 takes of a part that is not the last.
pub const MIN_PART: u64 = 5 << 20;
/// The most bytes that S3 takes in one request, or copies with one.
pub const MAX_REQUEST: u64 = 5 << 30;
/// The most parts of an upload.
pub const MAX_PARTS: u32 = 10_000;

/// The parameters as they are given.
#[derive(Clone, Debug)]
pub struct Config {
    endpoint: String,
    pub bucket: String,
    rootdirectory: String,
    addressing: String,
    files_under_files: String,
    storage_class: String,
    encryption: String,
    kms_key: String,
    pub redirect: Duration,
    min_part: i64,
    max_part: i64,
    equal_parts: bool,
    pub conditional_writes: bool,
    max_put: i64,
    copy_threshold: i64,
    copy_part: i64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            endpoint: String::new(),
            bucket: String::new(),
            rootdirectory: String::new(),
            addressing: "path".to_owned(),
            files_under_files: "checked".to_owned(),
            storage_class: String::new(),
            encryption: "none".to_owned(),
            kms_key: String::new(),
            redirect: Duration::from_secs(1200),
            min_part: MIN_PART as i64,
            max_part: MAX_REQUEST as i64,
            equal_parts: false,
            conditional_writes: true,
            max_put: MAX_REQUEST as i64,
            copy_threshold: 64 << 20,
            copy_part: 64 << 20,
        }
    }
}

/// What becomes of the keys `a` and `a/b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// The service has both, and so has the driver.
    Stored,
    /// The service refuses the second.
    Refused,
    /// The driver looks before it writes.
    Checked,
}

impl Config {
    /// Decodes and checks the parameters.
    pub fn decode(parameters: &Parameters<'_>) -> Result<Config> {
        let mut config = Config::default();
        parameters.decode(config.fields())?;
        config.check()?;
        Ok(config)
    }

    /// The parameters with their types, bounds and descriptions: the schema is made of them too.
    pub fn fields(&mut self) -> Fields<'_> {
        const BYTES: (i64, i64) = (MIN_PART as i64, MAX_REQUEST as i64);
        let classes = &[
            "",
            "STANDARD",
            "REDUCED_REDUNDANCY",
            "STANDARD_IA",
            "ONEZONE_IA",
            "INTELLIGENT_TIERING",
            "GLACIER_IR",
            "EXPRESS_ONEZONE",
            "OUTPOSTS",
        ];
        Fields::new([
            Field::string("endpoint", &mut self.endpoint)
                .required()
                .describe("URL of the service, such as https://s3.eu-central-1.amazonaws.com or http://127.0.0.1:9000"),
            Field::string("bucket", &mut self.bucket).required().describe("the bucket, which must exist"),
            Field::string("rootdirectory", &mut self.rootdirectory).describe("what all keys begin with, such as registry/one"),
            Field::string("addressing", &mut self.addressing).one_of(&["path", "virtual"]).describe(
                "where the bucket stands in URLs: path (ENDPOINT/BUCKET/KEY, the default) or virtual (BUCKET.ENDPOINT/KEY; that origin is what to allow then)",
            ),
            Field::string("files-under-files", &mut self.files_under_files).one_of(&["stored", "refused", "checked"]).describe(
                "what becomes of the keys a and a/b: stored (the service keeps both, as Amazon's does), refused (it refuses the second, as versitygw does) or checked (the driver looks before each write; the default)",
            ),
            Field::string("storage-class", &mut self.storage_class)
                .one_of(classes)
                .describe("storage class of what is written; the bucket's by default"),
            Field::string("encryption", &mut self.encryption)
                .one_of(&["none", "AES256", "aws:kms"])
                .describe("what the service is asked to encrypt with; none by default, which leaves it to the bucket"),
            Field::string("kms-key-id", &mut self.kms_key).describe("key of KMS, with encryption aws:kms; the service's own by default"),
            Field::duration("redirect", &mut self.redirect)
                .describe("how long URLs are valid that clients are sent to for content, up to 168h; 20m by default, 0s sends nobody"),
            Field::integer("min-part-size", &mut self.min_part)
                .range(1, BYTES.1)
                .describe("fewest bytes of a part of an upload that is not the last; 5 MiB by default, as S3 has it"),
            Field::integer("max-part-size", &mut self.max_part)
                .range(BYTES.0, BYTES.1)
                .describe("most bytes of a part of an upload; 5 GiB by default"),
            Field::boolean("equal-parts", &mut self.equal_parts)
                .describe("all parts of an upload but the last have one size, as Cloudflare R2 demands; false by default"),
            Field::boolean("conditional-writes", &mut self.conditional_writes).describe(
                "the states of uploads are written with If-Match and If-None-Match, so that of two writers that go on with one upload the later certainly fails; true by default, false where the service refuses them or ignores them",
            ),
            Field::integer("max-put-size", &mut self.max_put)
                .range(1, BYTES.1)
                .describe("most bytes that are stored with one request; longer content is uploaded in parts; 5 GiB by default"),
            Field::integer("copy-threshold", &mut self.copy_threshold)
                .range(0, BYTES.1)
                .describe("most bytes that are copied with one request; 64 MiB by default, up to 5 GiB where the service copies no ranges"),
            Field::integer("copy-part-size", &mut self.copy_part)
                .range(BYTES.0, BYTES.1)
                .describe("size of the ranges in which longer content is copied; 64 MiB by default"),
        ])
    }

    fn check(&mut self) -> Result<()> {
        let (_, host) = self.origin()?;
        let in_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let length = self.bucket.len();
        if !(3..=63).contains(&length) || !self.bucket.chars().all(in_bucket) || self.bucket.starts_with(['.', '-']) {
            return Err(must_be(
                "bucket",
                "3 to 63 lower-case letters, digits, \"-\" and \".\", and begin with a letter or a digit",
            ));
        }
        let is_address = host.starts_with('[') || host.chars().all(|c| c.is_ascii_digit() || c == '.' || c == ':');
        if self.is_virtual() && is_address {
            return Err(must_be("addressing", "path, for the endpoint is an address and not a name"));
        }
        self.rootdirectory = self.rootdirectory.trim_matches('/').to_owned();
        let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = |name: &str| !name.is_empty() && name != "." && name != ".." && name.chars().all(in_name);
        if !self.rootdirectory.is_empty() && !self.rootdirectory.split('/').all(fits) {
            return Err(must_be(
                "rootdirectory",
                "names of letters, digits, \".\", \"_\" and \"-\", with \"/\" between them",
            ));
        }
        if !self.kms_key.is_empty()
            && (self.encryption != "aws:kms" || !self.kms_key.chars().all(|c| c.is_ascii_graphic()))
        {
            return Err(must_be("kms-key-id", "the ID of a key, and is for encryption aws:kms alone"));
        }
        if self.redirect > Duration::from_secs(MAX_PRESIGN as u64) || self.redirect.subsec_nanos() != 0 {
            return Err(must_be("redirect", "whole seconds, 0s to 168h"));
        }
        if self.min_part > self.max_part {
            return Err(must_be("min-part-size", "at most max-part-size"));
        }
        Ok(())
    }

    /// The scheme and the host of the endpoint.
    fn origin(&self) -> Result<(&str, &str)> {
        match self.endpoint.trim_end_matches('/').split_once("://") {
            Some((scheme @ ("http" | "https"), host))
                if !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c)) =>
            {
                Ok((scheme, host))
            }
            _ => Err(must_be("endpoint", "http://HOST:PORT or https://HOST:PORT")),
        }
    }

    /// The URL of the bucket, without `/` at its end.
    pub fn bucket_url(&self) -> Result<String> {
        let (scheme, host) = self.origin()?;
        Ok(match self.is_virtual() {
            true => format!("{}://{}.{}", scheme, self.bucket, host),
            false => format!("{}://{}/{}", scheme, host, self.bucket),
        })
    }

    /// Whether the bucket is a part of the host's name.
    pub fn is_virtual(&self) -> bool {
        self.addressing == "virtual"
    }

    /// What all keys begin with: nothing, or names that end with `/`.
    pub fn prefix(&self) -> String {
        match &self.rootdirectory[..] {
            "" => String::new(),
            root => root.to_owned() + "/",
        }
    }

    pub fn tree(&self) -> Tree {
        match &self.files_under_files[..] {
            "stored" => Tree::Stored,
            "refused" => Tree::Refused,
            _ => Tree::Checked,
        }
    }

    /// The headers of all requests that begin an object.
    pub fn object_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/octet-stream".to_owned())];
        if !self.storage_class.is_empty() {
            headers.push(("x-amz-storage-class", self.storage_class.clone()));
        }
        if self.encryption != "none" {
            headers.push(("x-amz-server-side-encryption", self.encryption.clone()));
        }
        if !self.kms_key.is_empty() {
            headers.push(("x-amz-server-side-encryption-aws-kms-key-id", self.kms_key.clone()));
        }
        headers
    }

    pub fn limits(&self) -> UploadLimits {
        UploadLimits {
            min: self.min_part as u64,
            max: self.max_part as u64,
            count: MAX_PARTS,
            equal: self.equal_parts,
            digests: vec!["sha256".to_owned()], // of the signature: the host then reads a part once
            ..UploadLimits::default()
        }
    }

    pub fn max_put(&self) -> u64 {
        self.max_put as u64
    }

    pub fn copy_threshold(&self) -> u64 {
        self.copy_threshold as u64
    }

    pub fn copy_part(&self) -> u64 {
        self.copy_part as u64
    }
}

fn must_be(name: &str, what: &str) -> Error {
    Error::invalid_argument(format!("parameter \"{}\" must be {}", name, what))
}
