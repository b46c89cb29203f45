//! Money, exact.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use crate::InvalidRequest;

const EXPECTED: &str = "expected a decimal number of at most 15 digits, as 12.50";

/// An amount of money as a decimal number of at most 15 significant digits, without its currency.
///
/// From text by [`FromStr`], from a whole number or a float by `TryFrom`, or from [`from_cents`](Self::from_cents). Each fails
/// with [`InvalidRequest`] for what is no finite number, for 10^15 and more, and for text with more than 15 digits or decimals.
/// A float is rounded to 15 digits and 15 decimals, also one in JSON. 15 digits are what JSON numbers carry through any program
/// unchanged: 9,999,999,999,999.99 and no cent lost.
///
/// ```
/// # use cometly::Amount;
/// let amount: Amount = "12.50".parse()?;
/// assert_eq!(amount, Amount::from_cents(1250)?);
/// assert_eq!((amount.to_string().as_str(), amount.cents()), ("12.50", Some(1250)));
/// assert_eq!(Amount::try_from(0.1 + 0.2)?, "0.3".parse()?);
/// assert!(Amount::try_from(f64::NAN).is_err());
/// # Ok::<(), cometly::InvalidRequest>(())
/// ```
#[derive(Clone, Copy)]
pub struct Amount {
    /// Below 10^15.
    digits: i64,
    /// How many of them are behind the point, at most 15.
    decimals: u8,
}

impl Amount {
    const MAX_DIGITS: usize = 15;
    const MAX_DECIMALS: i32 = 15;
    /// The first number of 16 digits.
    const LIMIT: i64 = 1_000_000_000_000_000;

    /// The amount of this many hundredths: 1250 is 12.50, and -5 is -0.05.
    ///
    /// # Errors
    /// [`InvalidRequest`] if `cents` has more than 15 digits.
    pub fn from_cents(cents: i64) -> Result<Self, InvalidRequest> {
        Self::new(cents, 2)
    }

    fn new(digits: i64, decimals: u8) -> Result<Self, InvalidRequest> {
        if digits > -Self::LIMIT && digits < Self::LIMIT && i32::from(decimals) <= Self::MAX_DECIMALS {
            Ok(Self { digits, decimals })
        } else {
            Err(InvalidRequest::new("amount", EXPECTED))
        }
    }

    /// The amount in hundredths; `None` if it is no whole number of them, as 0.125.
    #[must_use]
    pub fn cents(&self) -> Option<i64> {
        let (digits, decimals) = self.shortest();
        let factor = 10_i64.checked_pow(2_u32.checked_sub(decimals.into())?)?;
        digits.checked_mul(factor)
    }

    /// The amount as the nearest `f64`; its shortest text has the same digits, so no cent is lost.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        // The text is always a number.
        self.to_string().parse().unwrap_or_default()
    }

    /// Without zeros at its end.
    fn shortest(self) -> (i64, u8) {
        let (mut digits, mut decimals) = (self.digits, self.decimals);
        while let (Some(fewer), Some(tenth), Some(0)) =
            (decimals.checked_sub(1), digits.checked_div(10), digits.checked_rem(10))
        {
            (digits, decimals) = (tenth, fewer);
        }
        (digits, decimals)
    }
}

/// Reads a decimal number as PHP's `is_numeric` does: a sign, digits, one point, an exponent; no white space and no separators
/// of thousands. Fails with [`InvalidRequest`] for any other text, and for more than 15 significant digits or 15 decimals.
impl FromStr for Amount {
    type Err = InvalidRequest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidRequest::new("amount", EXPECTED))
    }
}

fn parse(text: &str) -> Option<Amount> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        None => (text, 0),
        // `str::parse` takes a sign as well.
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
    };
    let (is_negative, mantissa) = match mantissa.strip_prefix(['-', '+']) {
        Some(rest) => (mantissa.starts_with('-'), rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_plain(whole) || !is_plain(fraction) || fraction.len() > 400 {
        return None;
    }
    let mut decimals = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let all = format!("{whole}{fraction}");
    let mut significant = all.trim_start_matches('0').to_owned();
    if significant.is_empty() {
        return Amount::new(0, decimals.clamp(0, 2).try_into().ok()?).ok();
    }
    // Zeros at the end are written out up to the point, and cut if there are too many behind it.
    while decimals < 0 && significant.len() < Amount::MAX_DIGITS {
        significant.push('0');
        decimals = decimals.checked_add(1)?;
    }
    let has_too_many = |digits: usize, decimals| digits > Amount::MAX_DIGITS || decimals > Amount::MAX_DECIMALS;
    while has_too_many(significant.len(), decimals) && decimals > 0 && significant.ends_with('0') {
        significant.pop();
        decimals = decimals.checked_sub(1)?;
    }
    if significant.len() > Amount::MAX_DIGITS {
        return None;
    }
    let digits: i64 = significant.parse().ok()?;
    Amount::new(if is_negative { digits.checked_neg()? } else { digits }, decimals.try_into().ok()?).ok()
}

/// Rounds the number to 15 significant digits and 15 decimals, which drops the noise of `0.1 + 0.2` and of `0.1 + 0.2 - 0.3`.
/// Fails with [`InvalidRequest`] for NaN, the infinities, and 10^15 and more.
impl TryFrom<f64> for Amount {
    type Error = InvalidRequest;

    fn try_from(float: f64) -> Result<Self, Self::Error> {
        if !float.is_finite() {
            return Err(InvalidRequest::new("amount", "expected a finite number"));
        }
        if float.abs() < 1.0 {
            return format!("{float:.15}").trim_end_matches('0').parse();
        }
        // 15 digits, of which those that are zeros at the end are none of the float's own.
        let text = format!("{float:.14e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{}e{exponent}", mantissa.trim_end_matches('0')).parse()
    }
}

impl TryFrom<&str> for Amount {
    type Error = InvalidRequest;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<i64> for Amount {
    type Error = InvalidRequest;

    fn try_from(whole: i64) -> Result<Self, Self::Error> {
        Self::new(whole, 0)
    }
}

impl From<i32> for Amount {
    fn from(whole: i32) -> Self {
        Self { digits: whole.into(), decimals: 0 }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = usize::from(self.decimals);
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.digits.unsigned_abs(), width = decimals.saturating_add(1));
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amount({self})")
    }
}

/// Compares the values: 12.5 and 12.50 are equal.
impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.shortest() == other.shortest()
    }
}

impl Eq for Amount {}

impl Hash for Amount {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.shortest().hash(state);
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        // At most 10^30, which fits.
        let scaled = |amount: &Self, to: u8| {
            let factor = 10_i128.saturating_pow(to.saturating_sub(amount.decimals).into());
            i128::from(amount.digits).saturating_mul(factor)
        };
        let decimals = self.decimals.max(other.decimals);
        scaled(self, decimals).cmp(&scaled(other, decimals))
    }
}

/// Written as a JSON number.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.shortest() {
            (whole, 0) => serializer.serialize_i64(whole),
            // 15 digits are written again as they were read.
            _ => serializer.serialize_f64(self.to_f64()),
        }
    }
}

/// Reads a JSON number, or a text that holds a decimal number, of at most 15 digits; anything else is an error. Only a number
/// with a point or an exponent may have more digits: it is rounded to 15.
impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number of at most 15 digits")
            }

            fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Amount, E> {
                Amount::new(whole, 0).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Amount, E> {
                Amount::new(whole.try_into().unwrap_or(i64::MAX), 0).map_err(E::custom)
            }

            fn visit_f64<E: de::Error>(self, float: f64) -> Result<Amount, E> {
                Amount::try_from(float).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn texts_are_read_exactly_or_refused() {
        for (text, shown, cents) in [
            ("12.50", "12.50", Some(1250)),
            ("12.5", "12.5", Some(1250)),
            ("-0.07", "-0.07", Some(-7)),
            ("0", "0", Some(0)),
            ("0.00", "0.00", Some(0)),
            (".5", "0.5", Some(50)),
            ("5.", "5", Some(500)),
            ("+5", "5", Some(500)),
            ("1e3", "1000", Some(100_000)),
            ("1.25e-1", "0.125", None),
            ("9999999999999.99", "9999999999999.99", Some(999_999_999_999_999)),
            ("1.000000000000000000000", "1.00000000000000", Some(100)),
            ("0.000000000000001", "0.000000000000001", None),
        ] {
            assert_eq!((amount(text).to_string().as_str(), amount(text).cents()), (shown, cents), "{text}");
        }
        for text in [
            "",
            ".",
            "-",
            "1,5",
            "1 000",
            "0x1A",
            "inf",
            "nan",
            "1e",
            "1e999",
            "1e-16",
            "1234567890123456",
            "--1",
            "1.2.3",
        ] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }

    #[test]
    fn equal_amounts_are_equal_however_they_are_written() {
        assert_eq!(amount("12.5"), amount("12.50"));
        assert_eq!(amount("0.0100000000000000000"), amount("0.01"));
        assert_eq!(amount("-0"), amount("0.00"));
        assert!(amount("2") > amount("1.99") && amount("-2") < amount("-1.99"));
        assert_eq!(amount("0.10").cmp(&amount("0.1")), Ordering::Equal);
    }

    #[test]
    fn floats_are_taken_if_they_are_finite() {
        for (float, shown) in [
            (12.5, "12.5"),
            (0.1 + 0.2, "0.3"),
            (1e14, "100000000000000"),
            (-0.0, "0"),
            (19.99, "19.99"),
            (1.0 / 30.0, "0.033333333333333"),
            (0.1 + 0.2 - 0.3, "0.0"),
            (-1e-300, "0"),
            (0.999_999_999_999_999_9, "1"),
            (-0.05, "-0.05"),
        ] {
            assert_eq!(Amount::try_from(float).unwrap(), amount(shown), "{float}");
        }
        for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 1e15] {
            assert!(Amount::try_from(float).is_err(), "{float}");
        }
    }

    // `docs/faults.md` 146.
    #[test]
    fn json_has_a_number_and_may_bring_a_text() {
        for (json, shown) in [
            ("12.5", "12.5"),
            ("\"12.50\"", "12.50"),
            ("7", "7"),
            ("-3", "-3"),
            ("1e2", "100"),
            ("0.03333333333333333", "0.033333333333333"),
        ] {
            assert_eq!(serde_json::from_str::<Amount>(json).unwrap().to_string(), shown, "{json}");
        }
        for json in ["\"much\"", "true", "null", "[]", "1e300", "18446744073709551615"] {
            assert!(serde_json::from_str::<Amount>(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::to_string(&amount("12.50")).unwrap(), "12.5");
        assert_eq!(serde_json::to_string(&amount("12.00")).unwrap(), "12");
    }

    proptest! {
        #[test]
        fn every_amount_comes_back_through_json(digits in -999_999_999_999_999_i64..=999_999_999_999_999, decimals in 0_u8..=15) {
            let amount = Amount::new(digits, decimals).unwrap();
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount, "{}", json);
            prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
        }
    }
}
