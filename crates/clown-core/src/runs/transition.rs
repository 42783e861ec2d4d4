//! How a run goes on, given what is known. Pure.

use super::RunError;
use super::record::ExitRecord;
use super::rows::{Row, RunState};
use crate::process::ProcessIdentity;
use clown_events::Timestamp;

/// Said when nobody can tell.
pub(super) const UNKNOWN_CODE: i32 = -1;

/// What is known besides the run's row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed<'a> {
    /// Whoever prepared the run still exists.
    pub cli_alive: bool,
    /// The agent exists: the one of the row, else the one of the record.
    pub agent_alive: bool,
    /// What the caller left on the disk.
    pub record: Option<&'a ExitRecord>,
    /// What the kernel says of the agent.
    pub kernel_code: Option<i32>,
    /// The agent cannot have lived longer than this.
    pub latest_end: Option<Timestamp>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing now.
    Wait,
    /// The run has started.
    Start(Starting),
    /// The run has started and ended.
    StartAndEnd(Starting, Ending),
    /// The run has ended.
    End(Ending),
    /// The run will never start.
    Abandon,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Starting {
    pub agent: ProcessIdentity,
    pub started_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    pub exit_code: i32,
    /// None is now.
    pub ended_at: Option<Timestamp>,
}

/// Whether a report says something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    News,
    Known,
}

/// What the report of an end changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closing {
    Known,
    End,
    StartAndEnd(Starting),
    /// It never started, and is not going to.
    Abandon,
}

/// What becomes of an open run.
pub(super) fn judge(row: &Row, observed: &Observed<'_>) -> Verdict {
    let code = observed.record.and_then(|record| record.exit_code);
    let ending = Ending {
        exit_code: code.or(observed.kernel_code).unwrap_or(UNKNOWN_CODE),
        ended_at: observed
            .record
            .and_then(|record| record.ended_at)
            .or(observed.latest_end),
    };
    match (row.run.state, observed.record.and_then(starting)) {
        (RunState::Exited | RunState::Abandoned, _) => Verdict::Wait,
        (RunState::Prepared, None) if observed.cli_alive => Verdict::Wait,
        (RunState::Prepared, None) => Verdict::Abandon,
        (RunState::Prepared, Some(starting)) if observed.agent_alive => Verdict::Start(starting),
        (RunState::Prepared, Some(starting)) if code.is_some() || !observed.cli_alive => {
            Verdict::StartAndEnd(starting, ending)
        }
        (RunState::Prepared, Some(_)) => Verdict::Wait,
        // As long as the caller lives, it knows best, and is about to say so.
        (RunState::Running, _) if observed.agent_alive || observed.cli_alive => Verdict::Wait,
        (RunState::Running, _) => Verdict::End(ending),
    }
}

/// The caller says that the agent runs as `pid`.
pub(super) fn started(row: &Row, pid: u32) -> Result<Report, RunError> {
    match (row.run.state, row.run.pid) {
        (RunState::Prepared, _) => Ok(Report::News),
        (RunState::Running | RunState::Exited, Some(known)) if known == pid => Ok(Report::Known),
        (RunState::Running | RunState::Exited, known) => Err(RunError::StartedOtherwise {
            id: row.run.id.clone(),
            known: known.unwrap_or(0),
        }),
        (RunState::Abandoned, _) => Err(RunError::Abandoned {
            id: row.run.id.clone(),
        }),
    }
}

/// The caller says that the agent has ended.
pub(super) fn exited(row: &Row, record: Option<&ExitRecord>) -> Result<Closing, RunError> {
    match row.run.state {
        RunState::Running => Ok(Closing::End),
        RunState::Exited => Ok(Closing::Known),
        // Nobody was there when it started; the record tells who it was.
        RunState::Prepared => match record.and_then(starting) {
            Some(starting) => Ok(Closing::StartAndEnd(starting)),
            None => Ok(Closing::Abandon),
        },
        RunState::Abandoned => Ok(Closing::Known),
    }
}

fn starting(record: &ExitRecord) -> Option<Starting> {
    Some(Starting {
        agent: record.agent()?,
        started_at: record.started_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: RunState, pid: Option<u32>) -> Row {
        Row::for_test(state, pid)
    }

    fn time(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis).unwrap()
    }

    fn record(exit_code: Option<i32>) -> ExitRecord {
        ExitRecord {
            run_id: "r".to_owned(),
            pid: 7,
            pid_start: Some(70),
            started_at: time(1000),
            exit_code,
            ended_at: exit_code.map(|_| time(5000)),
        }
    }

    #[test]
    fn what_becomes_of_a_run() {
        use RunState::{Abandoned, Exited, Prepared, Running};
        let starting = || Starting {
            agent: ProcessIdentity { pid: 7, start: 70 },
            started_at: time(1000),
        };
        let ending = |exit_code: i32, at: Option<i64>| Ending {
            exit_code,
            ended_at: at.map(time),
        };
        // The caller lives, the agent lives, the record, the kernel's code.
        let check = |state: RunState,
                     (cli_alive, agent_alive): (bool, bool),
                     record: Option<ExitRecord>,
                     kernel_code: Option<i32>,
                     expected: Verdict| {
            let observed = Observed {
                cli_alive,
                agent_alive,
                record: record.as_ref(),
                kernel_code,
                latest_end: None,
            };
            let verdict = judge(&row(state, Some(7)), &observed);
            assert_eq!(verdict, expected, "{state:?} {observed:?}");
        };
        const NOBODY: (bool, bool) = (false, false);
        const CALLER: (bool, bool) = (true, false);
        const AGENT: (bool, bool) = (false, true);
        const BOTH: (bool, bool) = (true, true);
        let (open, done) = (|| Some(record(None)), || Some(record(Some(3))));

        check(Prepared, CALLER, None, None, Verdict::Wait);
        check(Prepared, NOBODY, None, None, Verdict::Abandon);
        check(Prepared, BOTH, open(), None, Verdict::Start(starting()));
        check(Prepared, AGENT, open(), None, Verdict::Start(starting()));
        check(Prepared, CALLER, open(), None, Verdict::Wait);
        check(
            Prepared,
            CALLER,
            done(),
            None,
            Verdict::StartAndEnd(starting(), ending(3, Some(5000))),
        );
        check(
            Prepared,
            NOBODY,
            done(),
            Some(4),
            Verdict::StartAndEnd(starting(), ending(3, Some(5000))),
        );
        check(
            Prepared,
            NOBODY,
            open(),
            Some(4),
            Verdict::StartAndEnd(starting(), ending(4, None)),
        );
        check(
            Prepared,
            NOBODY,
            open(),
            None,
            Verdict::StartAndEnd(starting(), ending(-1, None)),
        );

        check(Running, BOTH, None, None, Verdict::Wait);
        check(Running, AGENT, None, None, Verdict::Wait);
        check(Running, CALLER, None, Some(4), Verdict::Wait);
        check(Running, CALLER, done(), Some(4), Verdict::Wait);
        check(
            Running,
            NOBODY,
            done(),
            Some(4),
            Verdict::End(ending(3, Some(5000))),
        );
        check(
            Running,
            NOBODY,
            open(),
            Some(4),
            Verdict::End(ending(4, None)),
        );
        check(
            Running,
            NOBODY,
            None,
            Some(4),
            Verdict::End(ending(4, None)),
        );
        check(Running, NOBODY, None, None, Verdict::End(ending(-1, None)));

        for over in [Exited, Abandoned] {
            check(over, NOBODY, done(), Some(4), Verdict::Wait);
        }
    }

    #[test]
    fn an_earlier_boot_ended_before_this_one_began() {
        let observed = Observed {
            cli_alive: false,
            agent_alive: false,
            record: None,
            kernel_code: None,
            latest_end: Some(time(9000)),
        };
        let expected = Ending {
            exit_code: -1,
            ended_at: Some(time(9000)),
        };
        assert_eq!(
            judge(&row(RunState::Running, Some(7)), &observed),
            Verdict::End(expected)
        );
    }

    #[test]
    fn reports() {
        use RunState::{Abandoned, Exited, Prepared, Running};
        let check =
            |state: RunState, known: Option<u32>, start: &str, end: &str, recorded: &str| {
                let row = row(state, known);
                let named = |result: Result<String, RunError>| match result {
                    Ok(text) => text,
                    Err(error) => format!("{error:?}"),
                };
                let said = named(started(&row, 7).map(|report| format!("{report:?}")));
                assert!(said.starts_with(start), "{state:?} {known:?}: {said}");
                let said = named(exited(&row, None).map(|verdict| format!("{verdict:?}")));
                assert!(said.starts_with(end), "{state:?} {known:?}: {said}");
                let verdict = exited(&row, Some(&record(None)));
                let said = named(verdict.map(|verdict| format!("{verdict:?}")));
                assert!(said.starts_with(recorded), "{state:?} {known:?}: {said}");
            };
        check(Prepared, None, "News", "Abandon", "StartAndEnd");
        check(Running, Some(7), "Known", "End", "End");
        check(Running, Some(8), "StartedOtherwise", "End", "End");
        check(Exited, Some(7), "Known", "Known", "Known");
        check(Exited, Some(8), "StartedOtherwise", "Known", "Known");
        check(Abandoned, None, "Abandoned", "Known", "Known");
    }
}
