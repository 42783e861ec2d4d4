mod route;

use crate::context::Context;
use crate::event::words;
use crate::local_time::LocalZone;
use crate::output::{Output, reader_gone};
use crate::table::{Table, printable};
use anstyle::{AnsiColor, Effects};
use clap::Subcommand;
use clown_api::{List, Proxy, ProxyRequest, ProxyState, StartProxy};
use clown_client::Client;
use clown_events::Timestamp;
use std::time::Duration;

/// How often it is asked for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How many requests are asked for at once while they are followed.
const FOLLOWED: usize = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum ProxyCommand {
    /// List the proxies of all profiles that have one
    List,
    /// Start a profile's proxy, if it does not run
    Start {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
    },
    /// Stop a profile's proxy, once what is open has ended
    Stop {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
    },
    /// Stop a profile's proxy and start it again
    Restart {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
    },
    /// Show where a profile's proxy stands
    Status {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
    },
    /// Say which rule of a profile would take a request, and why; nobody is asked
    Explain(route::ExplainArgs),
    /// List, add and remove the rules that say who takes which request
    #[command(subcommand)]
    Route(route::RouteCommand),
    /// Print the last requests of a profile's proxy: never what was asked or answered
    Logs {
        /// The profile
        #[arg(value_parser = crate::cli::alias)]
        alias: String,
        /// How many
        #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        lines: u16,
        /// Go on with new ones as they end
        #[arg(long, short)]
        follow: bool,
    },
}

pub(crate) async fn dispatch(context: &Context, command: ProxyCommand) -> anyhow::Result<()> {
    let client = context.daemon().await?;
    let output = context.output;
    let request = StartProxy {
        cli_pid: Some(std::process::id()),
    };
    match command {
        ProxyCommand::List => list(output, client.proxies().await?),
        ProxyCommand::Start { alias } => show(output, &client.start_proxy(&alias, &request).await?),
        ProxyCommand::Stop { alias } => show(output, &client.stop_proxy(&alias).await?),
        ProxyCommand::Restart { alias } => {
            show(output, &client.restart_proxy(&alias, &request).await?)
        }
        ProxyCommand::Status { alias } => show(output, &client.proxy(&alias).await?),
        ProxyCommand::Explain(args) => route::explain(output, &client, args).await,
        ProxyCommand::Route(command) => route::dispatch(output, &client, command).await,
        ProxyCommand::Logs {
            alias,
            lines,
            follow,
        } => {
            let last = client.proxy_log(&alias, usize::from(lines), None).await?;
            if !follow {
                return print(output, &last);
            }
            tokio::select! {
                done = follow_on(output, &client, &alias, last) => done,
                () = reader_gone() => Ok(()),
            }
        }
    }
}

fn list(output: Output, proxies: Vec<Proxy>) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&List::new(proxies));
    }
    if proxies.is_empty() {
        return output.line(
            "No profile has a proxy: `clown profiles set ALIAS proxy_config.enabled=true` gives it one.",
        );
    }
    let mut table = Table::new(&["PROFILE", "STATE", "PORT", "PID", "UP", "LAST ERROR"]);
    for proxy in &proxies {
        let number = |number: Option<u32>| number.map(|it| it.to_string()).unwrap_or_default();
        table.row([
            proxy.profile.clone(),
            state(proxy).to_owned(),
            number(proxy.port.map(u32::from)),
            number(proxy.pid),
            up(proxy).unwrap_or_default(),
            proxy.error.clone().unwrap_or_default(),
        ]);
    }
    table.print(output)
}

fn show(output: Output, proxy: &Proxy) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(proxy);
    }
    let profile = &proxy.profile;
    match (proxy.port, proxy.pid, up(proxy)) {
        (Some(port), Some(pid), Some(up)) => output.line(format_args!(
            "The proxy of {profile} takes requests at http://127.0.0.1:{port} as process {pid}, up for {up}"
        ))?,
        _ => output.line(format_args!("The proxy of {profile} does not run"))?,
    }
    if let (None, Some(code)) = (proxy.pid, proxy.exit_code) {
        output.line(format_args!("  the last one {}", words::exit(code)))?;
    }
    if let Some(error) = &proxy.error {
        output.line(format_args!("  {}", printable(error)))?;
    }
    for target in &proxy.targets {
        let state = match target.state.as_str() {
            "open" => format!("is left alone for {} s more", target.seconds),
            _ => "is tried by the next request".to_owned(),
        };
        let (name, error) = (printable(&target.target), printable(&target.error));
        output.line(format_args!("  {name} {state}: {error}"))?;
    }
    Ok(())
}

fn state(proxy: &Proxy) -> &'static str {
    match proxy.state {
        ProxyState::Running => "running",
        ProxyState::Stopped => "stopped",
    }
}

fn up(proxy: &Proxy) -> Option<String> {
    let since = proxy.started_at.filter(|_| proxy.pid.is_some())?;
    let millis = Timestamp::now().unix_millis() - since.unix_millis();
    Some(words::duration(u64::try_from(millis / 1_000).unwrap_or(0)))
}

async fn follow_on(
    output: Output,
    client: &Client,
    alias: &str,
    mut last: Vec<ProxyRequest>,
) -> anyhow::Result<()> {
    let mut seen = String::new();
    loop {
        print(output, &last)?;
        if let Some(newest) = last.pop() {
            seen = newest.id;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let after = Some(seen.as_str()).filter(|seen| !seen.is_empty());
        last = client.proxy_log(alias, FOLLOWED, after).await?;
    }
}

fn print(output: Output, requests: &[ProxyRequest]) -> anyhow::Result<()> {
    let zone = LocalZone::of_this_machine();
    for request in requests {
        if output.is_json() {
            output.line(serde_json::to_string(request)?)?;
        } else {
            let dim = anstyle::Style::new().effects(Effects::DIMMED);
            let at = zone.show(request.at);
            let time = output.paint(dim, format_args!("{} {}", at.date, at.time));
            let line = printable(&line(request));
            let line = match is_good(request) {
                true => line,
                false => output.paint(AnsiColor::Red.on_default(), line),
            };
            output.line(format_args!("{time}  {line}"))?;
        }
    }
    Ok(())
}

fn is_good(request: &ProxyRequest) -> bool {
    request.error.is_none() && request.status.is_some_and(|status| status < 400)
}

fn line(request: &ProxyRequest) -> String {
    let mut parts = vec![
        request
            .status
            .map_or_else(|| "---".to_owned(), |status| status.to_string()),
    ];
    parts.push(match (&request.model, &request.model_used) {
        (Some(asked), Some(used)) if asked != used => format!("{asked} -> {used}"),
        (Some(model), _) | (None, Some(model)) => model.clone(),
        (None, None) => request.path.clone(),
    });
    if let Some(tokens) = &request.tokens {
        let mut text = format!("in {} out {}", tokens.input, tokens.output);
        let writes = tokens.cache_write + tokens.cache_write_hour;
        for (name, count) in [("cached", tokens.cache_read), ("to cache", writes)] {
            if count > 0 {
                text.push_str(&format!(" {name} {count}"));
            }
        }
        parts.push(text);
    }
    let mut times = seconds(request.duration_ms);
    if let Some(first) = request.first_byte_ms.filter(|_| request.streamed) {
        times = format!("{times} (first byte {})", seconds(first));
    }
    parts.push(times);
    parts.extend(
        request
            .rule
            .as_ref()
            .map(|rule| format!("{rule} -> {}", request.provider)),
    );
    parts.extend(request.error.as_ref().map(|error| error.replace('_', " ")));
    parts.join("  ")
}

fn seconds(millis: u64) -> String {
    format!("{}.{:02}s", millis / 1_000, millis % 1_000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_a_line() {
        let check = |changes: serde_json::Value, expected: &str| {
            let mut request = json!({"id": "r", "at": "2026-01-08T10:30:00Z", "agent": "claude",
                "provider": "p", "format": "openai-chat", "path": "/v1/models", "streamed": false,
                "status": 200, "duration_ms": 1234});
            for (name, value) in changes.as_object().unwrap() {
                request[name] = value.clone();
            }
            let request = serde_json::from_value(request).unwrap();
            assert_eq!(line(&request), expected);
        };
        check(json!({}), "200  /v1/models  1.23s");
        let tokens = json!({"input": 9, "output": 5, "cache_write": 1, "cache_write_hour": 2, "cache_read": 4});
        check(
            json!({"model": "m", "model_used": "m-1", "streamed": true, "first_byte_ms": 40, "tokens": tokens}),
            "200  m -> m-1  in 9 out 5 cached 4 to cache 3  1.23s (first byte 0.04s)",
        );
        check(
            json!({"status": null, "model": "m", "error": "client_left"}),
            "---  m  1.23s  client left",
        );
    }
}
