//! Puts what a reader tells into the order in which a writer can write it.
//!
//! Upstreams interleave tool calls; callers expect one block after the other. The block at the front
//! is passed on as it comes. What belongs to another block waits until the front one can be left: a
//! text at any time, a tool call when its arguments are a whole object or its reader says so.

mod shape;

use std::borrow::Cow;
use std::collections::VecDeque;

use super::happening::{Happening, Signature, Sink, Stop};
use crate::failure::{Failure, FailureKind};
use crate::usage::Usage;
use shape::Shape;

/// Between a reader and a writer. It also keeps streams honest: one start, one end, one stop, and an
/// error where the upstream never said that it was through.
#[derive(Debug)]
pub(crate) struct Order<W> {
    pub(crate) writer: W,
    model: String,
    minted: String,
    started: bool,
    ended: bool,
    front: Option<Front>,
    waiting: VecDeque<Waiting>,
    stop: Option<Stop>,
    called: bool,
    said: bool,
    pub(crate) usage: Usage,
    pub(crate) failure: Option<Failure>,
    pub(crate) id: String,
}

#[derive(Debug)]
struct Front {
    slot: usize,
    shape: Shape,
}

#[derive(Debug)]
enum Waiting {
    Text(String),
    Thinking(String, Option<Signature>),
    Redacted(Signature),
    Tool {
        slot: usize,
        id: String,
        name: String,
        json: String,
        ended: bool,
    },
}

impl<W: Sink> Order<W> {
    /// `model` is told where the upstream names none, and `minted` where it gives no id: what the
    /// caller is told is what is metered.
    pub(crate) fn new(writer: W, model: String, minted: String) -> Self {
        Self {
            writer,
            model,
            minted,
            started: false,
            ended: false,
            front: None,
            waiting: VecDeque::new(),
            stop: None,
            called: false,
            said: false,
            usage: Usage::default(),
            failure: None,
            id: String::new(),
        }
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.ended
    }

    /// A failure before anything else was told.
    pub(crate) fn refused(&self) -> Option<&Failure> {
        self.failure.as_ref().filter(|_| !self.started)
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// The upstream's bytes are at their end, whether it said so or not.
    pub(crate) fn close(&mut self) {
        if self.ended {
            return;
        }
        if self.stop.is_some() {
            self.end();
        } else {
            self.fail(Failure::new(
                FailureKind::Api,
                "The upstream ended the stream before the answer was whole.",
            ));
        }
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        if !self.ended {
            self.ended = true;
            self.failure = Some(failure.clone());
            self.writer.take(Happening::Failed(failure));
        }
    }

    fn start(&mut self, id: Cow<'_, str>, model: Cow<'_, str>) {
        if self.started {
            return;
        }
        self.started = true;
        if !model.is_empty() {
            self.model = model.into_owned();
        }
        self.id = match id.is_empty() {
            true => std::mem::take(&mut self.minted),
            false => id.into_owned(),
        };
        self.writer.take(Happening::Start {
            id: Cow::Borrowed(&self.id),
            model: Cow::Borrowed(&self.model),
        });
    }

    fn ensure_started(&mut self) {
        if !self.started {
            self.start(Cow::Borrowed(""), Cow::Borrowed(""));
        }
    }

    /// True when a new block may be written now.
    fn free(&mut self) -> bool {
        self.ensure_started();
        if self.waiting.is_empty() && self.front.as_ref().is_none_or(|front| front.shape.whole()) {
            self.leave_front();
            return true;
        }
        false
    }

    fn leave_front(&mut self) {
        if let Some(front) = self.front.take() {
            self.writer.take(Happening::ToolEnd { slot: front.slot });
        }
    }

    fn text(&mut self, text: Cow<'_, str>) {
        self.said = true;
        if self.free() {
            self.writer.take(Happening::Text(text));
        } else if let Some(Waiting::Text(held)) = self.waiting.back_mut() {
            held.push_str(&text);
        } else {
            self.waiting.push_back(Waiting::Text(text.into_owned()));
        }
    }

    fn thinking(&mut self, text: Cow<'_, str>) {
        self.said = true;
        if self.free() {
            self.writer.take(Happening::Thinking(text));
        } else if let Some(Waiting::Thinking(held, None)) = self.waiting.back_mut() {
            held.push_str(&text);
        } else {
            self.waiting
                .push_back(Waiting::Thinking(text.into_owned(), None));
        }
    }

    fn signature(&mut self, signature: Signature) {
        if self.free() {
            self.writer.take(Happening::Signature(signature));
        } else if let Some(Waiting::Thinking(_, held)) = self.waiting.back_mut() {
            *held = Some(signature);
        } else {
            self.waiting
                .push_back(Waiting::Thinking(String::new(), Some(signature)));
        }
    }

    fn redacted(&mut self, signature: Signature) {
        if self.free() {
            self.writer.take(Happening::Redacted(signature));
        } else {
            self.waiting.push_back(Waiting::Redacted(signature));
        }
    }

    fn tool_start(&mut self, slot: usize, id: String, name: String) {
        self.called = true;
        if self.free() {
            self.front = Some(Front {
                slot,
                shape: Shape::default(),
            });
            self.writer.take(Happening::ToolStart { slot, id, name });
        } else {
            self.waiting.push_back(Waiting::Tool {
                slot,
                id,
                name,
                json: String::new(),
                ended: false,
            });
        }
    }

    fn tool_arguments(&mut self, slot: usize, piece: Cow<'_, str>) {
        if let Some(front) = &mut self.front
            && front.slot == slot
        {
            // Once the object is whole, what follows (a line feed, the object again) is not part of it.
            let kept = front.shape.feed(&piece);
            if kept > 0 {
                let json = match piece {
                    Cow::Borrowed(piece) => Cow::Borrowed(&piece[..kept]),
                    Cow::Owned(mut piece) => {
                        piece.truncate(kept);
                        Cow::Owned(piece)
                    }
                };
                self.writer.take(Happening::ToolArguments { slot, json });
            }
            self.advance();
            return;
        }
        for waiting in self.waiting.iter_mut().rev() {
            if let Waiting::Tool {
                slot: own, json, ..
            } = waiting
                && *own == slot
            {
                json.push_str(&piece);
                return;
            }
        }
    }

    fn tool_end(&mut self, slot: usize) {
        if let Some(front) = &mut self.front
            && front.slot == slot
        {
            front.shape.end();
            self.advance();
            return;
        }
        for waiting in &mut self.waiting {
            if let Waiting::Tool {
                slot: own, ended, ..
            } = waiting
                && *own == slot
            {
                *ended = true;
            }
        }
    }

    /// Lets those that wait go, as far as the front can be left.
    fn advance(&mut self) {
        while !self.waiting.is_empty()
            && self.front.as_ref().is_none_or(|front| front.shape.whole())
        {
            self.release();
        }
    }

    fn release(&mut self) {
        self.leave_front();
        match self.waiting.pop_front() {
            None => {}
            Some(Waiting::Text(text)) => self.writer.take(Happening::Text(text.into())),
            Some(Waiting::Thinking(text, signature)) => {
                if !text.is_empty() {
                    self.writer.take(Happening::Thinking(text.into()));
                }
                if let Some(signature) = signature {
                    self.writer.take(Happening::Signature(signature));
                }
            }
            Some(Waiting::Redacted(signature)) => self.writer.take(Happening::Redacted(signature)),
            Some(Waiting::Tool {
                slot,
                id,
                name,
                json,
                ended,
            }) => {
                let mut shape = Shape::default();
                if ended {
                    shape.end();
                }
                let kept = shape.feed(&json);
                self.front = Some(Front { slot, shape });
                self.writer.take(Happening::ToolStart { slot, id, name });
                if kept > 0 {
                    let json = Cow::Borrowed(&json[..kept]);
                    self.writer.take(Happening::ToolArguments { slot, json });
                }
            }
        }
    }

    /// True where the arguments at the front were cut off. `ended` of a reader does not heal that.
    fn cut_off(&self) -> bool {
        self.front.as_ref().is_some_and(|front| front.shape.open())
    }

    fn end(&mut self) {
        self.ensure_started();
        let cut_short = matches!(self.stop, Some(Stop::MaxTokens | Stop::ContextFull));
        loop {
            if self.cut_off() && !cut_short {
                self.fail(Failure::new(
                    FailureKind::Api,
                    "The upstream ended the stream in the middle of a tool call.",
                ));
                return;
            }
            if self.waiting.is_empty() {
                break;
            }
            self.release();
        }
        self.leave_front();
        let stop = match self.stop.take() {
            // Many imitations of Chat say `stop` after a tool call, and some `tool_calls` after none.
            None | Some(Stop::EndTurn | Stop::ToolUse) if self.called => Stop::ToolUse,
            None | Some(Stop::ToolUse) => Stop::EndTurn,
            Some(stop) => stop,
        };
        self.stop = Some(stop.clone());
        self.ended = true;
        self.writer.take(Happening::Usage(self.usage));
        self.writer.take(Happening::Stop(stop));
        self.writer.take(Happening::End);
    }
}

impl<W: Sink> Sink for Order<W> {
    fn take(&mut self, happening: Happening<'_>) {
        if self.ended {
            return;
        }
        match happening {
            Happening::Start { id, model } => self.start(id, model),
            Happening::Text(text) if text.is_empty() => {}
            Happening::Thinking(text) if text.is_empty() => {}
            Happening::Text(text) => self.text(text),
            Happening::Thinking(text) => self.thinking(text),
            Happening::Signature(signature) => self.signature(signature),
            Happening::Redacted(signature) => self.redacted(signature),
            Happening::ToolStart { slot, id, name } => self.tool_start(slot, id, name),
            Happening::ToolArguments { slot, json } => self.tool_arguments(slot, json),
            Happening::ToolEnd { slot } => self.tool_end(slot),
            Happening::Usage(usage) => self.usage = usage,
            Happening::Stop(stop) => {
                self.stop.get_or_insert(stop);
            }
            Happening::Failed(failure) => self.fail(failure),
            // `[DONE]` after nothing at all is an upstream that broke, not an empty answer.
            Happening::End if self.stop.is_none() && !self.said && !self.called => {
                self.fail(Failure::new(
                    FailureKind::Api,
                    "The upstream ended the stream without an answer.",
                ));
            }
            Happening::End => self.end(),
        }
    }
}
