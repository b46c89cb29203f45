//! A list, page by page.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    marker::PhantomData,
    str::FromStr,
};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Endpoint, Flow, FlowError, Step};
use crate::{Api, Call, DecodeError, Moment, Reply, flow_error::MAX_CURSOR_LEN};

/// The place where a page of a list begins, as the server named it: an opaque text of 1 to 2048 bytes; from [`Pages::cursor`]
/// or [`Page::next_cursor`].
///
/// It can be stored as text (`Display`, [`FromStr`], which fails with [`InvalidCursor`]), so that another process can go on
/// with [`Pages::resume`](crate::Pages::resume). `Debug` does not show it: a cursor can hold what a row holds.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

/// A text that is not a [`Cursor`]: empty, or longer than 2048 bytes; from `FromStr` of [`Cursor`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor: expected 1 to {} bytes, found {found}", Cursor::MAX_LEN)]
pub struct InvalidCursor {
    found: usize,
}

debug_as_display!(InvalidCursor);

impl Cursor {
    /// The longest cursor: 2048 bytes. Percent-encoded it is up to three times as long, and still fits a request. A longer one
    /// of the server is [`FlowError::CursorTooLong`], a longer text [`InvalidCursor`].
    pub const MAX_LEN: usize = MAX_CURSOR_LEN;

    /// The cursor as text, 1 to 2048 bytes, as the server gave it. It can hold what a row holds.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.len() {
            1..=Self::MAX_LEN => Ok(Self(text.into())),
            found => Err(InvalidCursor { found }),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows the length of the cursor only.
impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({} bytes)", self.0.len())
    }
}

/// One page of a list: its rows, and where the next one begins.
///
/// Reads what Cometly's cursor pagination gives: `data`, `next_cursor` and `prev_cursor`; JSON without `data` is no page, and a
/// [`DecodeError`]. `next_page_url` is not read: the key goes where the base URL says, whatever an answer says.
#[derive(Clone, Debug)]
pub struct Page<T> {
    rows: Vec<T>,
    next: NextPage,
    /// Whether the page says that there is none before it.
    is_first: bool,
}

/// What a page says of the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NextPage {
    /// Nothing, where the API always says something.
    Missing,
    /// There is none: the cursor is null or empty.
    None,
    At(Cursor),
    /// A cursor too long to be one.
    TooLong(usize),
}

impl<T> Page<T> {
    /// A page made by hand, for an endpoint whose lists have another form. `next` is where the next page begins, `None` if this
    /// is the last one.
    #[must_use]
    pub fn new(rows: Vec<T>, next: Option<Cursor>) -> Self {
        Self { rows, next: next.map_or(NextPage::None, NextPage::At), is_first: false }
    }

    /// The rows of the page, in the server's order; empty if it has none.
    #[must_use]
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// The rows of the page by value, in the server's order; empty if it has none.
    #[must_use]
    pub fn into_rows(self) -> Vec<T> {
        self.rows
    }

    /// Where the next page begins; `None` on the last page, and if the page does not say or its cursor is too long.
    #[must_use]
    pub fn next_cursor(&self) -> Option<&Cursor> {
        match &self.next {
            NextPage::At(cursor) => Some(cursor),
            NextPage::Missing | NextPage::None | NextPage::TooLong(_) => None,
        }
    }

    /// Whether the page says, by a `prev_cursor` of null, that it is the first one. A server that cannot read a cursor begins
    /// anew and says so. False for a page from [`new`](Page::new).
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.is_first
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Page", &["data", "next_cursor", "prev_cursor"], Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page<T>, A::Error> {
        let mut rows = None;
        let (mut next, mut is_first) = (NextPage::Missing, false);
        while let Some(name) = map.next_key::<Name<'_>>()? {
            match &*name.0 {
                "data" => rows = Some(map.next_value()?),
                "next_cursor" => {
                    let cursor: Option<String> = map.next_value()?;
                    next = match cursor.as_ref().map(|cursor| (cursor.len(), cursor.parse())) {
                        None | Some((0, _)) => NextPage::None,
                        Some((_, Ok(cursor))) => NextPage::At(cursor),
                        Some((len, Err(_))) => NextPage::TooLong(len),
                    };
                }
                "prev_cursor" => is_first = map.next_value::<Option<IgnoredAny>>()?.is_none(),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let rows = rows.ok_or_else(|| serde::de::Error::missing_field("data"))?;
        Ok(Page { rows, next, is_first })
    }
}

/// The name of a field, borrowed where it can be. It is read lossily: a lone surrogate in the name of an unknown field costs
/// that character and not the page.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lossy;
        impl<'de> Visitor<'de> for Lossy {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, name: &'de [u8]) -> Result<Name<'de>, E> {
                Ok(Name(String::from_utf8_lossy(name)))
            }

            fn visit_bytes<E>(self, name: &[u8]) -> Result<Name<'de>, E> {
                Ok(Name(String::from_utf8_lossy(name).into_owned().into()))
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_bytes(Lossy)
    }
}

/// Every page of a list: a [`Flow`] that gives the rows of each page as a `Vec`; from [`Pages::of`].
///
/// | it ends with | when |
/// | --- | --- |
/// | [`PagesEnd::LastPage`] | a page says that there is no next one: its cursor is null or empty |
/// | [`PagesEnd::AtMost`] | as many pages were given as [`at_most`](Pages::at_most) allows |
/// | [`FlowError::RepeatedCursor`] | a cursor comes for the second time |
/// | [`FlowError::BackAtFirstPage`] | the server goes back to the first page, as Laravel does without an error for a cursor that it cannot read |
/// | [`FlowError::MissingCursor`] | a page says nothing of the next one |
/// | [`FlowError::CursorTooLong`], [`FlowError::TooManyPages`] | a cursor has more than 2048 bytes; there are more than 1,000,000 pages |
/// | [`FlowError::Decode`] | a page cannot be read |
///
/// A page without rows is no end. After the failure of a call, or a page that cannot be read, the place is kept, and the next
/// step asks for the same page again; after any other error of this table each next step fails in the same way. Each page that
/// was given costs 8 bytes of memory. Each page is a call of its own, with the time-out of a call; the whole list has none.
pub struct Pages<E: Endpoint> {
    endpoint: E,
    place: Place,
    /// The page that came and is not given yet.
    pending: Option<E::Output>,
}

/// How a list ended without an error: the output of [`Pages`] and [`Rows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PagesEnd {
    /// All pages were given: the last one says that there is no next one.
    LastPage,
    /// As many pages were given as [`Pages::at_most`] allows; [`Pages::cursor`] is where the next one begins.
    AtMost,
}

/// Where a list is, whatever its rows are.
#[derive(Default)]
struct Place {
    /// Where the next page begins. All before it was given.
    cursor: Option<Cursor>,
    /// Numbers of the cursors so far.
    seen: HashSet<u64>,
    /// A number of the first page's answer, if the list was read from its beginning.
    first_page: Option<u64>,
    pages: u32,
    at_most: Option<u32>,
    stop: Option<Stop>,
}

/// Why there is no further page.
#[derive(Clone, Copy)]
enum Stop {
    LastPage,
    Repeated,
    BackAtFirst,
    Missing,
    TooLong(usize),
}

/// More pages than any list has.
const MAX_PAGES: u32 = 1_000_000;

fn number_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl Place {
    /// Whether there is a page to ask for.
    fn end(&self) -> Result<Option<PagesEnd>, FlowError> {
        match self.stop {
            Some(Stop::LastPage) => Ok(Some(PagesEnd::LastPage)),
            Some(Stop::Repeated) => Err(FlowError::RepeatedCursor),
            Some(Stop::BackAtFirst) => Err(FlowError::BackAtFirstPage),
            Some(Stop::Missing) => Err(FlowError::MissingCursor),
            Some(Stop::TooLong(found)) => Err(FlowError::CursorTooLong { found }),
            None if self.at_most.is_some_and(|most| self.pages >= most) => Ok(Some(PagesEnd::AtMost)),
            None if self.pages >= MAX_PAGES => Err(FlowError::TooManyPages),
            None => Ok(None),
        }
    }

    /// Whether a page is the first one again, though another was asked for.
    fn is_back_at_first(&self, next: &NextPage, says_first: bool, is_empty: bool, body: &[u8]) -> bool {
        if self.cursor.is_none() {
            return false;
        }
        // A server that does not say so shows it: its cursor is an old one, and so is the whole answer.
        let is_old = matches!(next, NextPage::At(cursor) if self.seen.contains(&number_of(cursor.as_str().as_bytes())));
        (says_first && !is_empty) || (is_old && self.first_page == Some(number_of(body)))
    }

    /// Goes on to the next page, once this one is given.
    fn advance(&mut self, next: NextPage) {
        self.pages = self.pages.saturating_add(1);
        self.stop = match next {
            NextPage::Missing => Some(Stop::Missing),
            NextPage::None => Some(Stop::LastPage),
            NextPage::TooLong(found) => Some(Stop::TooLong(found)),
            NextPage::At(cursor) if self.seen.insert(number_of(cursor.as_str().as_bytes())) => {
                self.cursor = Some(cursor);
                None
            }
            NextPage::At(_) => Some(Stop::Repeated),
        };
    }
}

impl<E, T> Pages<E>
where
    E: Endpoint<Output = Page<T>>,
{
    /// The list of `endpoint`, from its first page. Nothing is sent before it is run.
    #[must_use]
    pub fn of(endpoint: E) -> Self {
        Self { endpoint, place: Place::default(), pending: None }
    }

    /// The list of `endpoint`, from the page at `cursor` on, which [`cursor`](Pages::cursor) gave to an earlier run, mostly in
    /// another process: the first page that was not given, or again the last one if that run [was at its
    /// end](Pages::is_at_end). The endpoint must make the same call with the same filters, which is not checked. If the server
    /// cannot read the cursor and begins anew, the flow fails with [`FlowError::BackAtFirstPage`].
    #[must_use]
    pub fn resume(endpoint: E, cursor: Cursor) -> Self {
        let seen = HashSet::from([number_of(cursor.as_str().as_bytes())]);
        Self { endpoint, place: Place { cursor: Some(cursor), seen, ..Place::default() }, pending: None }
    }

    /// Ends with [`PagesEnd::AtMost`] once this many pages were given, counted from [`of`](Pages::of) or
    /// [`resume`](Pages::resume); by default there is no such end. 0 ends at once, without a call. A second call replaces the
    /// number.
    #[must_use]
    pub fn at_most(mut self, pages: u32) -> Self {
        self.place.at_most = Some(pages);
        self
    }

    /// The same list as a flow that gives row by row, in the server's order, instead of page by page. It still asks for whole
    /// pages.
    #[must_use]
    pub fn rows(self) -> Rows<E> {
        Rows { start: self.place.cursor.clone(), pages: self, page: None, taken: 0, skip: 0 }
    }

    /// The same list with each row as a `Result`: a row that cannot be read is an error of its own and costs no other row. It
    /// reads each answer as a [`Page`], whatever [`Endpoint::read`] would do. A page that cannot be read is an error of the
    /// flow.
    #[must_use]
    pub fn lossy(self) -> Pages<Lossy<E>>
    where
        T: DeserializeOwned,
    {
        let Self { endpoint, place, .. } = self;
        Pages { endpoint: Lossy(endpoint), place, pending: None }
    }

    /// The same list row by row, each row as a `Result`: a row that cannot be read is an `Err` and costs no other row. As
    /// [`lossy`](Pages::lossy) and [`rows`](Pages::rows) together. A page that cannot be read is an error of the flow.
    #[must_use]
    pub fn rows_lossy(self) -> Rows<Lossy<E>>
    where
        T: DeserializeOwned,
    {
        self.lossy().rows()
    }
}

impl<E: Endpoint> Pages<E> {
    /// Where the next page begins; all rows before it were given. Stored, it lets another process go on with
    /// [`resume`](Pages::resume). `None` if the next page is the first one. At the end of the list it stays where the last page
    /// began; see [`is_at_end`](Pages::is_at_end).
    #[must_use]
    pub fn cursor(&self) -> Option<&Cursor> {
        self.place.cursor.as_ref()
    }

    /// Whether no page can be asked for behind the one that was given last: it is the last page, or names no usable next one.
    /// Its rows are then not to be stored with [`cursor`](Pages::cursor), which still says where that page begins: resumed
    /// there, it would be given again.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.place.stop.is_some()
    }

    /// How many pages were given, counted from [`of`](Pages::of) or [`resume`](Pages::resume).
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.place.pages
    }
}

impl<E, T> Pages<E>
where
    E: Endpoint<Output = Page<T>>,
{
    /// The page that came, with which the place moves on.
    fn take(&mut self) -> Option<Page<T>> {
        let mut page = self.pending.take()?;
        self.place.advance(std::mem::replace(&mut page.next, NextPage::None));
        Some(page)
    }

    fn step<I>(&self, api: &Api) -> Result<Step<I, PagesEnd>, FlowError> {
        if let Some(end) = self.place.end()? {
            return Ok(Step::End(end));
        }
        let call = self.endpoint.call(api);
        Ok(Step::Send(match &self.place.cursor {
            Some(cursor) => call.query("cursor", cursor),
            None => call,
        }))
    }

    fn receive(&mut self, reply: &Reply<Bytes>) -> Result<(), FlowError> {
        let page = self.endpoint.read(reply)?;
        if self.place.is_back_at_first(&page.next, page.is_first, page.rows.is_empty(), reply.body()) {
            self.place.stop = Some(Stop::BackAtFirst);
            return Err(FlowError::BackAtFirstPage);
        }
        if self.place.cursor.is_none() {
            self.place.first_page = Some(number_of(reply.body()));
        }
        self.pending = Some(page);
        Ok(())
    }
}

impl<E, T> Flow for Pages<E>
where
    E: Endpoint<Output = Page<T>>,
{
    type Item = Vec<T>;
    type Output = PagesEnd;

    fn next(&mut self, api: &Api, _: Moment) -> Result<Step<Vec<T>, PagesEnd>, FlowError> {
        match self.take() {
            Some(page) => Ok(Step::Yield(page.rows)),
            None => self.step(api),
        }
    }

    fn on_reply(&mut self, reply: Reply<Bytes>, _: Moment) -> Result<(), FlowError> {
        self.receive(&reply)
    }
}

/// Shows how many pages were given, and of the cursor its length.
impl<E: Endpoint> fmt::Debug for Pages<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("pages", &self.place.pages)
            .field("cursor", &self.place.cursor)
            .field("at_most", &self.place.at_most)
            .finish_non_exhaustive()
    }
}

/// Every row of a list: a [`Flow`] that gives them one by one; from [`Pages::rows`]. It ends and fails as the table of
/// [`Pages`] says. A row that cannot be read fails its whole page with [`FlowError::Decode`]; with [`Pages::rows_lossy`] it is
/// an `Err` of its own.
///
/// The API has no cursor for a row, so the place in the list is a page and a number of rows in it:
/// [`page_cursor`](Rows::page_cursor) and [`taken`](Rows::taken). Another process goes on there with `Pages::resume(list,
/// cursor).rows().skip(taken)`, or with `Pages::of(list).rows().skip(taken)` if the cursor is `None`.
pub struct Rows<E: Endpoint> {
    pages: Pages<E>,
    /// The page under way, last row first.
    page: Option<E::Output>,
    /// Where that page begins.
    start: Option<Cursor>,
    taken: usize,
    skip: usize,
}

impl<E: Endpoint> Rows<E> {
    /// Leaves out the first `rows` rows of the next page, which an earlier run took: at most that one page, and none by
    /// default. A second call replaces the number.
    #[must_use]
    pub fn skip(mut self, rows: usize) -> Self {
        // Counted from now on, so that a run that ends before its first page loses no place.
        (self.skip, self.taken) = (rows, rows);
        self
    }

    /// The cursor of the page under way: the one begun last, or, before the first, the one that is asked for first. `None` if
    /// that is the first page of the list.
    #[must_use]
    pub fn page_cursor(&self) -> Option<&Cursor> {
        self.start.as_ref()
    }

    /// How many rows of the page at [`page_cursor`](Rows::page_cursor) were given, with those that [`skip`](Rows::skip) left
    /// out.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// How many pages were begun, counted from [`Pages::of`] or [`Pages::resume`].
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.pages.pages()
    }
}

impl<E, T> Flow for Rows<E>
where
    E: Endpoint<Output = Page<T>>,
{
    type Item = T;
    type Output = PagesEnd;

    fn next(&mut self, api: &Api, _: Moment) -> Result<Step<T, PagesEnd>, FlowError> {
        loop {
            if let Some(row) = self.page.as_mut().and_then(|page| page.rows.pop()) {
                self.taken = self.taken.saturating_add(1);
                return Ok(Step::Yield(row));
            }
            let start = self.pages.cursor().cloned();
            let Some(mut page) = self.pages.take() else { return self.pages.step(api) };
            self.start = start;
            self.taken = self.skip.min(page.rows.len());
            self.skip = 0;
            page.rows.reverse();
            page.rows.truncate(page.rows.len().saturating_sub(self.taken));
            self.page = Some(page);
        }
    }

    fn on_reply(&mut self, reply: Reply<Bytes>, _: Moment) -> Result<(), FlowError> {
        self.pages.receive(&reply)
    }
}

/// Shows how many pages and rows were given, and no cursor.
impl<E: Endpoint> fmt::Debug for Rows<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("pages", &self.pages).field("taken", &self.taken).finish_non_exhaustive()
    }
}

/// An endpoint that reads each row of `E`'s pages as a `Result` with a [`DecodeError`], so that a row that cannot be read costs
/// no other row; from [`Pages::lossy`]. JSON that is no page at all is still a [`DecodeError`].
#[derive(Clone, Debug)]
pub struct Lossy<E>(E);

impl<E, T> Endpoint for Lossy<E>
where
    E: Endpoint<Output = Page<T>>,
    T: DeserializeOwned,
{
    type Output = Page<Result<T, DecodeError>>;

    fn call(&self, api: &Api) -> Call {
        self.0.call(api)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Self::Output, DecodeError> {
        let Page { rows, next, is_first } = reply.json::<Page<&RawValue>>()?;
        let rows = rows.into_iter().enumerate().map(|(index, row)| reply.part(row.get(), ("data", index)));
        Ok(Page { rows: rows.collect(), next, is_first })
    }
}

#[cfg(test)]
mod tests;
