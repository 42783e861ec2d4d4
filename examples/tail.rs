//! Prints each event as it happens, and goes on when the daemon was away.
//!
//! `cargo run -p clown-examples --bin clown-tail -- 127.0.0.1:8765`

use anyhow::Context as _;
use clown_client::{Discovery, EventStream, StreamItem, StreamOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).context("usage: tail HOST:PORT")?;
    let discovery = Discovery::at(address.parse()?);
    let mut stream = EventStream::new(discovery, StreamOptions::default());
    loop {
        match stream.next().await? {
            StreamItem::Event(received) => {
                let envelope = received.envelope;
                let profile = envelope.event.profile().unwrap_or("-");
                println!("{} {} {profile}", envelope.timestamp, envelope.event.name());
            }
            StreamItem::Gap(gap) => eprintln!("missed what happened before {}", gap.oldest),
            StreamItem::Disconnected { reason, retry_in } => {
                eprintln!("{reason}; trying again in {retry_in:.1?}");
            }
            _ => {}
        }
    }
}
