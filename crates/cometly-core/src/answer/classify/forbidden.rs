//! Which of the two documented reasons a 403 has, told by its message and only where the words leave no doubt: who follows
//! a wrong reason renews a subscription that is active, or makes a key that changes nothing.

use smallvec::SmallVec;

use crate::ForbiddenReason;

/// No message of the API's is longer.
const MAX_LEN: usize = 512;

/// Laravel's own messages for a missing permission, each the whole message.
const LARAVEL: [&str; 6] = [
    "this action is unauthorized",
    "invalid ability provided",
    "invalid scope",
    "invalid scope provided",
    "invalid scopes provided",
    "invalid scope(s) provided",
];

/// Words that say what a message is about. A sentence that has one outside a phrase leaves a doubt.
const TOPICS: [&str; 32] = [
    "subscription",
    "subscriptions",
    "permission",
    "permissions",
    "ability",
    "abilities",
    "scope",
    "scopes",
    "authorized",
    "authorised",
    "unauthorized",
    "unauthorised",
    "inactive",
    "active",
    "expired",
    "expires",
    "canceled",
    "cancelled",
    "suspended",
    "due",
    "ended",
    "billing",
    "payment",
    "plan",
    "trial",
    "user",
    "account",
    "ip",
    "address",
    "blocked",
    "disabled",
    "revoked",
];

/// Words that turn a sentence around or make it conditional, unless a phrase takes them in.
const DOUBTS: [&str; 34] = [
    "not", "no", "never", "cannot", "without", "isnt", "wasnt", "hasnt", "doesnt", "dont", "arent", "wont", "but",
    "if", "or", "unless", "although", "though", "however", "whether", "because", "may", "might", "maybe", "could",
    "would", "should", "when", "until", "except", "only", "nor", "neither", "either",
];

/// The reason that a message states, if it states one and nothing else.
pub(super) fn forbidden_reason(message: &str) -> ForbiddenReason {
    let message = message.trim();
    if message.len() > MAX_LEN || message.ends_with('?') {
        return ForbiddenReason::Unspecified;
    }
    let bare = message.trim_end_matches('.');
    if LARAVEL.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
        return ForbiddenReason::Permission;
    }
    let mut found = None;
    for (at, sentence) in message.split(['.', '!', ';', '\n']).enumerate() {
        let words = words(sentence);
        match judge(&words) {
            // What comes before the reason may be its condition, or another one.
            Sentence::States(reason) if at == 0 => found = Some(reason),
            Sentence::SaysNothing => {}
            Sentence::States(_) | Sentence::LeavesDoubt => return ForbiddenReason::Unspecified,
        }
    }
    found.unwrap_or(ForbiddenReason::Unspecified)
}

enum Sentence {
    States(ForbiddenReason),
    SaysNothing,
    LeavesDoubt,
}

fn judge(words: &[&str]) -> Sentence {
    let all = 0..words.len();
    let stated = all.clone().find_map(|at| {
        let (reason, len) = phrase(words.get(at..).unwrap_or_default())?;
        Some((reason, at, at.saturating_add(len)))
    });
    let is_outside = |at: usize| stated.is_none_or(|(_, start, end)| at < start || at >= end);
    let has_outside =
        |list: &[&str]| all.clone().any(|at| is_outside(at) && words.get(at).is_some_and(|w| is_one(w, list)));
    match stated {
        _ if has_outside(&TOPICS) => Sentence::LeavesDoubt,
        Some(_) if has_outside(&DOUBTS) => Sentence::LeavesDoubt,
        Some((reason, ..)) => Sentence::States(reason),
        None => Sentence::SaysNothing,
    }
}

/// The reason that the first words state, and how many words state it.
fn phrase(words: &[&str]) -> Option<(ForbiddenReason, usize)> {
    let mut rest = Rest(words);
    let reason = permission(&mut rest).or_else(|| {
        rest = Rest(words);
        subscription(&mut rest)
    })?;
    Some((reason, words.len().saturating_sub(rest.0.len())))
}

/// `does not have the required permission`, `missing permission`, `permission denied`, `not authorized`.
fn permission(rest: &mut Rest<'_>) -> Option<ForbiddenReason> {
    const PERMISSION: [&str; 6] = ["permission", "permissions", "ability", "abilities", "scope", "scopes"];

    let start = Rest(rest.0);
    if rest.skip(&["not"]) && rest.skip(&["authorized", "authorised"]) {
        return Some(ForbiddenReason::Permission);
    }
    *rest = Rest(start.0);
    if rest.skip(&PERMISSION) && rest.skip(&["denied"]) {
        return Some(ForbiddenReason::Permission);
    }
    *rest = Rest(start.0);
    let lacks = if rest.skip(&["not", "doesnt", "dont"]) {
        rest.skip(&["have"])
    } else {
        rest.skip(&["lack", "lacks", "lacking", "missing", "insufficient", "without", "no"])
    };
    while lacks && rest.skip(&["the", "a", "any", "required", "necessary", "needed", "sufficient", "right", "api"]) {}
    (lacks && rest.skip(&PERMISSION)).then_some(ForbiddenReason::Permission)
}

/// `subscription is inactive`, `subscription has expired`, `no active subscription`, `inactive subscription`.
fn subscription(rest: &mut Rest<'_>) -> Option<ForbiddenReason> {
    const STATES: [&str; 6] = ["inactive", "expired", "canceled", "cancelled", "suspended", "ended"];

    let start = Rest(rest.0);
    let mut is_stated = rest.skip(&STATES) || (rest.skip(&["no"]) && rest.skip(&["active"]));
    rest.skip(&["cometly"]);
    is_stated &= rest.skip(&["subscription"]);
    if is_stated {
        return Some(ForbiddenReason::InactiveSubscription);
    }
    *rest = Rest(start.0);
    if !rest.skip(&["subscription"]) {
        return None;
    }
    while rest.skip(&["is", "has", "was", "been", "currently", "now", "already"]) {}
    let is_over = rest.skip(&STATES)
        || (rest.skip(&["not"]) && rest.skip(&["active"]))
        || (rest.skip(&["no"]) && rest.skip(&["longer"]) && rest.skip(&["active"]))
        || (rest.skip(&["past"]) && rest.skip(&["due"]));
    is_over.then_some(ForbiddenReason::InactiveSubscription)
}

/// The words that are still to be read.
struct Rest<'a>(&'a [&'a str]);

impl Rest<'_> {
    /// Reads one word if it is one of these.
    fn skip(&mut self, list: &[&str]) -> bool {
        match self.0 {
            [word, rest @ ..] if is_one(word, list) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }
}

/// Whether a word is in a list. An apostrophe counts for nothing: `doesn't` is `doesnt`.
fn is_one(word: &str, list: &[&str]) -> bool {
    let letters = || word.bytes().filter(u8::is_ascii_alphabetic);
    list.iter().any(|other| word.len() >= other.len() && letters().map(|byte| byte | 0x20).eq(other.bytes()))
}

/// The words of a sentence: letters of any alphabet, and the apostrophes within.
fn words(sentence: &str) -> SmallVec<[&str; 32]> {
    let is_of_word = |char: char| char.is_alphabetic() || matches!(char, '\'' | '’');
    sentence.split(|char| !is_of_word(char)).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_403_is_said_only_when_it_is_plain() {
        use ForbiddenReason::{InactiveSubscription, Permission, Unspecified};
        for (message, expected) in [
            // Laravel's own.
            ("This action is unauthorized.", Permission),
            ("Invalid ability provided.", Permission),
            ("Invalid scope(s) provided.", Permission),
            ("Invalid scope.", Permission),
            ("Your email address is not verified.", Unspecified),
            ("User does not have the right roles.", Unspecified),
            ("User does not have the right permissions.", Unspecified),
            ("Forbidden", Unspecified),
            ("", Unspecified),
            // Permission.
            ("Your API key does not have PERMISSION to read events.", Permission),
            ("This API key does not have the required permission: events.write", Permission),
            ("You don't have permission to access this resource", Permission),
            ("The key doesn’t have the scope events:read", Permission),
            ("This key lacks the required permissions.", Permission),
            ("missing_permission: “read”", Permission),
            ("Insufficient permissions", Permission),
            ("Permission denied.", Permission),
            ("You are (NOT AUTHORIZED)", Permission),
            ("[NOT AUTHORIZED]", Permission),
            ("Permission denied. You cannot use this endpoint.", Permission),
            // Subscription.
            ("Your subscription is inactive.", InactiveSubscription),
            ("Your subscription is inactive. Please renew it.", InactiveSubscription),
            ("No active subscription.", InactiveSubscription),
            ("Inactive subscription", InactiveSubscription),
            ("Your Subscription has expired", InactiveSubscription),
            ("Your subscription was canceled.", InactiveSubscription),
            ("Subscription cancelled", InactiveSubscription),
            ("Your subscription has been cancelled!", InactiveSubscription),
            ("Your subscription is not active", InactiveSubscription),
            ("The subscription is no longer active.", InactiveSubscription),
            ("Your subscription is past due", InactiveSubscription),
            // Both, or neither.
            ("Your subscription does not give permission, or is inactive.", Unspecified),
            ("Your subscription is inactive or you lack the permission.", Unspecified),
            ("You lack the permission. Your subscription is inactive.", Unspecified),
            ("Your subscription does not include this.", Unspecified),
            ("Your subscription", Unspecified),
            ("You need permission", Unspecified),
            // Something else has ended.
            ("Your subscription is active, but this key has expired.", Unspecified),
            ("This key has expired. Your subscription is active.", Unspecified),
            ("This key has expired. Your subscription is inactive.", Unspecified),
            ("Your subscription's trial has expired.", Unspecified),
            ("The permission of this key has expired.", Unspecified),
            ("User is inactive.", Unspecified),
            ("Your subscription is radioactive, AInactive, zinactive", Unspecified),
            // Turned around, conditional, asked.
            ("Your subscription is not inactive.", Unspecified),
            ("Your subscription is not expired.", Unspecified),
            ("Your subscription isn't inactive.", Unspecified),
            ("Your subscription has not been canceled.", Unspecified),
            ("No inactive subscription.", Unspecified),
            ("You do not lack the permission.", Unspecified),
            ("Not without permission.", Unspecified),
            ("Not permission denied", Unspecified),
            ("If your subscription is inactive, renew it.", Unspecified),
            ("Your subscription may have expired.", Unspecified),
            ("Is your subscription inactive?", Unspecified),
            ("You have permission, but this address is blocked.", Unspecified),
            ("You are not authorized because your subscription is inactive.", Unspecified),
            ("Votre abonnement est inactif.", Unspecified),
        ] {
            assert_eq!(forbidden_reason(message), expected, "{message}");
        }
        let long = format!("Your subscription is inactive. {}", "x".repeat(MAX_LEN));
        assert_eq!(forbidden_reason(&long), Unspecified);
    }
}
