//! The one table from what services say to what a client is told.

use super::Refusal;
use clown_core::agents::AgentError;
use clown_core::keys::KeyError;
use clown_core::launch::{LaunchError, MergeError};
use clown_core::profiles::ProfileError;
use clown_core::proxies::ProxyFault;
use clown_core::registry::{IndexError, InvalidChannel, RegistryError};
use clown_core::runs::RunError;
use clown_core::store::StoreError;
use clown_core::usage::{SpanError, UnknownZone, UsageError};
use clown_core::{CheckError, ExplainError, InvalidAlias, PrepareError};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use std::error::Error;
use std::sync::Arc;

const BAD_GATEWAY: StatusCode = StatusCode::BAD_GATEWAY;
const CONFLICT: StatusCode = StatusCode::CONFLICT;
const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
const WRONG: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let (status, code) = store(&error);
        refuse(status, code, &error)
    }
}

impl From<InvalidAlias> for Refusal {
    fn from(error: InvalidAlias) -> Self {
        refuse(WRONG, "invalid_alias", &error)
    }
}

impl From<ProfileError> for Refusal {
    fn from(error: ProfileError) -> Self {
        let (status, code) = profile(&error);
        refuse(status, code, &error)
    }
}

impl From<AgentError> for Refusal {
    fn from(error: AgentError) -> Self {
        let (status, code) = match &error {
            AgentError::NotFound { .. } => (NOT_FOUND, "agent_not_found"),
            AgentError::Store(error) => store(error),
            _ => INTERNAL,
        };
        refuse(status, code, &error)
    }
}

impl From<RunError> for Refusal {
    fn from(error: RunError) -> Self {
        let (status, code) = run(&error);
        refuse(status, code, &error)
    }
}

impl From<InvalidChannel> for Refusal {
    fn from(error: InvalidChannel) -> Self {
        refuse(WRONG, "invalid_channel", &error)
    }
}

/// Several can wait for one sync, and each is told.
impl From<Arc<RegistryError>> for Refusal {
    fn from(error: Arc<RegistryError>) -> Self {
        let (status, code) = registry(&error);
        refuse(status, code, &*error)
    }
}

impl From<UsageError> for Refusal {
    fn from(error: UsageError) -> Self {
        let (status, code) = match &error {
            UsageError::NoSource { .. } => (NOT_FOUND, "usage_source_not_found"),
            UsageError::NoFolder { .. } => (NOT_FOUND, "usage_folder_not_found"),
            UsageError::Store(error) => store(error),
            _ => INTERNAL,
        };
        refuse(status, code, &error)
    }
}

impl From<UnknownZone> for Refusal {
    fn from(error: UnknownZone) -> Self {
        refuse(StatusCode::BAD_REQUEST, "invalid_parameter", &error)
    }
}

impl From<SpanError> for Refusal {
    fn from(error: SpanError) -> Self {
        refuse(StatusCode::BAD_REQUEST, "invalid_parameter", &error)
    }
}

impl From<PrepareError> for Refusal {
    fn from(error: PrepareError) -> Self {
        let (status, code) = match &error {
            PrepareError::Profile(error) => profile(error),
            PrepareError::NotInstalled { .. } => (WRONG, "agent_not_installed"),
            PrepareError::NoWorkingFolder { .. } => (WRONG, "working_dir_missing"),
            PrepareError::Key(error) => key(error),
            PrepareError::Launch(error) => launch(error),
            PrepareError::Merge(error) => merge(error),
            PrepareError::Run(error) => run(error),
            PrepareError::Busy => (UNAVAILABLE, "busy"),
            PrepareError::Proxy(fault) => proxy(fault),
            _ => INTERNAL,
        };
        refuse(status, code, &error)
    }
}

impl From<ExplainError> for Refusal {
    fn from(error: ExplainError) -> Self {
        let (status, code) = match &error {
            ExplainError::Profile(error) => profile(error),
            ExplainError::Request(_) => (WRONG, "request_unreadable"),
            _ => INTERNAL,
        };
        refuse(status, code, &error)
    }
}

impl From<CheckError> for Refusal {
    fn from(error: CheckError) -> Self {
        let (status, code) = match &error {
            CheckError::NotFound { .. } => (NOT_FOUND, "provider_not_found"),
            CheckError::Broken(_) => (WRONG, "manifest_broken"),
            CheckError::OwnLogin(_) => (WRONG, "provider_not_checkable"),
            CheckError::UnknownEndpoint { .. } => (WRONG, "endpoint_not_found"),
            CheckError::OtherProvider { .. } => (WRONG, "profile_of_other_provider"),
            CheckError::Profile(error) => profile(error),
            CheckError::ProfileKey(error) => key(error),
            CheckError::Key(_) => (WRONG, "key_missing"),
            CheckError::Busy => (UNAVAILABLE, "busy"),
            _ => INTERNAL,
        };
        refuse(status, code, &error)
    }
}

/// A status and a word for programs.
type Told = (StatusCode, &'static str);

const INTERNAL: Told = (FAILED, "internal_error");

fn store(error: &StoreError) -> Told {
    match error {
        StoreError::Full(_) => (UNAVAILABLE, "disk_full"),
        StoreError::Unwritable(_) => (UNAVAILABLE, "database_unwritable"),
        StoreError::Closed => (UNAVAILABLE, "stopping"),
        StoreError::Corrupt(_) => (FAILED, "database_damaged"),
        _ => INTERNAL,
    }
}

fn profile(error: &ProfileError) -> Told {
    match error {
        ProfileError::InvalidAlias(_) => (WRONG, "invalid_alias"),
        ProfileError::NotFound(_) => (NOT_FOUND, "profile_not_found"),
        ProfileError::Exists(_) => (CONFLICT, "profile_exists"),
        ProfileError::Broken { .. } => (WRONG, "profile_broken"),
        ProfileError::Running { .. } => (CONFLICT, "profile_running"),
        ProfileError::Changed(_) => (CONFLICT, "profile_changed"),
        ProfileError::Changing(_) => (CONFLICT, "profile_changing"),
        ProfileError::FolderMissing { .. } => (UNAVAILABLE, "profiles_folder_missing"),
        ProfileError::Invalid { .. } => (WRONG, "invalid_profile"),
        ProfileError::UnknownMembers { .. } => (WRONG, "unknown_members"),
        ProfileError::File { .. } => (FAILED, "profile_file_failed"),
        ProfileError::Key(error) => key(error),
        ProfileError::Store(error) => store(error),
        _ => INTERNAL,
    }
}

fn key(error: &KeyError) -> Told {
    match error {
        KeyError::VariableUnset { .. } | KeyError::NotStored { .. } => (WRONG, "key_missing"),
        KeyError::CommandFailed { .. }
        | KeyError::CommandNotStarted { .. }
        | KeyError::CommandTimeout { .. } => (WRONG, "key_command_failed"),
        KeyError::File { .. } => (WRONG, "key_file_unreadable"),
        KeyError::Unusable { .. } | KeyError::Refused { .. } => (WRONG, "invalid_key"),
        KeyError::NotFound(_) => (NOT_FOUND, "key_not_found"),
        KeyError::OtherProvider { .. } => (WRONG, "key_of_other_provider"),
        KeyError::ProviderMissing(_) => (WRONG, "provider_missing"),
        KeyError::Taken { .. } => (CONFLICT, "key_exists"),
        KeyError::InUse { .. } => (CONFLICT, "key_in_use"),
        KeyError::Keyring { .. } => (UNAVAILABLE, "keyring_locked"),
        KeyError::StoreFile { .. } => (FAILED, "key_store_failed"),
        _ => INTERNAL,
    }
}

fn launch(error: &LaunchError) -> Told {
    match error {
        LaunchError::NoSharedFormat { .. } | LaunchError::EndpointFormat { .. } => {
            (WRONG, "provider_not_usable")
        }
        LaunchError::AddressIncomplete { .. } => (WRONG, "address_incomplete"),
        LaunchError::UnknownEndpoint { .. } => (WRONG, "endpoint_not_found"),
        LaunchError::KeyMissing { .. } => (WRONG, "key_missing"),
        LaunchError::NoHooks { .. } => (WRONG, "hooks_not_supported"),
        LaunchError::NoMcp { .. } | LaunchError::NoMcpKind { .. } => (WRONG, "mcp_not_supported"),
        LaunchError::Template { .. } => (WRONG, "agent_manifest_broken"),
        _ => INTERNAL,
    }
}

fn merge(error: &MergeError) -> Told {
    match error {
        MergeError::Malformed { .. } | MergeError::WrongType { .. } => {
            (WRONG, "agent_file_malformed")
        }
        _ => (FAILED, "agent_file_failed"),
    }
}

fn run(error: &RunError) -> Told {
    match error {
        RunError::NotFound(_) => (NOT_FOUND, "run_not_found"),
        RunError::NoCaller { .. } | RunError::NoAgent { .. } => (WRONG, "process_not_found"),
        RunError::StartedOtherwise { .. } => (CONFLICT, "run_started_otherwise"),
        RunError::Abandoned { .. } => (CONFLICT, "run_abandoned"),
        RunError::Record { .. } => (FAILED, "exit_record_failed"),
        RunError::Store(error) => store(error),
        _ => INTERNAL,
    }
}

fn proxy(fault: &ProxyFault) -> Told {
    match fault {
        ProxyFault::NotEnabled(_) => (WRONG, "proxy_not_enabled"),
        ProxyFault::PortInUse { .. } => (CONFLICT, "port_in_use"),
        ProxyFault::NotStarted { .. } => (FAILED, "proxy_not_started"),
        ProxyFault::NotStopped { .. } => (FAILED, "proxy_not_stopped"),
        ProxyFault::Folder { .. } => (FAILED, "proxy_folder_failed"),
        ProxyFault::Stopping => (UNAVAILABLE, "stopping"),
        ProxyFault::Store(error) => store(error),
        _ => INTERNAL,
    }
}

fn registry(error: &RegistryError) -> Told {
    match error {
        RegistryError::Unreachable { .. }
        | RegistryError::Status { .. }
        | RegistryError::Unreadable { .. }
        | RegistryError::Missing { .. }
        | RegistryError::TooSlow { .. } => (BAD_GATEWAY, "registry_unreachable"),
        RegistryError::TooLarge { .. }
        | RegistryError::OtherIndex { .. }
        | RegistryError::Damaged { .. } => (BAD_GATEWAY, "registry_invalid"),
        RegistryError::Index {
            source: IndexError::Format(_) | IndexError::Version { .. },
            ..
        } => (BAD_GATEWAY, "clown_too_old"),
        RegistryError::Index { .. } => (BAD_GATEWAY, "registry_invalid"),
        RegistryError::NotSigned { .. } | RegistryError::Signature { .. } => {
            (BAD_GATEWAY, "registry_signature_invalid")
        }
        RegistryError::NotAuthentic { .. } => (WRONG, "registry_not_authentic"),
        RegistryError::Older { .. } | RegistryError::SameSerial { .. } => {
            (CONFLICT, "registry_older")
        }
        RegistryError::InvalidCommit(_) | RegistryError::AmbiguousCommit { .. } => {
            (WRONG, "invalid_commit")
        }
        RegistryError::NoSuchCommit { .. } => (NOT_FOUND, "commit_not_found"),
        RegistryError::NoRegistry => (WRONG, "registry_not_set"),
        RegistryError::Disk { .. } | RegistryError::NotWhole { .. } => {
            (FAILED, "registry_folder_failed")
        }
        RegistryError::Busy => (UNAVAILABLE, "busy"),
        RegistryError::Stopped => (UNAVAILABLE, "stopping"),
        RegistryError::Store(error) => store(error),
        _ => INTERNAL,
    }
}

fn refuse(status: StatusCode, code: &'static str, error: &(dyn Error + 'static)) -> Refusal {
    if status.is_server_error() {
        tracing::error!(error, code, "a request failed");
    }
    let refusal = Refusal::new(status, code, with_causes(error));
    match status {
        UNAVAILABLE => refusal.with_header(RETRY_AFTER, HeaderValue::from_static("5")),
        _ => refusal,
    }
}

/// The sentence of an error and those of its causes, as far as they do not repeat it.
pub(super) fn with_causes(error: &(impl Error + ?Sized + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
