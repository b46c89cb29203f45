//! Whether a client is answered in JSON: Laravel's `expectsJson()`.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::laravel::input::is_json;

/// Only the first acceptable type counts, where "first" means the highest `q`, then the order written.
pub(crate) fn expects_json(headers: &HeaderMap) -> bool {
    let first = first_type(headers);
    let json = first.as_deref().is_some_and(is_json);
    let anything = first.is_none_or(|kind| kind == "*/*" || kind == "*");
    json || (anything && is_ajax(headers))
}

fn first_type(headers: &HeaderMap) -> Option<String> {
    let mut best: Option<(f32, &str)> = None;
    let lines = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for item in lines.flat_map(|line| line.split(',')).map(str::trim).filter(|item| !item.is_empty()) {
        let quality = quality(item);
        if best.is_none_or(|(so_far, _)| quality > so_far) {
            best = Some((quality, item));
        }
    }
    let (_, item) = best?;
    item.split(';').next().map(|kind| kind.trim().to_ascii_lowercase())
}

fn quality(item: &str) -> f32 {
    let q = item.split(';').skip(1).filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim() == "q");
    q.map_or(1.0, |(_, value)| value.trim().parse().unwrap_or(0.0))
}

fn is_ajax(headers: &HeaderMap) -> bool {
    headers.get("x-requested-with").is_some_and(|value| value == "XMLHttpRequest") && !headers.contains_key("x-pjax")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_acceptable_type_counts() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[("accept", "application/json")], true),
            (&[("accept", "application/vnd.api+json; charset=utf-8")], true),
            (&[("accept", "APPLICATION/JSON, text/html")], true),
            (&[("accept", "text/html, application/json")], false),
            (&[("accept", "text/html;q=0.5, application/json")], true),
            (&[("accept", "application/json;q=nonsense, text/html;q=0.1")], false),
            (&[("accept", "*/*")], false),
            (&[("accept", "")], false),
            (&[], false),
            (&[("accept", "*/*"), ("x-requested-with", "XMLHttpRequest")], true),
            (&[("x-requested-with", "XMLHttpRequest")], true),
            (&[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")], false),
            (&[("x-requested-with", "XMLHttpRequest"), ("x-pjax", "true")], false),
        ];
        for (headers, expected) in cases {
            let map = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(expects_json(&map), *expected, "{headers:?}");
        }
    }
}
