use crate::output;
use clown_client::ClientError;
use std::fmt;
use std::process::ExitCode;

/// The exit codes that scripts go by.
pub(crate) const FAILED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const NOT_FOUND: u8 = 3;
pub(crate) const CONFLICT: u8 = 4;
pub(crate) const NOT_REACHABLE: u8 = 5;
pub(crate) const OUT_OF_TIME: u8 = 6;
/// What a program that was interrupted exits with: 128 and the signal's number.
pub(crate) const INTERRUPTED: u8 = 130;

/// What the daemon calls things that were asked for wrongly, as opposed to those that are not there
/// or do not work.
const MISTAKES: [&str; 10] = [
    "invalid_alias",
    "invalid_body",
    "invalid_channel",
    "invalid_commit",
    "invalid_key_name",
    "key_of_other_provider",
    "provider_missing",
    "invalid_profile",
    "unknown_members",
    "invalid_parameter",
];

/// A failure that the command line itself found, with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Says on stderr what went wrong, and gives the exit code for it. Nothing is said when whoever
/// read the output has gone.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<output::Closed>() {
        return ExitCode::SUCCESS;
    }
    output::note(format_args!("clown: {error:#}"));
    if is_without_token(error) {
        output::note("clown: --token-file FILE or CLOWN_TOKEN gives that daemon's token");
    }
    ExitCode::from(exit_code(error))
}

fn is_without_token(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(ClientError::Problem(problem)) if problem.status == 401
        )
    })
}

fn exit_code(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| {
            if let Some(failure) = cause.downcast_ref::<Failure>() {
                return Some(failure.code);
            }
            cause
                .downcast_ref::<ClientError>()
                .map(|error| match error {
                    ClientError::NotFound(_)
                    | ClientError::NotReachable { .. }
                    | ClientError::NotOwn { .. }
                    | ClientError::NotLocal { .. }
                    | ClientError::Unexpected { .. }
                    | ClientError::Timeout { .. }
                    | ClientError::Broken { .. } => NOT_REACHABLE,
                    ClientError::Problem(problem) if problem.status == 404 => NOT_FOUND,
                    ClientError::Problem(problem) if problem.status == 409 => CONFLICT,
                    ClientError::Problem(problem) if MISTAKES.contains(&problem.code.as_str()) => {
                        USAGE
                    }
                    _ => FAILED,
                })
        })
        .unwrap_or(FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;
    use clown_api::Problem;

    #[test]
    fn exit_codes() {
        let check = |error: anyhow::Error, expected: u8| {
            assert_eq!(exit_code(&error), expected, "{error:#}");
        };
        let problem_with =
            |status, code: &str| ClientError::Problem(Problem::new(status, "T", code, "d"));
        let problem = |status| problem_with(status, "c");
        check(anyhow::anyhow!("x"), FAILED);
        check(Failure::new(USAGE, "x").into(), USAGE);
        check(problem(404).into(), NOT_FOUND);
        check(problem(409).into(), CONFLICT);
        check(problem(422).into(), FAILED);
        check(problem_with(422, "key_missing").into(), FAILED);
        for code in MISTAKES {
            check(problem_with(422, code).into(), USAGE);
        }
        let broken = ClientError::Broken {
            address: "127.0.0.1:1".to_owned(),
            source: "cut".into(),
        };
        check(broken.into(), NOT_REACHABLE);
        let stranger = ClientError::NotOwn {
            address: "127.0.0.1:1".to_owned(),
            owner: "belongs to another user".to_owned(),
        };
        check(stranger.into(), NOT_REACHABLE);
        check(
            Err::<(), _>(problem(404)).context("while").unwrap_err(),
            NOT_FOUND,
        );
        let discovery = clown_client::Discovery::in_state_dir("/nowhere");
        check(
            ClientError::from(discovery.find().unwrap_err()).into(),
            NOT_REACHABLE,
        );
    }
}
