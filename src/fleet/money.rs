//! Amounts of US dollars, exact to the millionth: sums must not depend on the order of their parts.

use std::fmt;
use std::iter::Sum;

use serde::{Serialize, Serializer};

/// Millionths in a whole.
const MILLION: i64 = 1_000_000;
/// Decimal places that are kept, and how many of them people are shown.
const PLACES: usize = 6;
const SHOWN_PLACES: usize = 4;
/// From here on people are told whole dollars of a total.
const WHOLE_FROM: i64 = 100 * MILLION;
/// The hours that AWS counts in a month.
const HOURS_A_MONTH: i64 = 730;

/// US dollars, in millionths. Sums and products end at the largest amount instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(i64);

/// How much of something, in millionths: `0.5` of a unit is a quantity too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i64);

/// A decimal number such as `0.0042`, in millionths; `None` for anything else, and for more than
/// six decimal places or a billion.
const fn millionths(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (mut index, mut value, mut places, mut digits) = (0, 0_i128, None, 0);
    while index < bytes.len() {
        match (bytes[index], places) {
            (b'.', None) => places = Some(0),
            (digit @ b'0'..=b'9', _) => {
                value = value * 10 + (digit - b'0') as i128;
                digits += 1;
                if let Some(count) = places {
                    places = Some(count + 1);
                }
            }
            _ => return None,
        }
        if digits > 15 {
            return None;
        }
        index += 1;
    }
    let mut left = match places {
        Some(count) if count > PLACES => return None,
        Some(count) => PLACES - count,
        None => PLACES,
    };
    while left > 0 {
        value *= 10;
        left -= 1;
    }
    let most = 1_000_000_000 * MILLION as i128;
    if digits == 0 || value > most { None } else { Some(value as i64) }
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A literal of the price table; what is no amount does not compile.
    pub(crate) const fn usd(text: &str) -> Self {
        match millionths(text) {
            Some(value) => Self(value),
            None => panic!("no amount of dollars"),
        }
    }

    /// A literal price per hour, for a month of 730 hours.
    pub(crate) const fn usd_an_hour(text: &str) -> Self {
        Self(Self::usd(text).0 * HOURS_A_MONTH)
    }

    /// Reads an amount such as `0.8`: not negative, at most six decimal places and a billion.
    pub fn parse(text: &str) -> Option<Self> {
        millionths(text).map(Self)
    }

    /// For programs; the nearest floating point number.
    pub fn as_usd(self) -> f64 {
        self.0 as f64 / MILLION as f64
    }

    /// So many times this amount, rounded to the millionth.
    pub fn times(self, quantity: Quantity) -> Self {
        let product = i128::from(self.0) * i128::from(quantity.0);
        let million = i128::from(MILLION);
        Self::of(product.saturating_add(million / 2 * product.signum()) / million)
    }

    /// So many times this amount.
    pub fn times_whole(self, count: usize) -> Self {
        Self::of(i128::from(self.0).saturating_mul(i128::try_from(count).unwrap_or(i128::MAX)))
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; it may be negative.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    fn of(millionths: i128) -> Self {
        let bounded = millionths.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Self(i64::try_from(bounded).unwrap_or(i64::MAX))
    }

    /// A unit price for people, which they may multiply: `3.066 USD`, `1.00 USD`.
    pub fn exact(self) -> String {
        format!("{} USD", decimal(self.0, 2))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::plus)
    }
}

/// A total for people: `6,132 USD`, below a hundred `32.85 USD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = if self.0.saturating_abs() >= WHOLE_FROM { MILLION } else { MILLION / 100 };
        let half = step / 2 * self.0.signum();
        let rounded = self.0.saturating_add(half) / step * step;
        let places = if step == MILLION { 0 } else { 2 };
        write!(f, "{} USD", decimal(rounded, places))
    }
}

/// For programs: a number of dollars.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_usd())
    }
}

impl Quantity {
    /// None.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(MILLION);

    /// A whole number.
    pub fn whole(count: usize) -> Self {
        Self(i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(MILLION))
    }

    /// Reads a number such as `0.5`: not negative, at most six decimal places and a billion.
    pub fn parse(text: &str) -> Option<Self> {
        millionths(text).map(Self)
    }

    /// The product.
    pub fn times(self, other: Self) -> Self {
        Self(Money(self.0).times(other).0)
    }

    /// This many of which `parts` make one, such as megabytes of a gigabyte.
    pub fn in_parts(self, parts: u32) -> Self {
        Self(self.0 / i64::from(parts.max(1)))
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; it may be negative.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// For programs; the nearest floating point number.
    pub fn as_number(self) -> f64 {
        self.0 as f64 / MILLION as f64
    }
}

/// `2,000`, `0.5`
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal(self.0, 0))
    }
}

/// `1,234.50`: thousands apart, and at least so many decimal places.
fn decimal(millionths: i64, places: usize) -> String {
    let unit = MILLION.unsigned_abs();
    let step = unit / 10_u64.pow(u32::try_from(SHOWN_PLACES).unwrap_or(0));
    let rounded = millionths.unsigned_abs().saturating_add(step / 2) / step * step;
    let sign = if millionths < 0 && rounded > 0 { "-" } else { "" };
    let whole = (rounded / unit).to_string();
    let mut fraction = format!("{:06}", rounded % unit);
    while fraction.len() > places && fraction.ends_with('0') {
        fraction.pop();
    }
    let mut text = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(&fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn only_plain_amounts_are_read() {
        for text in ["", ".", "-1", "+1", "1e3", "1,000", "0.0000001", "1.2.3", "1000000001", "x"] {
            assert_eq!(Money::parse(text), None, "{text}");
        }
        for (text, millionths) in
            [("0", 0), (".5", 500_000), ("1.", 1_000_000), ("0.0042", 4_200), ("007.10", 7_100_000)]
        {
            assert_eq!(Money::parse(text), Some(Money(millionths)), "{text}");
        }
    }

    #[test]
    fn a_unit_price_can_be_multiplied_and_a_total_can_be_read() {
        for (text, exact, total) in [
            ("0", "0.00 USD", "0.00 USD"),
            ("1", "1.00 USD", "1.00 USD"),
            ("3.066", "3.066 USD", "3.07 USD"),
            ("0.000095", "0.0001 USD", "0.00 USD"),
            ("99.999", "99.999 USD", "100.00 USD"),
            ("357.7", "357.70 USD", "358 USD"),
            ("6132", "6,132.00 USD", "6,132 USD"),
            ("1234567.5", "1,234,567.50 USD", "1,234,568 USD"),
        ] {
            assert_eq!(
                (money(text).exact(), money(text).to_string()),
                (exact.into(), total.into())
            );
        }
        assert_eq!(Money::ZERO.minus(money("1500.5")).to_string(), "-1,501 USD");
        assert_eq!(Money::ZERO.minus(money("0.001")).to_string(), "0.00 USD");
        let quantities = ["0.5", "2000", "1.7275"].map(|text| Quantity::parse(text).expect(text));
        assert_eq!(quantities.map(|it| it.to_string()), ["0.5", "2,000", "1.7275"]);
    }

    #[test]
    fn an_hourly_price_is_one_of_730_hours() {
        assert_eq!(Money::usd_an_hour("0.0042"), money("3.066"));
        assert_eq!(Money::usd_an_hour("0.0042").times_whole(2_000), money("6132"));
        assert_eq!(Money::usd("0.12").times(Quantity::parse("0.5").expect("half")), money("0.06"));
    }

    #[test]
    fn an_amount_of_fifteen_digits_is_refused() {
        for text in ["999999999999999", "100000000000000", "20000000000000"] {
            assert_eq!(Money::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_amount_overflows(a: i64, b: i64, count: usize) {
            let _ = Money(a).times(Quantity(b)).plus(Money(b)).minus(Money(a)).times_whole(count);
            let _ = (Money(a).to_string(), Money(a).exact(), Quantity(b).to_string());
            let _ = Quantity(a).times(Quantity(b)).in_parts(0).plus(Quantity(b));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,30}") {
            let _ = Money::parse(&text);
        }
    }
}
