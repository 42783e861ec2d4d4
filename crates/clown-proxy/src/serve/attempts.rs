//! Asks one target after the other, until one answers. Nothing of an answer has gone to the agent
//! before that is settled.

use super::entry::Entry;
use super::failure::Failure;
use super::outgoing::Outgoing;
use super::route::Route;
use super::targets::{Candidate, Choice};
use super::{Active, Shared};
use crate::config::{Format, Secret};
use crate::spool::Fault;
use crate::translate::{Reply, Stream};
use crate::upstream::{self, Asked};
use bytes::{Bytes, BytesMut};
use clown_events::Timestamp;
use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// How often one target is asked again where there are rules. Without any, the agent gets what its
/// provider says, and asks again as it sees fit.
const RETRIES: u32 = 2;
/// The first pause before that, where the provider names none.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// An agent is not kept waiting for longer than that.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Not even that where somebody else can be asked.
const LONGEST_PAUSE_WITH_OTHERS: Duration = Duration::from_secs(1);
/// The longest answer that is translated as a whole.
const MAX_ANSWER: usize = 64 << 20;

/// What goes back.
pub(super) enum Answered {
    /// As it comes.
    Untouched(Response<Incoming>),
    /// Translated as it comes; the first bytes are there.
    Stream(Incoming, Box<Stream>, Bytes),
    /// What nobody was asked for.
    Own(serde_json::Value),
    /// Translated, with all that is to be metered.
    Whole(Bytes, Box<crate::translate::Outcome>),
}

/// Who has answered.
pub(super) struct Done {
    pub answered: Answered,
    /// For the agent: the rule and the target.
    pub label: String,
}

/// What came of asking once.
enum Outcome {
    Done(Answered),
    /// It may go better elsewhere, or later.
    Again(Problem),
    /// It would be the same everywhere.
    Failed(Failure),
}

struct Problem {
    /// What the agent is told if nobody else can answer.
    told: Told,
    why: String,
    status: Option<StatusCode>,
    pause: Option<Duration>,
}

enum Told {
    Response(Response<Incoming>),
    Failure(Failure),
}

pub(super) struct Asking<'a> {
    pub shared: &'a Shared,
    pub active: &'a Active,
    pub route: &'a Route,
    pub format: Format,
    pub parts: &'a Parts,
    pub body: Bytes,
    /// The model that the agent asks for.
    pub asked: Option<&'a str>,
    pub session: Option<&'a str>,
}

impl Asking<'_> {
    pub async fn answer(&self, choice: &Choice<'_>, entry: &mut Entry) -> Result<Done, Failure> {
        let mut last = None;
        let count = choice.candidates.len();
        let mut number = 0;
        for (place, candidate) in choice.candidates.iter().enumerate() {
            let name = candidate.name(self.asked);
            let is_only = count == 1;
            // One that nobody could take the place of is asked whatever has been.
            if !self.shared.breakers.admits(&name, Instant::now()) && !is_only {
                continue;
            }
            entry.note(|record| {
                candidate.provider.clone_into(&mut record.provider);
                record.rule.clone_from(&choice.rule);
            });
            let others = place + 1 < count;
            match self.ask(candidate, &name, others, &mut number).await? {
                Ok(answered) => {
                    return Ok(Done {
                        answered,
                        label: label(choice.rule.as_deref(), &name, number),
                    });
                }
                Err(problem) => last = Some((problem, name)),
            }
        }
        self.shared.look_for_trouble(choice, self.asked);
        match last {
            Some((problem, name)) => match problem.told {
                Told::Response(response) => Ok(Done {
                    answered: Answered::Untouched(response),
                    label: label(choice.rule.as_deref(), &name, number),
                }),
                Told::Failure(failure) => Err(failure),
            },
            None => Err(self.all_left_alone(choice)),
        }
    }

    fn all_left_alone(&self, choice: &Choice<'_>) -> Failure {
        let names = choice.candidates.iter().map(|it| it.name(self.asked));
        let names: Vec<String> = names.collect();
        let message = format!(
            "{} failed again and again, and {} left alone for a moment: try again, or see `clown proxy status {}`",
            names.join(", "),
            if names.len() == 1 { "is" } else { "are" },
            self.active.configuration.profile
        );
        Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Fault::UpstreamUnreachable,
            message,
        )
    }

    /// Asks one target, with each of its keys, and again after a pause.
    async fn ask(
        &self,
        candidate: &Candidate<'_>,
        name: &str,
        others: bool,
        number: &mut u32,
    ) -> Result<Result<Answered, Problem>, Failure> {
        let outgoing = Outgoing::new(candidate, self.route, self.format, self.parts, &self.body)?;
        let keys: Vec<&Secret> = candidate.upstream.keys().collect();
        let pool = &self.shared.pool;
        let now = Instant::now();
        let order = pool.order(candidate.provider, keys.len(), self.session, now);
        let mut order = order.into_iter().peekable();
        let mut key = order.next();
        let mut retries = 0;
        let most = if self.active.rules.is_empty() {
            0
        } else {
            RETRIES
        };
        loop {
            *number += 1;
            let request = outgoing.request(candidate, key.map(|place| keys[place]), self.parts)?;
            let problem = match self.once(&outgoing, request).await {
                Outcome::Done(answered) => {
                    self.shared.breakers.succeeded(name);
                    self.shared.all_is_well();
                    return Ok(Ok(answered));
                }
                Outcome::Failed(failure) => return Err(failure),
                Outcome::Again(problem) => problem,
            };
            if let (Some(place), Some(status)) = (key, problem.status)
                && is_about_key(status)
                && order.peek().is_some()
            {
                pool.rest(candidate.provider, place, problem.pause, Instant::now());
                key = order.next();
                continue;
            }
            if problem.status.is_some_and(is_of_key_alone) {
                return Ok(Err(problem));
            }
            let is_open = self
                .shared
                .breakers
                .failed(name, &problem.why, Instant::now());
            let pause = problem.pause.unwrap_or(FIRST_PAUSE * 2_u32.pow(retries));
            let limit = match others {
                true => LONGEST_PAUSE_WITH_OTHERS,
                false => LONGEST_PAUSE,
            };
            let may_retry = retries < most
                && pause <= limit
                // Where somebody else can be asked, only a pause that the provider names is worth it.
                && !(others && (is_open || problem.pause.is_none()))
                && problem.status.is_none_or(is_worth_waiting);
            if !may_retry {
                return Ok(Err(problem));
            }
            tracing::debug!("{name} is asked again in {pause:?}: {}", problem.why);
            sleep(pause).await;
            retries += 1;
        }
    }

    async fn once(&self, outgoing: &Outgoing, asked: Asked) -> Outcome {
        let limit = self.active.configuration.limits.head;
        // Boxed, as it is much larger than all the rest.
        let answered = Box::pin(self.active.client.ask(asked));
        let failed = |status, fault, message: String| {
            Outcome::Again(Problem {
                why: message.clone(),
                told: Told::Failure(Failure::new(status, fault, message)),
                status: None,
                pause: None,
            })
        };
        let host = outgoing.host();
        let (timed_out, gateway) = (StatusCode::GATEWAY_TIMEOUT, StatusCode::BAD_GATEWAY);
        let response = match timeout(limit, answered).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let reason = upstream::reason(&error);
                if upstream::is_timeout(&error) {
                    let message = format!("{host} cannot be reached in time: {reason}");
                    return failed(timed_out, Fault::UpstreamTimeout, message);
                }
                let message = match error.is_connect() {
                    true => format!("{host} cannot be reached: {reason}"),
                    false => format!("{host} gave no answer: {reason}"),
                };
                return failed(gateway, Fault::UpstreamUnreachable, message);
            }
            Err(_) => {
                let message = format!("{host} did not answer within {} s", limit.as_secs());
                // It may still be at work: asking again would be paid twice.
                return Outcome::Failed(Failure::new(timed_out, Fault::UpstreamTimeout, message));
            }
        };
        let status = response.status();
        match &outgoing.reply {
            None if is_about_target(status) => Outcome::Again(Problem {
                why: format!("{host} answered {status}"),
                pause: pause_of(response.headers()),
                told: Told::Response(response),
                status: Some(status),
            }),
            None => Outcome::Done(Answered::Untouched(response)),
            Some(reply) => {
                self.translated(reply, outgoing.stream, response, host)
                    .await
            }
        }
    }

    async fn translated(
        &self,
        reply: &Reply,
        stream: bool,
        response: Response<Incoming>,
        host: &str,
    ) -> Outcome {
        let status = response.status();
        let (parts, mut body) = response.into_parts();
        let silence = self.active.configuration.limits.silence;
        let created = Timestamp::now().unix_millis() / 1_000;
        let created = u64::try_from(created).unwrap_or_default();
        let refused = |failure: crate::failure::Failure, status: StatusCode| {
            let pause = pause_of(&parts.headers);
            let why = format!("{host} answered {status}: {}", failure.message);
            let retry_after = parts.headers.get(RETRY_AFTER).cloned();
            let told = Failure::of_provider(failure, retry_after);
            match is_about_target(status) {
                true => Outcome::Again(Problem {
                    told: Told::Failure(told),
                    why,
                    status: Some(status),
                    pause,
                }),
                false => Outcome::Failed(told),
            }
        };
        let broken = |why: String| {
            let message = format!("{host} broke off: {why}");
            Outcome::Again(Problem {
                why: message.clone(),
                told: Told::Failure(Failure::new(
                    StatusCode::BAD_GATEWAY,
                    Fault::UpstreamCut,
                    message,
                )),
                status: None,
                pause: None,
            })
        };
        if !status.is_success() || !stream {
            let collected = timeout(silence, Limited::new(body, MAX_ANSWER).collect());
            let bytes = match collected.await {
                Ok(Ok(collected)) => collected.to_bytes(),
                Ok(Err(error)) => return broken(error.to_string()),
                Err(_) => return broken(format!("it sent nothing for {} s", silence.as_secs())),
            };
            if !status.is_success() {
                return refused(reply.failure(status.as_u16(), &bytes), status);
            }
            return match reply.whole(&bytes, created) {
                Ok(whole) => {
                    Outcome::Done(Answered::Whole(whole.body.into(), Box::new(whole.outcome)))
                }
                Err(error) => {
                    let status = status_of(&error.failure);
                    refused(error.failure, status)
                }
            };
        }
        let mut stream = Box::new(reply.stream(created));
        let mut first = BytesMut::new();
        // Until there is something to tell: whoever fails before that has answered nothing.
        while first.is_empty() && !stream.is_over() {
            match timeout(silence, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        first.extend_from_slice(&stream.feed(data));
                    }
                }
                Ok(Some(Err(error))) => return broken(error.to_string()),
                Ok(None) => first.extend_from_slice(&stream.finish()),
                Err(_) => return broken(format!("it sent nothing for {} s", silence.as_secs())),
            }
        }
        if let Some(failure) = stream.refused() {
            let failure = failure.clone();
            let status = status_of(&failure);
            return refused(failure, status);
        }
        Outcome::Done(Answered::Stream(body, stream, first.freeze()))
    }
}

/// The status that a provider would have answered with.
fn status_of(failure: &crate::failure::Failure) -> StatusCode {
    let status = failure.status(crate::format::Format::Messages);
    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY)
}

fn label(rule: Option<&str>, target: &str, number: u32) -> String {
    let mut label = String::new();
    if let Some(rule) = rule {
        label.push_str(&format!("rule={rule} "));
    }
    // A header has plain letters.
    let target: String = target
        .chars()
        .map(|letter| {
            if letter.is_ascii_graphic() {
                letter
            } else {
                '_'
            }
        })
        .collect();
    label.push_str(&format!("target={target}"));
    if number > 1 {
        label.push_str(&format!(" attempt={number}"));
    }
    label
}

/// Whether another target may do better.
fn is_about_target(status: StatusCode) -> bool {
    is_about_key(status) || matches!(status.as_u16(), 402 | 404 | 408 | 500..=599)
}

/// Whether another key may do better.
fn is_about_key(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 402 | 403 | 429)
}

/// Whether it says nothing of the target's health.
fn is_of_key_alone(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401..=404)
}

/// Whether the same target may do better in a moment, and has done nothing so far that would be paid.
fn is_worth_waiting(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 503 | 529)
}

/// How long to wait, as the provider says: in seconds, or in milliseconds.
fn pause_of(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms")
        .map(|millis| millis / 1_000.0)
        .or_else(|| number(RETRY_AFTER.as_str()));
    Duration::try_from_secs_f64(seconds?).ok()
}
