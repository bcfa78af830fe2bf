//! Decimals like PostgreSQL's numeric: exact, rounded half away from zero.

/// `numerator / denominator`, rounded; both not negative. None without a denominator.
pub(super) fn rounded(numerator: i128, denominator: i128) -> Option<i64> {
    if denominator == 0 {
        return None;
    }
    i64::try_from((2 * numerator + denominator) / (2 * denominator)).ok()
}

/// `value` as numeric converts a double, by its first 15 digits; times `factor`, rounded to `digits` decimals,
/// without the point.
pub(super) fn scaled(value: f64, factor: (i128, i128), digits: u32) -> Option<i64> {
    let text = format!("{value:.14e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let mantissa: i128 = mantissa.replace('.', "").parse().ok()?;
    let behind_point = 14 - exponent.parse::<i32>().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(behind_point).ok()?)?;
    rounded(mantissa * factor.0 * 10_i128.pow(digits), scale * factor.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_is_rounded_away_from_zero_in_decimal() {
        assert_eq!(rounded(5, 2), Some(3));
        assert_eq!(rounded(5, 0), None);
        // The binary fraction is slightly less.
        assert_eq!(scaled(62.055, (1, 1), 2), Some(6_206));
        assert_eq!(scaled(3.1, (1_609_344, 1_000), 1), Some(49_890));
        assert_eq!(scaled(12.0, (1, 1), 2), Some(1_200));
        assert_eq!(scaled(0.0, (1, 1), 2), Some(0));
        // numeric keeps 15 digits of a double: 59.0750000000000.
        assert_eq!(scaled(59.074_999_999_999_996, (1, 1), 2), Some(5_908));
    }
}
