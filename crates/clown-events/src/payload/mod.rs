//! The `data` of each event.
//!
//! Writing is derived, so that the order of the fields is the order on the wire. Reading is by [`read_members`], whose
//! errors name the member, which a derived reader's do not.

mod agent;
mod daemon;
mod profile;
mod proxy;
mod registry;
mod usage;

pub use agent::{AgentDetected, AgentUpdated};
pub use daemon::{DaemonShuttingDown, DaemonStarted, ShutdownReason};
pub use profile::{ProfileCreated, ProfileDeleted, ProfileStarted, ProfileStopped, ProfileUpdated};
pub use proxy::{ProxyError, ProxyStarted, ProxyStopped};
pub use registry::{RegistrySyncCompleted, RegistrySyncFailed, RegistrySyncStarted};
pub use usage::{Cost, Tokens, UsageImported, UsageUpdated};

/// Implements `Deserialize` for a struct: these members are required, those after `or_default` are not, others are
/// skipped.
macro_rules! read_members {
    ($name:ident { $($member:ident),* $(; or_default $($optional:ident),+)? }) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members;

                impl<'de> serde::de::Visitor<'de> for Members {
                    type Value = $name;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        let members: &[&str] = &[$(stringify!($member)),*];
                        write!(formatter, "an object with {}", members.join(", "))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        $(let mut $member = None;)*
                        $($(let mut $optional = None;)+)?
                        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                            match key.as_ref() {
                                $(stringify!($member) => {
                                    $crate::error::read_once(&mut map, stringify!($member), &mut $member)?;
                                })*
                                $($(stringify!($optional) => {
                                    $crate::error::read_once(&mut map, stringify!($optional), &mut $optional)?;
                                })+)?
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok($name {
                            $($member: $member.ok_or_else(|| $crate::error::missing(stringify!($member)))?,)*
                            $($($optional: $optional.unwrap_or_default(),)+)?
                        })
                    }
                }

                deserializer.deserialize_map(Members)
            }
        }
    };
}
pub(crate) use read_members;
