//! The key that a reference names.

use std::sync::atomic::AtomicBool;

use cometly_core::ApiKey;

use crate::{KeyError, KeyRef, command, content, file, key_ref::Place};

impl KeyRef {
    /// Reads the key, one line of at most 4096 bytes; the [front page](crate) says what is no part of it. A variable is read at
    /// once. It blocks: for a file up to a third of a second if it is being written, for a command up to ten seconds, and one more
    /// if the program cannot be killed.
    ///
    /// # Errors
    /// [`KeyError`] names the reference, what is wrong there (a [`Problem`](crate::Problem)), and what to do. It never holds what
    /// was read.
    pub fn read(&self) -> Result<ApiKey, KeyError> {
        self.read_unless(None, &AtomicBool::new(false))
    }

    /// As [`read`](Self::read), given the key that was there before; gives up when `stop` is set.
    pub(crate) fn read_unless(&self, known: Option<&ApiKey>, stop: &AtomicBool) -> Result<ApiKey, KeyError> {
        let read = match &self.place {
            Place::Environment(name) => content::of_variable(std::env::var_os(name)),
            Place::File(path) => file::read(path, known),
            Place::Command { program, arguments } => {
                command::run(program, arguments, stop).and_then(|output| content::key(&output))
            }
        };
        read.map_err(|problem| KeyError::new(self.clone(), problem))
    }
}
