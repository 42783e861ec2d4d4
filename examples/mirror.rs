//! Keeps a mirror of the daemon's state, and prints a part of it whenever anything changes.
//!
//! `cargo run -p clown-examples --bin clown-mirror -- 127.0.0.1:8765`

use anyhow::Context as _;
use clown_api::RunState;
use clown_client::{Discovery, Mirror};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).context("usage: mirror HOST:PORT")?;
    let mut mirror = Mirror::new(Discovery::at(address.parse()?));
    loop {
        let state = mirror.next().await?;
        let runs = state.runs.iter();
        let running = runs.filter(|run| run.state == RunState::Running);
        let profiles: Vec<&str> = running.map(|run| run.profile.as_str()).collect();
        println!("{}: running {}", state.seq, profiles.join(", "));
    }
}
