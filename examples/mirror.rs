//! Keeps a mirror of a part of the daemon's state and prints it when it changes: here, how many
//! agents run.
//!
//! A snapshot first, then every change after exactly that snapshot. Nothing is polled, and nothing
//! between the two is lost. Where the daemon no longer has what is missing, a new snapshot is the
//! new beginning.
//!
//! `cargo run -p clown-examples --bin clown-mirror -- 127.0.0.1:8765`

use anyhow::Context as _;
use clown_api::{RunState, State};
use clown_client::{Client, ClientError, Discovery, EventStream, Since, StreamItem, StreamOptions};
use clown_events::Event;
use std::collections::BTreeMap;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).context("usage: mirror HOST:PORT")?;
    let discovery = Discovery::at(address.parse()?);
    let client = Client::new(discovery.clone());
    loop {
        let state = snapshot(&client).await?;
        let mut running = Running::from(&state);
        println!("{running}");
        let options = StreamOptions {
            events: vec!["ProfileStarted".to_owned(), "ProfileStopped".to_owned()],
            since: Some(Since::Seq(state.seq)),
            ..StreamOptions::default()
        };
        let mut stream = EventStream::new(discovery.clone(), options);
        loop {
            match stream.next().await? {
                StreamItem::Event(received) => running.apply(&received.envelope.event),
                // What was missed cannot be counted; what is true now can be asked for.
                StreamItem::Gap(_) => break,
                _ => continue,
            }
            println!("{running}");
        }
    }
}

/// The state, as soon as a daemon tells it.
async fn snapshot(client: &Client) -> Result<State, ClientError> {
    loop {
        match client.state().await {
            Err(error) if !matches!(error, ClientError::Problem(_)) => eprintln!("{error}"),
            outcome => return outcome,
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// How many agents run under each profile.
#[derive(Debug, Default, PartialEq)]
struct Running {
    by_profile: BTreeMap<String, usize>,
}

impl From<&State> for Running {
    fn from(state: &State) -> Self {
        let mut running = Self::default();
        for run in state
            .runs
            .iter()
            .filter(|run| run.state == RunState::Running)
        {
            *running.by_profile.entry(run.profile.clone()).or_default() += 1;
        }
        running
    }
}

impl Running {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::ProfileStarted(data) => {
                *self.by_profile.entry(data.alias.clone()).or_default() += 1;
            }
            Event::ProfileStopped(data) => {
                if let Some(count) = self.by_profile.get_mut(&data.alias) {
                    *count = count.saturating_sub(1);
                }
            }
            _ => {}
        }
    }
}

impl std::fmt::Display for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} running",
            self.by_profile.values().sum::<usize>()
        )?;
        for (profile, count) in self.by_profile.iter().filter(|(_, count)| **count > 0) {
            write!(formatter, ", {profile}: {count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clown_events::{ProfileStarted, ProfileStopped};

    #[test]
    fn counts_follow_events() {
        let mut running = Running::default();
        running.apply(&ProfileStarted::new("work", 1).into());
        running.apply(&ProfileStarted::new("work", 2).into());
        running.apply(&ProfileStarted::new("home", 3).into());
        running.apply(&ProfileStopped::new("work", 0, 5).into());
        assert_eq!(running.to_string(), "2 running, home: 1, work: 1");
    }
}
