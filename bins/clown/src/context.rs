use crate::cli::GlobalArgs;
use crate::failure::{Failure, NOT_REACHABLE, USAGE};
use crate::launch;
use crate::output::Output;
use crate::places::Places;
use clown_client::{Client, ClientError, DaemonAddress, Discovery, Token, TokenError};
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a command works with: the folders, the daemon and the output.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) places: Places,
    pub(crate) output: Output,
    /// Those of the folders that a flag or a variable chose, with the flag.
    pub(crate) given_folders: Vec<(&'static str, PathBuf)>,
    address: Option<DaemonAddress>,
    token: Option<Token>,
    no_start: bool,
}

impl Context {
    pub(crate) fn new(args: &GlobalArgs) -> anyhow::Result<Self> {
        let address = args
            .daemon
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(str::parse::<DaemonAddress>)
            .transpose()
            .map_err(|error| Failure::new(USAGE, error.to_string()))?;
        let places = Places::resolve(args)?;
        let is_given =
            |dir: &Option<PathBuf>| dir.as_ref().is_some_and(|dir| !dir.as_os_str().is_empty());
        let folders = [
            (
                "--config-dir",
                &places.config_dir,
                is_given(&args.config_dir),
            ),
            ("--state-dir", &places.state_dir, is_given(&args.state_dir)),
        ];
        let given_folders = folders
            .into_iter()
            .filter(|(_, _, given)| *given)
            .map(|(flag, dir, _)| (flag, dir.clone()));
        Ok(Self {
            given_folders: given_folders.collect(),
            places,
            output: Output::new(args.json),
            address,
            token: given_token(args.token_file.as_deref())?,
            no_start: args.no_start,
        })
    }

    /// How the daemon is found: by the address that was given, else by its file.
    /// A token that was given is for whichever it is; else there may be one in the state folder.
    pub(crate) fn discovery(&self) -> Discovery {
        let state_dir = &self.places.state_dir;
        let discovery = match &self.address {
            Some(address) => Discovery::at(address.clone()).with_token_in(state_dir),
            None => Discovery::in_state_dir(state_dir),
        };
        match &self.token {
            Some(token) => discovery.with_token(token.clone()),
            None => discovery,
        }
    }

    /// A client that takes the daemon as it is, running or not.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.discovery())
    }

    /// A client of a daemon that runs. It is started where that is allowed and needed.
    pub(crate) async fn daemon(&self) -> anyhow::Result<Client> {
        let client = self.client();
        match asked_again(&client).await {
            Ok(()) => Ok(client),
            Err(error) if !error.is_not_reachable() => Err(error.into()),
            Err(error) if self.no_start => Err(not_running(
                error,
                "--no-start was given; `clown daemon start` starts one",
            )),
            Err(error) if self.address.is_some() => Err(not_running(error, ADDRESS_ADVICE)),
            Err(_) => {
                launch::start_in_background(&self.places, &client).await?;
                Ok(client)
            }
        }
    }

    /// The process that the daemon's own file names; none where the address was given.
    pub(crate) fn pid_in_daemon_file(&self) -> Option<u32> {
        if self.has_fixed_address() {
            return None;
        }
        let file = self.discovery().daemon_file().ok()??;
        Some(file.pid)
    }

    /// Whether a daemon at a fixed address was asked for.
    pub(crate) fn has_fixed_address(&self) -> bool {
        self.address.is_some()
    }
}

/// Whether the daemon serves. One that breaks off is about to end, which the next look tells.
async fn asked_again(client: &Client) -> Result<(), ClientError> {
    const TRIES: usize = 3;
    const PAUSE: Duration = Duration::from_millis(50);

    for _ in 1..TRIES {
        match client.health().await {
            Err(ClientError::Broken { .. }) => tokio::time::sleep(PAUSE).await,
            answer => return answer,
        }
    }
    client.health().await
}

/// What to do where no daemon answers at the address that was given.
pub(crate) const ADDRESS_ADVICE: &str =
    "none is started for --daemon and CLOWN_DAEMON; check that address";

/// That no daemon runs, with what to do about it.
pub(crate) fn not_running(error: ClientError, advice: &str) -> anyhow::Error {
    let error = anyhow::Error::new(error);
    Failure::new(NOT_REACHABLE, format!("{error:#}; {advice}")).into()
}

/// The token that a person gave: by a file, else in the environment, where others do not see it as
/// they see arguments.
fn given_token(file: Option<&Path>) -> anyhow::Result<Option<Token>> {
    let wrong = |place: &str, error: &TokenError| {
        let cause = error
            .source()
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        Failure::new(USAGE, format!("{place}: {error}{cause}"))
    };
    if let Some(file) = file {
        let token = Token::from_file(file).map_err(|error| wrong("--token-file", &error))?;
        return Ok(Some(token));
    }
    match std::env::var("CLOWN_TOKEN") {
        Ok(text) if !text.is_empty() => {
            let token = text.parse().map_err(|error| wrong("CLOWN_TOKEN", &error))?;
            Ok(Some(token))
        }
        _ => Ok(None),
    }
}
