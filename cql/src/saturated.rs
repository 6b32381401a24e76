//! Saturating conversions of integers.

/// Integer types with a largest value.
pub(crate) trait Bounded {
    const LARGEST: Self;
}

macro_rules! bounded {
    ($($integer:ident)*) => {$(
        impl Bounded for $integer {
            const LARGEST: Self = Self::MAX;
        }
    )*};
}

bounded! { i32 i64 u32 }

/// Converts a value, or returns the largest value of the type if it does not fit.
pub(crate) fn saturated<T: Bounded>(value: impl TryInto<T>) -> T {
    value.try_into().unwrap_or(T::LARGEST)
}
