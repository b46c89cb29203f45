//! The table of everything that the emulator serves.

use http::{HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::endpoints::{companies, contacts, events, exports, track};
use crate::keys::Ability;
use crate::laravel::answer::{self, Answer};
use crate::laravel::refusal::Refusal;
use crate::path::{API, Endpoint, fits};
use crate::store::exports::What;
use crate::visit::Visit;

pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    /// What a key must be able to do; without it, no key is asked for.
    pub(crate) needs: Option<Ability>,
    /// The documented limit per minute, if there is one.
    pub(crate) limit: Option<u32>,
    pub(crate) action: fn(&mut Visit<'_>) -> Result<Answer, Refusal>,
}

/// Of two that fit, the first one counts. Where Cometly documents no limit, there is none.
pub(crate) static ROUTES: &[Route] = &[
    Route { endpoint: ("GET", "/login"), needs: None, limit: None, action: login },
    Route {
        endpoint: ("GET", "/public-api/v1/events"),
        needs: Some(Ability::EventsRead),
        limit: Some(7),
        action: events::list,
    },
    Route {
        endpoint: ("POST", "/public-api/v1/events/track"),
        needs: Some(Ability::EventsWrite),
        limit: None,
        action: track::accept,
    },
    Route {
        endpoint: ("POST", "/public-api/v1/events/exports"),
        needs: Some(Ability::EventsRead),
        limit: Some(5),
        action: |visit| exports::create(What::Events, visit),
    },
    Route {
        endpoint: ("GET", "/public-api/v1/events/exports/{id}"),
        needs: Some(Ability::EventsRead),
        limit: Some(30),
        action: |visit| exports::get(What::Events, visit),
    },
    Route {
        endpoint: ("GET", "/public-api/v1/contacts"),
        needs: Some(Ability::ContactsRead),
        limit: Some(15),
        action: contacts::list,
    },
    Route {
        endpoint: ("POST", "/public-api/v1/contacts"),
        needs: Some(Ability::ContactsWrite),
        limit: Some(60),
        action: contacts::create,
    },
    Route {
        endpoint: ("POST", "/public-api/v1/contacts/exports"),
        needs: Some(Ability::ContactsRead),
        limit: None,
        action: |visit| exports::create(What::Contacts, visit),
    },
    Route {
        endpoint: ("GET", "/public-api/v1/contacts/exports/{id}"),
        needs: Some(Ability::ContactsRead),
        limit: None,
        action: |visit| exports::get(What::Contacts, visit),
    },
    Route {
        endpoint: ("GET", "/public-api/v1/contacts/{id}"),
        needs: Some(Ability::ContactsRead),
        limit: Some(30),
        action: contacts::get,
    },
    Route {
        endpoint: ("PUT", "/public-api/v1/contacts/{id}"),
        needs: Some(Ability::ContactsWrite),
        limit: None,
        action: contacts::update,
    },
    Route {
        endpoint: ("GET", "/public-api/v1/companies"),
        needs: Some(Ability::CompaniesRead),
        limit: Some(15),
        action: companies::list,
    },
    Route {
        endpoint: ("POST", "/public-api/v1/companies/exports"),
        needs: Some(Ability::CompaniesRead),
        limit: None,
        action: |visit| exports::create(What::Companies, visit),
    },
    Route {
        endpoint: ("GET", "/public-api/v1/companies/exports/{id}"),
        needs: Some(Ability::CompaniesRead),
        limit: None,
        action: |visit| exports::get(What::Companies, visit),
    },
    Route {
        endpoint: ("GET", "/public-api/v1/companies/{id}"),
        needs: Some(Ability::CompaniesRead),
        limit: None,
        action: companies::get,
    },
    Route {
        endpoint: ("PUT", "/public-api/v1/companies/{id}"),
        needs: Some(Ability::CompaniesWrite),
        limit: Some(60),
        action: companies::update,
    },
];

/// What a request leads to, before anyone looks at its key.
pub(crate) enum Found {
    /// With what the path has in place of `{id}`; empty if there is no such place.
    Route(&'static Route, String),
    /// Laravel answers `OPTIONS` by itself.
    Options(Answer),
}

pub(crate) fn find(method: &Method, path: &str) -> Result<Found, Refusal> {
    let Ok(decoded) = percent_decode_str(path).decode_utf8() else {
        return Err(Refusal::status(StatusCode::BAD_REQUEST, "Malformed URL."));
    };
    let wanted = decoded.trim_end_matches('/');
    let here = || ROUTES.iter().filter_map(|route| Some((route, fits(route.endpoint.1, wanted)?)));
    if let Some((route, id)) = here().find(|(route, _)| verbs(route).contains(&method.as_str())) {
        return Ok(Found::Route(route, id.to_owned()));
    }
    let mut supported: Vec<&str> = Vec::new();
    for verb in here().flat_map(|(route, _)| verbs(route)) {
        if !supported.contains(verb) {
            supported.push(verb);
        }
    }
    match method.as_str() {
        _ if supported.is_empty() => Err(Refusal::unknown_route(path)),
        "OPTIONS" => Ok(Found::Options(options(&supported))),
        method => Err(Refusal::wrong_verb(method, path, &supported)),
    }
}

/// The endpoints that ask for a key, as Cometly's documentation writes them.
pub(crate) fn limitable() -> impl Iterator<Item = Endpoint> {
    let routes = ROUTES.iter().filter(|route| route.needs.is_some()).map(|route| route.endpoint);
    routes.map(|(method, path)| (method, path.strip_prefix(API).unwrap_or(path)))
}

/// Whatever answers GET answers HEAD.
fn verbs(route: &Route) -> &'static [&'static str] {
    match route.endpoint.0 {
        "GET" => &["GET", "HEAD"],
        "POST" => &["POST"],
        "PUT" => &["PUT"],
        _ => &[],
    }
}

fn options(supported: &[&str]) -> Answer {
    let mut answer = answer::empty();
    answer.headers_mut().extend(HeaderValue::from_str(&supported.join(",")).map(|value| (http::header::ALLOW, value)));
    answer
}

#[expect(clippy::unnecessary_wraps, reason = "the table asks every action for a result")]
fn login(_: &mut Visit<'_>) -> Result<Answer, Refusal> {
    Ok(answer::page(StatusCode::OK, "Log in"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &str, path: &str) -> u16 {
        match find(&method.parse().unwrap(), path) {
            Ok(Found::Route(..)) => 200,
            Ok(Found::Options(_)) => 204,
            Err(refusal) => refusal.into_answer(true, "").status().as_u16(),
        }
    }

    #[test]
    fn routes_are_found_as_laravel_finds_them() {
        let cases = [
            ("GET", "/public-api/v1/events", 200),
            ("HEAD", "/public-api/v1/events", 200),
            ("GET", "/public-api/v1/events/", 200),
            ("GET", "/public-api/v1/%65vents", 200),
            ("OPTIONS", "/public-api/v1/events", 204),
            ("PUT", "/public-api/v1/events", 405),
            ("BREW", "/public-api/v1/events/track", 405),
            ("BREW", "/public-api/v1/nothing", 404),
            ("GET", "/public-api/v1/events%2Ftrack/x", 404),
            ("GET", "/public-api/v1/Events", 404),
            ("GET", "/", 404),
            ("GET", "/public-api/v1/contacts/7", 200),
            ("PUT", "/public-api/v1/contacts/7/", 200),
            ("GET", "/public-api/v1/contacts/7/8", 404),
            ("GET", "/public-api/v1/contacts/exports/7", 200),
            ("POST", "/public-api/v1/contacts/7", 405),
            ("POST", "/public-api/v1/companies", 405),
            ("GET", "/public-api/v1/events/7", 404),
            ("GET", "/%ff", 400),
        ];
        for (method, path, expected) in cases {
            assert_eq!(status(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn every_route_has_verbs() {
        assert!(ROUTES.iter().all(|route| verbs(route).contains(&route.endpoint.0)));
    }
}
