//! Servers of our own, each in a process of its own: told by standard input how much to publish,
//! they answer when they began and ended.

mod clown;
mod raw;
mod tungstenite;

use crate::flags::Serve;
use crate::usage;
use std::io::{self, Write as _};
use std::net::SocketAddr;

pub(crate) fn serve(which: Serve) -> anyhow::Result<()> {
    match which {
        Serve::Usage(flags) => usage::run(&flags),
        Serve::Corpus {
            folder,
            mebibytes,
            lean,
        } => usage::make(&folder, mebibytes << 20, lean),
        Serve::Clown {
            state_dir,
            power,
            batch,
        } => clown::serve(state_dir, power, batch),
        Serve::Raw { events } => raw::serve(events),
        Serve::Tungstenite { events } => tungstenite::serve(events),
    }
}

fn ready(address: SocketAddr) -> io::Result<()> {
    say(format_args!("ready {}", address.port()))
}

fn published(began: u64, ended: u64) -> io::Result<()> {
    say(format_args!("{began} {ended}"))
}

fn say(line: std::fmt::Arguments<'_>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
