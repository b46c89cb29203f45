//! The exit codes: what a script can tell without reading words.

use std::fmt::Write as _;

/// How a command ended. The numbers are a promise; see [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Local = 1,
    Usage = 2,
    Unauthenticated = 3,
    Forbidden = 4,
    RateLimited = 5,
    Rejected = 6,
    Server = 7,
    Network = 8,
    Unexpected = 9,
    Setup = 10,
    RepeatedCursor = 11,
    FirstPage = 12,
    MissingCursor = 13,
    LongCursor = 14,
    MorePages = 15,
    Export = 16,
    Interrupted = 130,
}

/// Each code, its name in `--json` errors, and its meaning in `--help`.
const TABLE: [(Exit, &str, &str); 18] = [
    (Exit::Ok, "ok", "done"),
    (Exit::Local, "local", "this machine: a file, a lock, the disk, the terminal"),
    (Exit::Usage, "usage", "the command was not understood; nothing was sent"),
    (Exit::Unauthenticated, "unauthenticated", "no API key, or Cometly refused it (401)"),
    (Exit::Forbidden, "forbidden", "the key may not do this, or the subscription is inactive (403)"),
    (Exit::RateLimited, "rate_limited", "the rate limit is used up (429)"),
    (Exit::Rejected, "rejected", "not found, or not valid (404, 422; an input line that breaks a rule)"),
    (Exit::Server, "server", "the server failed (5xx)"),
    (Exit::Network, "network", "no answer"),
    (Exit::Unexpected, "unexpected", "not an answer of the API: a redirect, a challenge, a proxy"),
    (Exit::Setup, "setup", "the HTTP client cannot be set up: its proxy, its TLS, its certificates; nothing was sent"),
    (Exit::RepeatedCursor, "repeated_cursor", "the list would never end: a cursor came for the second time"),
    (
        Exit::FirstPage,
        "first_page",
        "the server did not know the cursor and began the list anew; that page is not written",
    ),
    (Exit::MissingCursor, "missing_cursor", "a page does not say where the next one begins; it is written"),
    (Exit::LongCursor, "long_cursor", "a cursor is too long to be sent; the page before it is written"),
    (Exit::MorePages, "more_pages", "the list has more pages than --max-pages allows"),
    (Exit::Export, "export", "the export failed, was not done in time, or may have been ordered unseen"),
    (Exit::Interrupted, "interrupted", "stopped by Ctrl-C or SIGTERM"),
];

impl Exit {
    pub(crate) fn code(self) -> u8 {
        // The numbers of the enum; each fits.
        self as u8
    }

    pub(crate) fn name(self) -> &'static str {
        TABLE.iter().find(|(exit, ..)| *exit == self).map_or("", |(_, name, _)| name)
    }
}

/// The table as `--help` shows it.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for (exit, _, meaning) in TABLE {
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {:>3}  {meaning}", exit.code());
    }
    text.push_str("\nEnvironment (wins over what `auth login` stored):\n");
    text.push_str(
        "  COMETLY_API_KEY   the API key; never on the command line, where every user of this machine sees it\n",
    );
    text.push_str("  COMETLY_BASE_URL  where the API is, by default https://app.cometly.com/public-api/v1; a server of\n                    Cometly's or this machine, any other one is named with --base-url\n");
    text.push_str("  COMETLY_PROFILE   the stored key to use, by the name of its profile\n");
    text.push_str(
        "  COMETLY_TIME_ZONE the time zone of the Space, as Europe/Berlin: for `today`, `yesterday`, `-7d`\n",
    );
    text.push_str("  COMETLY_FLEET_URL the engine of a fleet as --fleet names it; a password belongs here alone\n");
    text.push_str("  COMETLY_SPACE     the Space's name, as --space gives it\n");
    text.push_str("  NO_COLOR          no colour\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_promised_ones_and_all_are_in_the_help() {
        let codes: Vec<_> = TABLE.iter().map(|(exit, name, _)| (exit.code(), *name)).collect();
        let promised = [
            (0, "ok"),
            (1, "local"),
            (2, "usage"),
            (3, "unauthenticated"),
            (4, "forbidden"),
            (5, "rate_limited"),
            (6, "rejected"),
            (7, "server"),
            (8, "network"),
            (9, "unexpected"),
            (10, "setup"),
            (11, "repeated_cursor"),
            (12, "first_page"),
            (13, "missing_cursor"),
            (14, "long_cursor"),
            (15, "more_pages"),
            (16, "export"),
            (130, "interrupted"),
        ];
        assert_eq!(codes, promised);
        assert!(promised.iter().all(|(code, _)| help().contains(&format!("  {code:>3}  "))));
    }
}
