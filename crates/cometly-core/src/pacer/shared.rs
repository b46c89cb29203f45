//! A pacer whose limit is shared by many processes, by way of an engine such as Redis that all of them reach.
//!
//! ```text
//!   operations ──▶ Pacer ── what to ask and to tell ──▶ Mailbox ── Question ──▶ a thread with a socket ──▶ engine
//!                    ▲                                                                                      │
//!                    └──────────────────── leases, a place in line ◀── Mailbox::answer ◀────────────────────┘
//! ```
//!
//! [`lane`] is the rule, which the engine runs; [`share`] is one process's part of an endpoint; [`post`] is what the endpoints
//! and the mailbox have in common. While the engine is away,
//! the rule of a process alone decides, as if there were no fleet.

use std::{
    fmt,
    sync::{Arc, Mutex, Weak},
    task::Waker,
};

use super::{Pacer, endpoints::Endpoints};
use crate::Moment;

pub(super) mod lane;
pub(super) mod post;
pub(super) mod share;

use lane::SharedLane;
use post::{Asks, EngineSaid, Post};

/// The questions of a [shared](Pacer::shared) [`Pacer`] to an engine, and the way for its answers: the pacer does no IO, so
/// something else carries them. From [`Pacer::shared`].
///
/// `cometly-fleet` does, with Redis or Valkey. With an engine of your own, run the rule of [`SharedLane`] where all processes
/// reach it, and carry each [`Question`] there:
///
/// ```
/// use std::collections::HashMap;
/// use cometly_core::{Api, ApiKey, Moment, Pacer, SharedLane};
///
/// let (pacer, mailbox) = Pacer::shared("space-42")?;
/// let api = Api::builder(ApiKey::new("12|abcdef")?).pacer(pacer).build();
///
/// // Elsewhere, when the mailbox's waker is woken:
/// let mut engine = HashMap::<String, SharedLane>::new();
/// while let Some(question) = mailbox.next_question() {
///     let answer = engine.entry(question.key()).or_default().answer(1_764_000_000_000, question.events());
///     mailbox.answer(question, &answer, Moment::now())?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// If an answer takes longer than 50 ms, has another number of integers than [`SharedLane::ANSWER`], or the engine [cannot be
/// asked](Self::away), the pacer goes on for this process alone, for 1 s to 30 s: no call fails for that. If the mailbox is
/// dropped, it does so for good.
pub struct Mailbox {
    post: Arc<Post>,
}

/// One question of a shared pacer to its engine, about one endpoint; from [`Mailbox::next_question`]. It also reports what the
/// pacer's calls were answered.
#[must_use = "a question without an answer makes the pacer wait, and go on alone"]
pub struct Question {
    key: String,
    events: Vec<u64>,
    /// None if nothing is asked, only told.
    number: Option<u64>,
    endpoint: Weak<dyn Asks>,
}

impl Pacer {
    /// A pacer whose limits are shared with all processes that use the same engine and the same name for the Space; and the
    /// mailbox by which its questions reach the engine.
    ///
    /// The name is any that all processes know, such as `space-42`: never the key, and no hash of it, since keys rotate.
    ///
    /// # Errors
    /// [`InvalidSpace`] if the name is empty, longer than 128 bytes, holds a control character or a brace, or looks like an API
    /// key.
    pub fn shared(space: &str) -> Result<(Self, Mailbox), InvalidSpace> {
        check(space)?;
        let post = Arc::new(Post::new(space));
        let endpoints = Endpoints::shared(Arc::clone(&post));
        Ok((Self { endpoints: Arc::new(Mutex::new(endpoints)) }, Mailbox { post }))
    }
}

fn check(space: &str) -> Result<(), InvalidSpace> {
    const LONGEST: usize = 128;

    if space.is_empty() {
        return Err(InvalidSpace::Empty);
    }
    if space.len() > LONGEST {
        return Err(InvalidSpace::TooLong { len: space.len() });
    }
    // As Laravel makes keys: `id|secret`.
    if space.contains('|') || space.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err(InvalidSpace::LooksLikeKey);
    }
    // Braces mark the part of a name that decides where a cluster keeps it.
    if let Some((position, _)) = space.char_indices().find(|(_, c)| c.is_control() || matches!(c, '{' | '}')) {
        return Err(InvalidSpace::Character { position });
    }
    Ok(())
}

debug_as_display!(InvalidSpace, BadAnswer);

/// Why a text cannot be the name of a Space for [`Pacer::shared`]. It never shows the text, which may be a key.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSpace {
    /// The name is empty.
    #[error("the name of the Space is empty: give one that all processes of the fleet use, such as `space-42`")]
    Empty,
    /// The name is longer than 128 bytes.
    #[error("the name of the Space has {len} bytes: at most 128 are allowed, such as `space-42`")]
    TooLong {
        /// The length of the name in bytes.
        len: usize,
    },
    /// The name holds a control character or a brace.
    #[error("the name of the Space has a control character or a brace at byte {position}: leave it out")]
    Character {
        /// The byte offset of that character, from 0.
        position: usize,
    },
    /// The name looks like an API key: it holds a `|`, or begins with `Bearer`.
    #[error("the name of the Space looks like an API key: give a name such as `space-42`, since the engine shows it")]
    LooksLikeKey,
}

/// The engine's answer does not have [`SharedLane::ANSWER`] integers, 13: the engine runs another rule, or another version of
/// it. From [`Mailbox::answer`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the engine answered a pacer's question with {found} integers, expected {}: does it run the rule of this version?",
    SharedLane::ANSWER
)]
pub struct BadAnswer {
    found: usize,
}

impl Mailbox {
    /// The next question to carry to the engine; `None` if there is none now. Each question is given once.
    #[must_use]
    pub fn next_question(&self) -> Option<Question> {
        loop {
            let endpoint = self.post.next()?;
            let Some((name, asking)) = endpoint.upgrade().and_then(|endpoint| endpoint.take_question()) else {
                continue;
            };
            let key = lane::key(self.post.space(), name);
            return Some(Question { key, events: asking.events, number: asking.number, endpoint });
        }
    }

    /// Takes the answer of the engine, which is what runs [`SharedLane`], such as Redis. If it comes later than 50 ms after the
    /// pacer asked, the pacer has gone on alone, and itself gives back what the answer grants.
    ///
    /// # Errors
    /// [`BadAnswer`] if it has another number of integers than [`SharedLane::ANSWER`], 13; the pacer then goes on alone for 1
    /// to 30 s, as after [`away`](Mailbox::away).
    pub fn answer(&self, question: Question, answer: &[u64], now: Moment) -> Result<(), BadAnswer> {
        let Ok(answer) = <[u64; SharedLane::ANSWER]>::try_from(answer) else {
            self.away(now);
            return Err(BadAnswer { found: answer.len() });
        };
        let [granted, epoch, window, at, start, count, wait, closed_for, limit, _, _, _, length] = answer;
        let said = EngineSaid { granted, epoch, window, at, start, count, wait, closed_for, limit, length };
        self.post.answered(super::endpoint::clock(now));
        if let Some(endpoint) = question.endpoint.upgrade() {
            endpoint.on_answer(&said, question.number, now);
        }
        Ok(())
    }

    /// Says that the engine cannot be asked. The pacer goes on alone and asks again after 1 s, then 2, 4 … 30 s for each
    /// failure in a row.
    pub fn away(&self, now: Moment) {
        self.post.slow(super::endpoint::clock(now));
    }

    /// Says that the engine can be asked again, so that the pacer asks at once instead of after the pause of
    /// [`away`](Mailbox::away).
    pub fn back(&self, now: Moment) {
        self.post.back(super::endpoint::clock(now));
    }

    /// Whether the pacer is gone, with its clones and all their calls, waiting or under way. There will be no further
    /// question to carry, so the thread that carries them can end. Once this is true, it stays true.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        Arc::strong_count(&self.post) == 1
    }

    /// Whether the pacer decides alone now, because the engine failed or took longer than 50 ms: for 1 s, then 2, 4 … 30 s for each
    /// failure in a row, or until [`back`](Self::back).
    #[must_use]
    pub fn is_away(&self, now: Moment) -> bool {
        self.post.is_away(super::endpoint::clock(now))
    }

    /// Sets the waker that is woken whenever there is a question; at once if there is one now. A second call replaces it.
    pub fn set_waker(&self, waker: Waker) {
        self.post.set_waker(waker);
    }
}

impl Question {
    /// The name under which the engine keeps the state of this endpoint, such as the key in Redis: what [`SharedLane::key`]
    /// makes. The engine is what all processes reach and what runs the rule of [`SharedLane`].
    #[must_use]
    pub fn key(&self) -> String {
        self.key.clone()
    }

    /// What this process reports and asks, for [`SharedLane::answer`], in this order and unchanged: 8 integers for each
    /// event, at least one event and at most 65. What the integers mean is the rule's own affair: an engine only passes them
    /// on.
    #[must_use]
    pub fn events(&self) -> &[u64] {
        &self.events
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.post.close();
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("space", &self.post.space()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("key", &self.key).field("events", &self.events).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
