//! The part of a file that a request asks for (RFC 9110, §14).

use std::ops::Range;

use http::HeaderMap;
use http::header::{IF_RANGE, RANGE};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Bytes(Range<usize>),
    /// Nothing of the file is in the range.
    Nothing,
}

/// What of a file of `length` bytes a request asks for. Several ranges, and units other than bytes, are passed over, as object
/// stores do. `tag` is the file's, in quotation marks, and `modified` its date; `If-Range` names either.
pub(crate) fn part(headers: &HeaderMap, length: usize, tag: &str, modified: &str) -> Part {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::trim);
    let Some(range) = text(RANGE).filter(|_| headers.get_all(RANGE).iter().count() == 1) else { return Part::Whole };
    if headers.contains_key(IF_RANGE) && text(IF_RANGE).is_none_or(|known| known != tag && known != modified) {
        return Part::Whole;
    }
    read(range, length).unwrap_or(Part::Whole)
}

/// `None` for what is no range of bytes.
fn read(range: &str, length: usize) -> Option<Part> {
    let (unit, range) = range.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number too large for us is beyond any file.
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let range = match (first, last) {
        ("", suffix) => length.saturating_sub(number(suffix)?)..length,
        (first, "") => number(first)?..length,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(length)
        }
    };
    Some(if range.start < range.end { Part::Bytes(range) } else { Part::Nothing })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&str, &str)]) -> Part {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        part(&headers, 10, "\"tag\"", "Thu, 01 Jan 2026 00:00:00 GMT")
    }

    #[test]
    fn a_range_is_read_as_the_standard_says() {
        for (range, expected) in [
            ("bytes=0-", Part::Bytes(0..10)),
            ("bytes=0-0", Part::Bytes(0..1)),
            ("bytes=4-99", Part::Bytes(4..10)),
            ("Bytes = 4-9", Part::Bytes(4..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=-30", Part::Bytes(0..10)),
            ("bytes=-0", Part::Nothing),
            ("bytes=10-", Part::Nothing),
            ("bytes=99999999999999999999999-", Part::Nothing),
            ("bytes=5-4", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("0-1", Part::Whole),
        ] {
            assert_eq!(asked(&[("range", range)]), expected, "{range}");
        }
        assert_eq!(asked(&[]), Part::Whole);
        assert_eq!(asked(&[("range", "bytes=0-1"), ("range", "bytes=0-1")]), Part::Whole);
    }

    #[test]
    fn if_range_names_the_file_that_is_known() {
        for (known, expected) in [
            ("\"tag\"", Part::Bytes(4..10)),
            ("Thu, 01 Jan 2026 00:00:00 GMT", Part::Bytes(4..10)),
            ("\"other\"", Part::Whole),
            ("W/\"tag\"", Part::Whole),
            ("Thu, 01 Jan 2026 00:00:01 GMT", Part::Whole),
        ] {
            assert_eq!(asked(&[("range", "bytes=4-"), ("if-range", known)]), expected, "{known}");
        }
        assert_eq!(asked(&[("if-range", "\"tag\"")]), Part::Whole);
    }
}
