//! Which of the two documented reasons a 403 has, read from its message, and only where the words leave no doubt: a wrong
//! reason would make a user renew a subscription that is active, or make a key that changes nothing.

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

/// The reason that a message states, if it states one and nothing else.
pub(super) fn forbidden_reason(message: &str) -> ForbiddenReason {
    let message = message.trim_ascii();
    if message.len() > MAX_LEN || message.ends_with('?') {
        return ForbiddenReason::Unspecified;
    }
    let bare = message.strip_suffix('.').unwrap_or(message);
    if LARAVEL.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
        return ForbiddenReason::Permission;
    }
    let mut found = None;
    let is_end = |byte: &u8| matches!(byte, b'.' | b'!' | b';' | b'\n');
    for (at, sentence) in message.as_bytes().split(is_end).enumerate() {
        match judge(&words(sentence)) {
            // What comes before the reason may be its condition, or another one.
            Sentence::States(reason) if at == 0 => found = Some(reason),
            Sentence::SaysNothing => {}
            Sentence::States(_) | Sentence::LeavesDoubt => return ForbiddenReason::Unspecified,
        }
    }
    found.unwrap_or(ForbiddenReason::Unspecified)
}

/// What a word is to the reason of a 403.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Subscription,
    /// A permission, an ability, a scope.
    Permission,
    Authorized,
    Denied,
    Have,
    /// `lacks`, `missing`: there is none.
    Lacks,
    /// `doesn't`, which turns around the verb behind it.
    DoesNot,
    Not,
    No,
    Longer,
    Active,
    /// `inactive`, `expired`: what a subscription can be, and much else.
    Over,
    Past,
    Due,
    /// May be between a verb and what it is about: `the required`, `has been`.
    Filler,
    /// Whose subscription it is: the Space's, and not that to another product.
    Owner,
    /// Says that the message is about something else, too.
    Topic,
    /// Turns a sentence around or makes it conditional.
    Doubt,
    Other,
}

impl Word {
    /// Reads a word in small letters, without apostrophes.
    fn of(word: &[u8]) -> Self {
        match word {
            b"subscription" => Self::Subscription,
            b"permission" | b"permissions" | b"ability" | b"abilities" | b"scope" | b"scopes" => Self::Permission,
            b"authorized" | b"authorised" => Self::Authorized,
            b"denied" => Self::Denied,
            b"have" => Self::Have,
            b"lack" | b"lacks" | b"lacking" | b"missing" | b"insufficient" | b"without" => Self::Lacks,
            b"doesnt" | b"dont" => Self::DoesNot,
            b"not" => Self::Not,
            b"no" => Self::No,
            b"longer" => Self::Longer,
            b"active" => Self::Active,
            b"inactive" | b"expired" | b"canceled" | b"cancelled" | b"suspended" | b"ended" => Self::Over,
            b"past" => Self::Past,
            b"due" => Self::Due,
            b"the" | b"a" | b"any" | b"required" | b"necessary" | b"needed" | b"sufficient" | b"right" | b"cometly"
            | b"is" | b"has" | b"was" | b"been" | b"currently" | b"now" | b"already" => Self::Filler,
            b"your" | b"our" | b"this" | b"space" | b"spaces" | b"workspace" | b"workspaces" | b"teams"
            | b"companys" | b"organizations" => Self::Owner,
            b"subscriptions" | b"unauthorized" | b"unauthorised" | b"expires" | b"billing" | b"payment" | b"plan"
            | b"trial" | b"user" | b"account" | b"ip" | b"address" | b"blocked" | b"disabled" | b"revoked"
            | b"token" | b"signature" | b"invalid" | b"mismatch" | b"malformed" | b"unknown" | b"quota" | b"limit"
            | b"limits" | b"exceeded" | b"country" | b"region" | b"location" | b"network" | b"domain" | b"origin"
            | b"referer" | b"firewall" | b"vpn" | b"proxy" | b"maintenance" | b"verified" | b"verify"
            | b"verification" | b"feature" | b"csrf" | b"session" | b"login" | b"captcha" | b"bot" => Self::Topic,
            b"never" | b"cannot" | b"cant" | b"isnt" | b"wasnt" | b"hasnt" | b"arent" | b"wont" | b"but" | b"if"
            | b"or" | b"unless" | b"although" | b"though" | b"however" | b"whether" | b"because" | b"may"
            | b"might" | b"maybe" | b"could" | b"would" | b"should" | b"when" | b"until" | b"except" | b"only"
            | b"nor" | b"neither" | b"either" | b"yet" | b"almost" | b"soon" | b"will" => Self::Doubt,
            _ => Self::Other,
        }
    }

    /// Whether it is about a reason, or about another one than those that are known.
    fn is_topic(self) -> bool {
        !matches!(self, Self::Filler | Self::Owner | Self::Other | Self::Have | Self::Longer | Self::Past)
            && !self.is_doubt()
    }

    fn is_doubt(self) -> bool {
        matches!(self, Self::Doubt | Self::Not | Self::No | Self::DoesNot)
    }
}

enum Sentence {
    States(ForbiddenReason),
    SaysNothing,
    LeavesDoubt,
}

fn judge(words: &[Word]) -> Sentence {
    let mut before = words;
    let mut stated = None;
    for at in 0..words.len() {
        if let Some((reason, rest)) = phrase(words.get(at..).unwrap_or_default()) {
            stated = Some((reason, rest));
            before = words.get(..at).unwrap_or_default();
            break;
        }
    }
    let after = stated.map_or(&[][..], |(_, rest)| rest);
    let outside = || before.iter().chain(after);
    let is_others = |(reason, _): (ForbiddenReason, _)| {
        reason == ForbiddenReason::InactiveSubscription && matches!(before.last(), Some(Word::Other))
    };
    match stated {
        _ if outside().any(|word| word.is_topic()) => Sentence::LeavesDoubt,
        // `Zapier subscription`.
        Some(stated) if is_others(stated) => Sentence::LeavesDoubt,
        Some(_) if outside().any(|word| word.is_doubt()) => Sentence::LeavesDoubt,
        Some((reason, _)) => Sentence::States(reason),
        None => Sentence::SaysNothing,
    }
}

fn past_fillers(mut words: &[Word]) -> &[Word] {
    while let [Word::Filler, rest @ ..] = words {
        words = rest;
    }
    words
}

/// The reason that the first words state, and the words behind them.
fn phrase(words: &[Word]) -> Option<(ForbiddenReason, &[Word])> {
    use Word as W;

    match words {
        // `not authorized`, `permission denied`.
        [W::Not, W::Authorized, rest @ ..] | [W::Permission, W::Denied, rest @ ..] => {
            Some((ForbiddenReason::Permission, rest))
        }
        // `inactive subscription`, `no active subscription`.
        [W::Over, rest @ ..] | [W::No, W::Active, rest @ ..] => match past_fillers(rest) {
            [W::Subscription, rest @ ..] => Some((ForbiddenReason::InactiveSubscription, rest)),
            _ => None,
        },
        // `not have the required permission`, `lacks the permission`, `no permission`.
        [W::Not | W::DoesNot, W::Have, rest @ ..] | [W::Lacks | W::No, rest @ ..] => match past_fillers(rest) {
            [W::Permission, rest @ ..] => Some((ForbiddenReason::Permission, rest)),
            _ => None,
        },
        // `subscription has expired`, `subscription is not active`, `subscription is past due`.
        [W::Subscription, rest @ ..] => match past_fillers(rest) {
            [W::Over, rest @ ..]
            | [W::Not, W::Active, rest @ ..]
            | [W::No, W::Longer, W::Active, rest @ ..]
            | [W::Past, W::Due, rest @ ..] => Some((ForbiddenReason::InactiveSubscription, rest)),
            _ => None,
        },
        _ => None,
    }
}

/// The words of a sentence. An apostrophe counts for nothing: `doesn't` is `doesnt`. Letters beyond ASCII are part of
/// words that are not known.
fn words(sentence: &[u8]) -> SmallVec<[Word; 32]> {
    let mut words = SmallVec::new();
    let mut letters = [0; MAX_WORD];
    let mut len = 0_usize;
    let mut rest = sentence;
    loop {
        match rest {
            [byte, more @ ..] if byte.is_ascii_alphabetic() => {
                // A longer word stays as long as the array and is none that is known.
                if let Some(letter) = letters.get_mut(len) {
                    *letter = byte | 0x20;
                    len = len.saturating_add(1);
                }
                rest = more;
            }
            [b'\'', more @ ..] | [0xe2, 0x80, 0x99, more @ ..] => rest = more,
            // Quotation marks and dashes separate words, as all of U+2000 to U+203F does.
            [0xe2, 0x80, _, more @ ..] => {
                push(&mut words, &mut len, &letters);
                rest = more;
            }
            [byte, more @ ..] if !byte.is_ascii() => {
                if let Some(letter) = letters.get_mut(len) {
                    *letter = *byte;
                    len = len.saturating_add(1);
                }
                rest = more;
            }
            [_, more @ ..] => {
                push(&mut words, &mut len, &letters);
                rest = more;
            }
            [] => {
                push(&mut words, &mut len, &letters);
                return words;
            }
        }
    }
}

/// Longer than any word that is known.
const MAX_WORD: usize = 16;

fn push(words: &mut SmallVec<[Word; 32]>, len: &mut usize, letters: &[u8; MAX_WORD]) {
    if *len > 0 {
        words.push(Word::of(letters.get(..*len).unwrap_or_default()));
        *len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // `docs/faults.md` 91.
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
            ("“Inactive subscription”", InactiveSubscription),
            ("Your subscription is  ‘inactive’.", InactiveSubscription),
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
            ("Your subscription is inactiveé", Unspecified),
            ("You are not authorized. Your API key is invalid.", Unspecified),
            ("Permission denied: token signature mismatch", Unspecified),
            ("You are not authorized to access this from your country.", Unspecified),
            ("Not authorized: quota exceeded", Unspecified),
            ("You do not have permission: your email is not verified.", Unspecified),
            ("Your Zapier subscription has expired.", Unspecified),
            ("Newsletter subscription expired", Unspecified),
            ("Your inactive Stripe subscription", Unspecified),
            ("This Space's subscription is inactive.", InactiveSubscription),
            ("Your Cometly subscription has expired", InactiveSubscription),
            ("Your subscription is not active yet.", Unspecified),
            ("Your subscription is not active in this region.", Unspecified),
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
        let inactive = "Your subscription is inactive. ";
        for (len, expected) in [(MAX_LEN, InactiveSubscription), (MAX_LEN + 1, Unspecified)] {
            assert_eq!(forbidden_reason(&format!("{inactive:x<len$}")), expected, "{len} bytes");
        }
    }
}
