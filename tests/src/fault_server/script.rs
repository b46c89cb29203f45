//! Which answer a request gets.

use std::{fmt, sync::Arc};

use super::{Answer, Received};

/// Which answer a request gets, by its number or by what it asks for.
#[derive(Clone)]
pub struct Script(Arc<Choose>);

type Choose = dyn Fn(usize, &Received) -> Answer + Send + Sync;

impl Script {
    /// The same for every request.
    #[must_use]
    pub fn always(answer: Answer) -> Self {
        Self::by(move |_, _| answer.clone())
    }

    /// One after the other, by arrival; the last one is repeated.
    #[must_use]
    pub fn sequence<const N: usize>(answers: [Answer; N]) -> Self {
        Self::by(move |number, _| answers.get(number).or(answers.last()).cloned().unwrap_or_else(Answer::close))
    }

    /// Whatever this says of the number of the arrival, from 0, and of the request; its body is not read yet.
    pub fn by(choose: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(choose))
    }

    pub(super) fn answer(&self, number: usize, received: &Received) -> Answer {
        (self.0)(number, received)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}
