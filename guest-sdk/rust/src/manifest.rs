use core::ops::{BitAnd, BitOr, BitOrAssign};

use crate::constants as numbers;
use crate::fields::Schema;
use crate::json::Writer;

/// A set of what a driver does beyond the five functions.
///
/// ```
/// use berth_guest::Abilities;
///
/// let a = Abilities::COPY | Abilities::MOVE;
/// assert!(a.has(Abilities::COPY) && !a.has(Abilities::PARTS));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Abilities(u64);

impl Abilities {
    /// None.
    pub const NONE: Abilities = Abilities(0);
    /// Copies files.
    pub const COPY: Abilities = Abilities(numbers::ABILITY_COPY);
    /// Moves files.
    pub const MOVE: Abilities = Abilities(numbers::ABILITY_MOVE);
    /// Moves directories, too.
    pub const MOVE_TREE: Abilities = Abilities(numbers::ABILITY_MOVE_TREE);
    /// Joins files.
    pub const CONCAT: Abilities = Abilities(numbers::ABILITY_CONCAT);
    /// Takes uploads in parts.
    pub const PARTS: Abilities = Abilities(numbers::ABILITY_PARTS);
    /// Lists all that is below a directory.
    pub const LIST_TREE: Abilities = Abilities(numbers::ABILITY_LIST_TREE);
    /// Answers with URLs.
    pub const REDIRECT: Abilities = Abilities(numbers::ABILITY_REDIRECT);
    /// Removes all that is below a directory.
    pub const DELETE_TREE: Abilities = Abilities(numbers::ABILITY_DELETE_TREE);
    /// Lists in no order.
    pub const UNSORTED: Abilities = Abilities(numbers::ABILITY_UNSORTED);
    /// Appends to files that are there.
    pub const APPEND_COMMITTED: Abilities = Abilities(numbers::ABILITY_APPEND_COMMITTED);
    /// Has files below files.
    pub const FILES_UNDER_FILES: Abilities = Abilities(numbers::ABILITY_FILES_UNDER_FILES);
    /// Knows conditional requests.
    pub const CONDITIONAL: Abilities = Abilities(numbers::ABILITY_CONDITIONAL);
    /// Does the same when an operation is repeated.
    pub const IDEMPOTENT: Abilities = Abilities(numbers::ABILITY_IDEMPOTENT);
    /// Lists unfinished uploads.
    pub const LIST_UPLOADS: Abilities = Abilities(numbers::ABILITY_LIST_UPLOADS);

    /// Reports whether all of `other` are in the set.
    pub const fn has(self, other: Abilities) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the set of what is in either; for constants, where `|` cannot be.
    #[must_use]
    pub const fn union(self, other: Abilities) -> Abilities {
        Abilities(self.0 | other.0)
    }

    /// The bits that cross to the host.
    pub const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Abilities {
        Abilities(bits)
    }

    /// Returns the set of what is in both; for constants, where `&` cannot be.
    #[must_use]
    pub const fn intersection(self, other: Abilities) -> Abilities {
        Abilities(self.0 & other.0)
    }

    /// Lists the abilities by name.
    pub fn names(self) -> Vec<&'static str> {
        let all = numbers::ABILITY_NAMES.iter().enumerate();
        all.filter(|(bit, _)| self.has(Abilities(1 << bit))).map(|(_, name)| *name).collect()
    }
}

impl BitOr for Abilities {
    type Output = Abilities;

    fn bitor(self, other: Abilities) -> Abilities {
        self.union(other)
    }
}

impl BitAnd for Abilities {
    type Output = Abilities;

    fn bitand(self, other: Abilities) -> Abilities {
        self.intersection(other)
    }
}

impl BitOrAssign for Abilities {
    fn bitor_assign(&mut self, other: Abilities) {
        *self = *self | other;
    }
}

/// Says what a driver is and what it asks for, before it is opened.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// The driver's name: lower-case letters, digits, `-`, `_`, at most 64 bytes.
    pub name: &'static str,
    /// The driver's own version.
    pub version: &'static str,
    /// One line.
    pub description: &'static str,
    /// Of the parameters that the driver is opened with: [`Fields::schema`](crate::Fields::schema).
    pub parameters: Schema,
    /// The origins it wants to reach, templates over its parameters: `{endpoint}`.
    pub hosts: &'static [&'static str],
    /// Names that it uses of the stores that the operator may lend it: lower-case letters, digits, `-`, `_`, at most
    /// [`MAX_NAME`](crate::MAX_NAME) bytes, at most 16.
    pub stores: &'static [&'static str],
    /// Likewise of credentials.
    pub credentials: &'static [&'static str],
    /// Likewise of secrets.
    pub secrets: &'static [&'static str],
    /// The most bytes of linear memory it expects to need; 0 when it cannot say.
    pub memory: u64,
    /// 1 for a driver that keeps state in memory, else 0.
    pub instances: u32,
    /// The most that opening may answer with.
    pub abilities: Abilities,
}

impl Manifest {
    /// Returns the manifest as docs/abi.md of Berth wants it.
    pub fn json(&self) -> String {
        let mut w = Writer::default();
        w.begin('{');
        w.member("name").text(self.name);
        w.member("version").text(self.version);
        w.member("description").text(self.description);
        w.member("schema").raw(self.parameters.as_str());
        w.member("hosts").texts(self.hosts);
        let lent = [("stores", self.stores), ("credentials", self.credentials), ("secrets", self.secrets)];
        for (member, names) in lent {
            if !names.is_empty() {
                w.member(member).texts(names);
            }
        }
        let numbers = [("memory", self.memory), ("instances", self.instances.into())];
        for (member, n) in numbers {
            if n > 0 {
                w.member(member).raw(&n.to_string());
            }
        }
        w.member("abilities").texts(&self.abilities.names());
        w.end('}');
        w.out
    }
}

/// What opening a driver answers with.
#[derive(Debug)]
pub struct Opened<D> {
    /// The driver.
    pub driver: D,
    /// What it does; at most what the manifest says.
    pub abilities: Abilities,
    /// The most bytes that one put may have; 0 means no limit.
    pub max_object: u64,
}

impl<D> Opened<D> {
    /// A driver of five functions.
    pub fn new(driver: D) -> Self {
        Opened { driver, abilities: Abilities::NONE, max_object: 0 }
    }

    /// Says what it does beyond them.
    #[must_use]
    pub fn abilities(mut self, abilities: Abilities) -> Self {
        self.abilities = abilities;
        self
    }

    /// Says how many bytes one put may have at most.
    #[must_use]
    pub fn max_object(mut self, bytes: u64) -> Self {
        self.max_object = bytes;
        self
    }
}
