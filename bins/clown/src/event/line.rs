use super::words::{Told, tell};
use crate::local_time::LocalZone;
use crate::output::Output;
use crate::table::printable;
use anstyle::{AnsiColor, Effects, Style};
use clown_events::{Envelope, Event, EventGroup, Timestamp};

/// The longest name of an event, so that what follows is aligned.
const TYPE_WIDTH: usize = "RegistrySyncCompleted".len();

/// The digits of a number that began as microseconds since 1970.
const SEQ_WIDTH: usize = 16;

/// What most aliases and ids fit in.
const SUBJECT_WIDTH: usize = 12;

/// A longer subject moves the rest of its own line only.
const WIDEST_SUBJECT: usize = 24;

/// Prints events as aligned lines for people: local time, type, subject, and what happened. The
/// subjects' column becomes as wide as the longest that was seen, up to a bound.
#[derive(Debug)]
pub(crate) struct EventLines {
    output: Output,
    zone: LocalZone,
    date: String,
    subject_width: usize,
    shows_seq: bool,
}

impl EventLines {
    pub(crate) fn new(output: Output) -> Self {
        let zone = LocalZone::of_this_machine();
        let date = zone.show(Timestamp::now()).date;
        Self {
            output,
            zone,
            date,
            subject_width: SUBJECT_WIDTH,
            shows_seq: false,
        }
    }

    /// With each event's number behind its time, or without.
    pub(crate) fn with_seq(mut self, shows_seq: bool) -> Self {
        self.shows_seq = shows_seq;
        self
    }

    /// Makes room for an event that will be printed.
    pub(crate) fn expect(&mut self, event: &Event) {
        self.make_room(&printable(&tell(event).subject));
    }

    pub(crate) fn print(&mut self, envelope: &Envelope) -> anyhow::Result<()> {
        let shown = self.zone.show(envelope.timestamp);
        if shown.date != self.date {
            let line = format_args!("── {} ──", shown.date);
            self.output.line(self.output.paint(dimmed(), line))?;
            self.date = shown.date;
        }
        let line = self.line(&shown.time, envelope);
        self.output.line(line)
    }

    fn line(&mut self, time: &str, envelope: &Envelope) -> String {
        let event = &envelope.event;
        let kind = printable(event.name());
        let Told { subject, text } = tell(event);
        let subject = printable(&subject);
        self.make_room(&subject);
        let width = self.subject_width;
        let seq = match envelope.seq {
            Some(seq) if self.shows_seq => {
                let seq = format_args!("{seq:>SEQ_WIDTH$}");
                format!("  {}", self.output.paint(dimmed(), seq))
            }
            _ => String::new(),
        };
        format!(
            "{}{seq}  {}  {}  {}",
            self.output.paint(dimmed(), time),
            self.output
                .paint(style(event), format_args!("{kind:TYPE_WIDTH$}")),
            self.output.paint(bold(), format_args!("{subject:width$}")),
            printable(&text),
        )
    }

    fn make_room(&mut self, subject: &str) {
        let width = subject.chars().count();
        if width <= WIDEST_SUBJECT {
            self.subject_width = self.subject_width.max(width);
        }
    }
}

fn dimmed() -> Style {
    Style::new().effects(Effects::DIMMED)
}

fn bold() -> Style {
    Style::new().effects(Effects::BOLD)
}

/// Red is for what went wrong; otherwise each group has a colour of its own.
fn style(event: &Event) -> Style {
    let went_wrong = match event {
        Event::ProxyError(_) | Event::RegistrySyncFailed(_) => true,
        Event::ProfileStopped(data) => data.exit_code != 0,
        Event::ProxyStopped(data) => data.exit_code != 0,
        Event::AgentUpdated(data) => data.new_version.is_none(),
        _ => false,
    };
    if went_wrong {
        return AnsiColor::Red.on_default();
    }
    match event.kind().map(clown_events::EventKind::group) {
        Some(EventGroup::Profile) => AnsiColor::Green.on_default(),
        Some(EventGroup::Agent) => AnsiColor::Cyan.on_default(),
        Some(EventGroup::Registry) => AnsiColor::Blue.on_default(),
        Some(EventGroup::Proxy) => AnsiColor::Magenta.on_default(),
        Some(EventGroup::Usage) => AnsiColor::Yellow.on_default(),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clown_events::ProfileDeleted;

    fn deleted(alias: &str) -> Envelope {
        let moment = "2026-01-08T10:30:00Z".parse().unwrap();
        Envelope::new(moment, ProfileDeleted::new(alias)).with_seq(1_767_868_200_123_456)
    }

    /// Where the last column begins on each of these aliases' lines.
    fn columns(lines: &mut EventLines, aliases: &[&str]) -> Vec<usize> {
        aliases
            .iter()
            .map(|alias| {
                let line = lines.line("10:30:00", &deleted(alias));
                line.find("  deleted").unwrap() + 2 - "10:30:00  ".len() - TYPE_WIDTH - 2
            })
            .collect()
    }

    #[test]
    fn the_subjects_column_is_as_wide_as_the_longest_seen_up_to_a_bound() {
        let far_too_long = "a".repeat(64);
        let mut lines = EventLines::new(Output::new(true));
        let aliases = ["work", "opencode-trial", "work", &far_too_long, "work"];
        assert_eq!(columns(&mut lines, &aliases), [14, 16, 16, 66, 16]);
        lines.expect(&deleted(&"b".repeat(WIDEST_SUBJECT)).event);
        assert_eq!(columns(&mut lines, &["work"]), [26]);
    }

    #[test]
    fn a_number_stands_behind_the_time() {
        let mut lines = EventLines::new(Output::new(true)).with_seq(true);
        assert_eq!(
            lines.line("10:30:00", &deleted("work")),
            "10:30:00  1767868200123456  ProfileDeleted         work          deleted"
        );
    }
}
