use std::io;
use std::path::PathBuf;

/// An agent cannot be started like this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Agent and provider do not speak the same.
    #[error(
        "{agent} cannot use the provider {provider}: they have no wire format in common; {agent} works with {}{}{}",
        some(providers),
        also(provider, agents),
        if *could_translate { ". A proxy of the profile translates between them: proxy_config.enabled=true" } else { "" }
    )]
    NoSharedFormat {
        /// The agent's id.
        agent: String,
        /// The provider's id.
        provider: String,
        /// The ids of providers that the agent would work with.
        providers: Vec<String>,
        /// The ids of agents that would work with the provider, as far as they are known.
        agents: Vec<String>,
        /// Whether a proxy could stand between them and translate.
        could_translate: bool,
    },
    /// The provider's address has parts that the profile has to say.
    #[error(
        "the address of {provider} needs {about}{}: set {variable} in the profile's env, for example with --env {variable}={example}",
        if *unfit { ", of letters, digits, hyphens, dots and underscores" } else { "" }
    )]
    AddressIncomplete {
        /// The provider's id.
        provider: String,
        /// The variable.
        variable: String,
        /// What it is.
        about: String,
        /// A value as it may look.
        example: String,
        /// Whether there is a value, which cannot stand in an address.
        unfit: bool,
    },
    /// The endpoint that the profile names is not there.
    #[error(
        "the provider {provider} has no endpoint `{endpoint}`: it has {}",
        list(known)
    )]
    UnknownEndpoint {
        /// The provider's id.
        provider: String,
        /// What the profile names.
        endpoint: String,
        /// The ids of its endpoints.
        known: Vec<String>,
    },
    /// The endpoint that the profile names serves nothing that the agent speaks.
    #[error(
        "{agent} cannot use the endpoint `{endpoint}` of {provider}: they have no wire format in common; choose another endpoint, or none"
    )]
    EndpointFormat {
        /// The agent's id.
        agent: String,
        /// The provider's id.
        provider: String,
        /// The endpoint's id.
        endpoint: String,
    },
    /// The provider wants a key and there is none.
    #[error(
        "the provider {provider} needs a key and this profile has none: set one, for example with --key-env {variable}"
    )]
    KeyMissing {
        /// The provider's id.
        provider: String,
        /// Where people usually keep it.
        variable: String,
    },
    /// The profile has hooks and the agent cannot have any.
    #[error("{agent} takes no hooks from a file: remove hooks_config from the profile")]
    NoHooks {
        /// The agent's id.
        agent: String,
    },
    /// The profile has MCP servers and the agent takes none from a file.
    #[error("Clown knows no way to give {agent} MCP servers: remove mcp_servers from the profile")]
    NoMcp {
        /// The agent's id.
        agent: String,
    },
    /// The agent cannot use an MCP server of this kind.
    #[error(
        "{agent} takes no MCP servers of the kind {kind}: remove `{server}` from the profile's mcp_servers"
    )]
    NoMcpKind {
        /// The agent's id.
        agent: String,
        /// The server's name.
        server: String,
        /// `stdio` or `http`.
        kind: &'static str,
    },
    /// A template failed.
    #[error("the manifest of {agent} does not work out at `{place}`: correct that template")]
    Template {
        /// The agent's id.
        agent: String,
        /// The variable or member.
        place: String,
        /// Why.
        source: minijinja::Error,
    },
    /// Templates are text.
    #[error("the path {} is not UTF-8, which agents cannot be given: use another state folder", home.display())]
    HomeNotText {
        /// The profile's home.
        home: PathBuf,
    },
}

/// An agent's own file could not be brought up to date. No file was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// It does not parse.
    #[error("{}:{line}:{column}: {message}; correct the file, it was not changed", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// Something else stands where a table or a list is needed.
    #[error(
        "{}:{line}:{column}: `{member}` must be {needed}; correct the file, it was not changed",
        path.display()
    )]
    WrongType {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// The names on the way to it, with dots.
        member: String,
        /// `a table` or `a list`.
        needed: &'static str,
    },
    /// It cannot be read.
    #[error("cannot read {}: check its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {}: check that you may write there and that the disk has room", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// As many as can be read at a glance.
const AT_A_GLANCE: usize = 8;

fn some(ids: &[String]) -> String {
    match ids.len().checked_sub(AT_A_GLANCE) {
        None | Some(0) => list(ids),
        Some(more) => format!("{} and {more} more", list(&ids[..AT_A_GLANCE])),
    }
}

fn also(provider: &str, agents: &[String]) -> String {
    match agents {
        [] => String::new(),
        agents => format!("; {provider} works with {}", some(agents)),
    }
}

fn list(ids: &[String]) -> String {
    match ids {
        [] => "none that Clown knows".to_owned(),
        ids => ids.join(", "),
    }
}
