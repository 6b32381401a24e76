//! Numbers converted to a smaller type: a number that does not fit becomes the greatest number of the type.

/// A type of integers, for [`saturated`].
pub(crate) trait Integer {
    const MAX: Self;
}

macro_rules! integers {
    ($($integer:ident),*) => {
        $(impl Integer for $integer {
            const MAX: Self = $integer::MAX;
        })*
    };
}

integers!(u16, i32, u32, i64, u64, usize);

/// The number, or the greatest of the type if the number is not in its range. For numbers that are not negative:
/// lengths, counts and times.
pub(crate) fn saturated<T: Integer>(number: impl TryInto<T>) -> T {
    number.try_into().unwrap_or(T::MAX)
}

#[cfg(test)]
mod tests {
    use super::saturated;

    #[test]
    fn a_number_out_of_range_becomes_the_largest() {
        assert_eq!([7_usize, 65_535, 65_536, usize::MAX].map(saturated::<u16>), [7, 65_535, 65_535, 65_535]);
        assert_eq!([0_u128, 1 << 40, u128::MAX].map(saturated::<i64>), [0, 1 << 40, i64::MAX]);
    }
}
