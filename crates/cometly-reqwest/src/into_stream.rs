//! A flow as a stream of the `futures` crates.

use cometly_core::Flow;
use futures_lite::stream::{Stream, unfold};

use crate::{Error, run::Run};

impl<'a, F: Flow> Run<'a, F> {
    /// The items as a stream, which ends after an error. A future of its next item that is dropped loses nothing: the call
    /// under way goes on when the stream is polled again.
    ///
    /// ```
    /// # use cometly_reqwest::{Client, Error, cometly_core::{Api, Endpoint, Page, Pages}};
    /// # use futures_lite::{Stream, StreamExt as _};
    /// # async fn texts<E: Endpoint<Output = Page<String>> + Send>(client: &Client, api: &Api, list: E) -> Result<(), Error> {
    /// let mut rows = std::pin::pin!(client.run(api, Pages::of(list).rows()).into_stream());
    /// while let Some(row) = rows.next().await {
    ///     println!("{}", row?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_stream(self) -> impl Stream<Item = Result<F::Item, Error>> + Send + 'a
    where
        F: Send + 'a,
        F::Item: Send,
        F::Output: Send,
    {
        unfold(Some(self), |run| async {
            let mut run = run?;
            match run.next().await {
                Ok(Some(item)) => Some((Ok(item), Some(run))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}
