use super::args::EventArgs;
use super::condition::Condition;
use super::hook;
use super::line::EventLines;
use super::seen::Seen;
use super::template::Template;
use crate::failure::{FAILED, Failure, INTERRUPTED, OUT_OF_TIME};
use crate::local_time::LocalZone;
use crate::output::{Output, note};
use crate::table::printable;
use clown_client::{Gap, Received, Unreadable};
use std::process::ExitCode;

/// Does for each event what was asked for: prints it, runs the command, and says when it is enough.
#[derive(Debug)]
pub(crate) struct Handler<'a> {
    args: &'a EventArgs,
    output: Output,
    view: View<'a>,
    handled: u64,
    failed_commands: u64,
}

/// How events are printed.
#[derive(Debug)]
enum View<'a> {
    Json,
    Template(&'a Template, LocalZone),
    Lines(EventLines),
}

/// Why a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All that was asked for is there.
    Done,
    /// An event came that --exit-on names.
    Awaited,
    OutOfTime,
    Interrupted,
}

impl<'a> Handler<'a> {
    pub(crate) fn new(args: &'a EventArgs, output: Output) -> Self {
        let view = match &args.format {
            Some(template) => View::Template(template, LocalZone::of_this_machine()),
            None if output.is_json() => View::Json,
            None => View::Lines(EventLines::new(output).with_seq(args.show_seq)),
        };
        Self {
            args,
            output,
            view,
            handled: 0,
            failed_commands: 0,
        }
    }

    /// Makes room for events that are known before the first of them is printed.
    pub(crate) fn expect<'e>(&mut self, events: impl IntoIterator<Item = &'e Received>) {
        if let View::Lines(lines) = &mut self.view {
            for received in events {
                lines.expect(&received.envelope.event);
            }
        }
    }

    /// Treats an event. `Some` when it was the last.
    pub(crate) async fn event(&mut self, received: &Received) -> anyhow::Result<Option<Ended>> {
        let seen = Seen::new(received);
        match &mut self.view {
            View::Json => self.output.line(&received.text)?,
            View::Template(template, zone) => self.output.line(template.render(&seen, zone))?,
            View::Lines(lines) => lines.print(&received.envelope)?,
        }
        if let Some(command) = &self.args.exec
            && let Err(failure) = hook::run(command, received).await
        {
            self.failed_commands += 1;
            tell_failure(&failure, received);
        }
        self.handled += 1;
        let is_awaited = |condition: &Condition| condition.is_met_by(&seen);
        Ok(if self.args.exit_on.iter().any(is_awaited) {
            Some(Ended::Awaited)
        } else if self.args.count == Some(self.handled) {
            Some(Ended::Done)
        } else {
            None
        })
    }

    /// Tells that events are missing.
    pub(crate) fn gap(&self, gap: &Gap) -> anyhow::Result<()> {
        let Gap {
            since,
            oldest,
            latest,
            ..
        } = gap;
        self.missing(format!(
            "what happened between {since} and {oldest} is no longer kept, and is missing here (the latest is {latest})"
        ))
    }

    /// Tells of an event that this version cannot read.
    pub(crate) fn unreadable(&self, item: &Unreadable) -> anyhow::Result<()> {
        self.missing(format!(
            "this version cannot read an event ({}): {}",
            printable(&item.error),
            printable(&item.text)
        ))
    }

    fn missing(&self, what: String) -> anyhow::Result<()> {
        if self.args.strict {
            return Err(Failure::new(FAILED, format!("{what}; --strict was given")).into());
        }
        note(format_args!("clown: {what}"));
        Ok(())
    }

    /// The exit code, or what is wrong in the end.
    pub(crate) fn finish(&self, ended: Ended) -> anyhow::Result<ExitCode> {
        match ended {
            Ended::Interrupted => return Ok(ExitCode::from(INTERRUPTED)),
            Ended::OutOfTime => {
                note("clown: the time of --timeout is over");
                return Ok(ExitCode::from(OUT_OF_TIME));
            }
            Ended::Done if !self.args.exit_on.is_empty() => {
                return Err(Failure::new(FAILED, "the event of --exit-on did not come").into());
            }
            Ended::Done | Ended::Awaited => {}
        }
        match self.failed_commands {
            0 => Ok(ExitCode::SUCCESS),
            failed => {
                let what = format!("{failed} of {} commands of --exec failed", self.handled);
                Err(Failure::new(FAILED, what).into())
            }
        }
    }
}

fn tell_failure(failure: &str, received: &Received) {
    let envelope = &received.envelope;
    let name = printable(envelope.event.name());
    let number = envelope
        .seq
        .map_or_else(String::new, |seq| format!(" (seq {seq})"));
    note(format_args!(
        "clown: the command of --exec failed for {name}{number}: {failure}"
    ));
}
