//! Measures the event stream beside its rivals: the same client, the same events, the same run.
//!
//! `just bench` builds and runs it; docs/performance.md tells what came out.

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod event;
#[cfg(target_os = "linux")]
mod flags;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod rival;
#[cfg(target_os = "linux")]
mod scenarios;
#[cfg(target_os = "linux")]
mod servers;
#[cfg(target_os = "linux")]
mod usage;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    use clap::Parser as _;
    match flags::Flags::parse() {
        flags::Flags {
            serve: Some(serve), ..
        } => servers::serve(serve),
        flags => scenarios::run(&flags),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this benchmark measures with epoll and /proc: run it on Linux");
    std::process::exit(1);
}
