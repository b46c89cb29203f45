//! Lists of scripted pages, and every way in which one ends.

use super::*;

#[test]
fn a_page_says_where_the_next_one_begins() {
    let long = "x".repeat(Cursor::MAX_LEN + 1);
    let at = |text: &str| NextPage::At(text.parse().unwrap());
    for (json, next, is_first) in [
        (r#"{"data":[1],"next_cursor":"abc","prev_cursor":null}"#.to_owned(), at("abc"), true),
        (r#"{"data":[1],"next_cursor":"a\u0062c","prev_cursor":"x","new":{}}"#.to_owned(), at("abc"), false),
        (r#"{"\ud800":{"\ud800":"\ud800"},"data":[1],"next_\u0063ursor":"abc"}"#.to_owned(), at("abc"), false),
        (r#"{"data":[1],"next_cursor":null}"#.to_owned(), NextPage::None, false),
        (r#"{"data":[1],"next_cursor":""}"#.to_owned(), NextPage::None, false),
        (r#"{"data":[1]}"#.to_owned(), NextPage::Missing, false),
        (format!(r#"{{"data":[1],"next_cursor":"{long}"}}"#), NextPage::TooLong(2049), false),
    ] {
        let page: Page<u32> = serde_json::from_str(&json).unwrap();
        assert_eq!((page.rows(), &page.next, page.is_first()), (&[1][..], &next, is_first), "{json}");
        assert_eq!(reply(&json).json::<Page<u32>>().unwrap().next, next, "{json}");
    }
    for (json, expected) in [
        ("{}", "missing field `data`"),
        (r#"{"data":null}"#, "invalid type: null"),
        (r#"{"data":[],"next_cursor":7}"#, "expected a string"),
        ("[]", "expected a page of a list"),
    ] {
        let error = serde_json::from_str::<Page<u32>>(json).unwrap_err().to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
}

#[test]
fn a_cursor_is_written_down_and_in_no_debug() {
    let cursor: Cursor = "canary".parse().unwrap();
    assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    assert_eq!(format!("{cursor:?}"), "Cursor(6 bytes)");
    assert!("".parse::<Cursor>().is_err() && "x".repeat(2049).parse::<Cursor>().is_err());
    let page = Page::new(Vec::<u32>::new(), Some(cursor));
    assert!(!format!("{page:?}").contains("canary"));
}

#[test]
fn a_page_made_by_hand_gives_what_it_was_made_of() {
    let cursor: Cursor = "abc".parse().unwrap();
    let page = Page::new(vec![1, 2], Some(cursor.clone()));
    assert_eq!((page.rows(), page.next_cursor(), page.is_first()), (&[1, 2][..], Some(&cursor), false));
    assert_eq!(page.into_rows(), [1, 2]);
    assert_eq!(Page::new(vec![1], None).next_cursor(), None);
}

#[derive(Clone, Copy)]
struct Numbers;

impl Endpoint for Numbers {
    type Output = Page<u32>;

    fn call(&self, api: &Api) -> Call {
        api.get("numbers")
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Page<u32>, DecodeError> {
        reply.json()
    }
}

fn api() -> Api {
    Api::new(crate::ApiKey::new("12|abcdef").unwrap())
}

fn reply(body: &str) -> Reply<Bytes> {
    api().read(http::Response::new(Bytes::copy_from_slice(body.as_bytes()))).into_result().unwrap()
}

/// Plays the answers in order; the items, the queries that were sent, and how it ended.
fn play<F: Flow<Output = PagesEnd>>(
    flow: &mut F,
    answers: &[&str],
) -> (Vec<F::Item>, Vec<String>, Result<PagesEnd, String>) {
    let (mut items, mut sent, mut answers) = (Vec::new(), Vec::new(), answers.iter());
    loop {
        match flow.next(&api(), Moment::since_origin(std::time::Duration::ZERO)) {
            Ok(Step::Send(call)) => {
                let uri = call.to_request().unwrap().uri().clone();
                sent.push(uri.query().unwrap_or_default().to_owned());
                let answer = answers.next().expect("one call more than was played");
                if let Err(error) = flow.on_reply(reply(answer), Moment::since_origin(std::time::Duration::ZERO)) {
                    return (items, sent, Err(error.to_string()));
                }
            }
            Ok(Step::Yield(item)) => items.push(item),
            Ok(Step::End(end)) => return (items, sent, Ok(end)),
            Ok(Step::Sleep(_)) => panic!("pages never wait"),
            Err(error) => return (items, sent, Err(error.to_string())),
        }
    }
}

const FIRST: &str = r#"{"data":[1,2],"next_cursor":"a","prev_cursor":null}"#;
const EMPTY: &str = r#"{"data":[],"next_cursor":"b","prev_cursor":"p"}"#;
const LAST: &str = r#"{"data":[3],"next_cursor":null,"prev_cursor":"p"}"#;

#[test]
fn pages_are_followed_past_an_empty_one_to_the_last() {
    let mut pages = Pages::of(Numbers);
    let (items, sent, end) = play(&mut pages, &[FIRST, EMPTY, LAST]);
    assert_eq!(items, [vec![1, 2], vec![], vec![3]]);
    assert_eq!(sent, ["", "cursor=a", "cursor=b"]);
    assert_eq!((end, pages.pages()), (Ok(PagesEnd::LastPage), 3));
    // And again the same.
    assert!(matches!(
        pages.next(&api(), Moment::since_origin(std::time::Duration::ZERO)),
        Ok(Step::End(PagesEnd::LastPage))
    ));
}

#[test]
fn rows_come_one_by_one_and_know_their_place() {
    let mut rows = Pages::of(Numbers).rows();
    let (items, sent, end) = play(&mut rows, &[FIRST, EMPTY, LAST]);
    assert_eq!((items, sent.len(), end), (vec![1, 2, 3], 3, Ok(PagesEnd::LastPage)));
    assert_eq!((rows.page_cursor().unwrap().as_str(), rows.taken(), rows.pages()), ("b", 1, 3));

    let rest = Pages::resume(Numbers, "a".parse().unwrap()).rows().skip(7);
    assert_eq!(rest.taken(), 7, "stopped before its first page, a run keeps its place");
    let mut rest = Pages::of(Numbers).rows().skip(1);
    assert_eq!(play(&mut rest, &[FIRST, LAST]).0, [2, 3]);
    let mut rest = Pages::resume(Numbers, "a".parse().unwrap()).rows().skip(7);
    let (items, sent, _) = play(&mut rest, &[LAST]);
    assert_eq!((items, sent[0].as_str()), (vec![], "cursor=a"));
}

#[test]
fn each_way_to_end_is_told_from_the_others() {
    let cycle = r#"{"data":[3],"next_cursor":"a","prev_cursor":"p"}"#;
    let silent = r#"{"data":[1,2],"next_cursor":"a"}"#;
    let missing = r#"{"data":[3]}"#;
    let empty = r#"{"data":[3],"next_cursor":""}"#;
    let long = format!(r#"{{"data":[3],"next_cursor":"{}"}}"#, "x".repeat(1 << 20));
    for (answers, rows, end) in [
        (&[FIRST, cycle][..], vec![1, 2, 3], Err(FlowError::RepeatedCursor)),
        (&[FIRST, FIRST], vec![1, 2], Err(FlowError::BackAtFirstPage)),
        (&[FIRST, r#"{"data":[9],"next_cursor":"z","prev_cursor":null}"#], vec![1, 2], Err(FlowError::BackAtFirstPage)),
        (&[FIRST, EMPTY, FIRST], vec![1, 2], Err(FlowError::BackAtFirstPage)),
        (&[silent, EMPTY, silent], vec![1, 2], Err(FlowError::BackAtFirstPage)),
        (&[FIRST, missing], vec![1, 2, 3], Err(FlowError::MissingCursor)),
        (&[FIRST, empty], vec![1, 2, 3], Ok(PagesEnd::LastPage)),
        (&[FIRST, r#"{"data":[],"next_cursor":null,"prev_cursor":null}"#], vec![1, 2], Ok(PagesEnd::LastPage)),
        (&[FIRST, &long], vec![1, 2, 3], Err(FlowError::CursorTooLong { found: 1 << 20 })),
    ] {
        let mut flow = Pages::of(Numbers).rows();
        let (items, sent, found) = play(&mut flow, answers);
        assert_eq!((items, &found), (rows, &end.map_err(|error| error.to_string())));
        assert_eq!(sent.len(), answers.len());
        // An error is no end: it comes again, and no call is sent.
        assert_eq!(play(&mut flow, &[]).2, found);
    }
}

#[test]
fn a_list_that_leads_back_to_the_cursor_it_was_resumed_at_ends() {
    let mut pages = Pages::resume(Numbers, "a".parse().unwrap());
    let (items, sent, end) = play(&mut pages, &[r#"{"data":[3],"next_cursor":"a","prev_cursor":"p"}"#]);
    assert_eq!((items, sent.len(), end), (vec![vec![3]], 1, Err(FlowError::RepeatedCursor.to_string())));
}

#[test]
fn a_list_has_a_million_pages_at_most() {
    let mut pages = Pages::of(Numbers);
    pages.place.pages = MAX_PAGES - 1;
    let (items, _, end) = play(&mut pages, &[FIRST]);
    assert_eq!((items.len(), end), (1, Err(FlowError::TooManyPages.to_string())));
}

#[test]
fn a_cap_ends_the_list_where_it_can_go_on() {
    let mut pages = Pages::of(Numbers).at_most(1);
    let (items, _, end) = play(&mut pages, &[FIRST]);
    assert_eq!((items.len(), end), (1, Ok(PagesEnd::AtMost)));
    assert_eq!((pages.cursor().unwrap().as_str(), pages.is_at_end()), ("a", false));
    let mut rest = Pages::resume(Numbers, pages.cursor().unwrap().clone());
    let (items, sent, end) = play(&mut rest, &[LAST]);
    assert_eq!((items, sent[0].as_str(), end), (vec![vec![3]], "cursor=a", Ok(PagesEnd::LastPage)));
    assert_eq!((rest.cursor().unwrap().as_str(), rest.is_at_end()), ("a", true));
    assert_eq!(play(&mut Pages::of(Numbers).at_most(0), &[]).2, Ok(PagesEnd::AtMost));
}

#[test]
fn an_answer_that_cannot_be_read_and_a_call_that_was_dropped_keep_the_place() {
    let mut pages = Pages::of(Numbers);
    let now = Moment::since_origin(std::time::Duration::ZERO);
    assert!(matches!(pages.next(&api(), now), Ok(Step::Send(_))));
    assert!(matches!(pages.next(&api(), now), Ok(Step::Send(_))), "the call was dropped");
    pages.on_reply(reply(FIRST), now).unwrap();
    assert!(matches!(pages.next(&api(), now), Ok(Step::Yield(_))));
    for broken in ["{}", r#"{"data":["x"]}"#, r#"{"data":[],"next_cursor":7}"#] {
        assert!(matches!(pages.next(&api(), now), Ok(Step::Send(_))));
        assert!(matches!(pages.on_reply(reply(broken), now), Err(FlowError::Decode(_))), "{broken}");
    }
    let (items, sent, end) = play(&mut pages, &[LAST]);
    assert_eq!((items, sent[0].as_str(), end), (vec![vec![3]], "cursor=a", Ok(PagesEnd::LastPage)));
}

#[test]
fn a_row_that_cannot_be_read_costs_no_other_row() {
    let broken = r#"{"data":[1,"x",-1,2],"next_cursor":null}"#;
    assert!(play(&mut Pages::of(Numbers), &[broken]).2.is_err());
    let (items, _, end) = play(&mut Pages::of(Numbers).rows_lossy(), &[broken]);
    let errors = items.iter().filter_map(|row| Some(row.as_ref().err()?.path())).collect::<Vec<_>>();
    assert_eq!(errors, ["data[1]", "data[2]"]);
    let read: Vec<Option<u32>> = items.into_iter().map(Result::ok).collect();
    assert_eq!((read, end), (vec![Some(1), None, None, Some(2)], Ok(PagesEnd::LastPage)));

    let (items, ..) = play(&mut Pages::of(Numbers).rows_lossy(), &["{\"data\":\n[1,\n  \"x\"],\"next_cursor\":null}"]);
    let error = items.into_iter().find_map(Result::err).unwrap();
    assert_eq!((error.line(), error.column()), (3, 5));
}

#[test]
fn no_debug_shows_a_cursor() {
    let pages = Pages::resume(Numbers, "canary".parse().unwrap());
    let shown = format!("{pages:?}");
    let rows = format!("{:?}", pages.rows());
    assert!(rows.starts_with("Rows {") && rows.contains(&shown), "{rows}");
    assert!(shown.starts_with("Pages {") && !rows.contains("canary"), "{rows}");
}
