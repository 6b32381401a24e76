//! Conversions of integers that keep the largest value where the number is larger.

/// Integers with a largest value.
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

/// The value, or the largest that there is of this type.
pub(crate) fn saturated<T: Bounded>(value: impl TryInto<T>) -> T {
    value.try_into().unwrap_or(T::LARGEST)
}
