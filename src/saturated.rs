//! Integer conversions that saturate at the maximum of the target type.

/// Integer types with a maximum.
pub(crate) trait Bounded {
    const MAX_VALUE: Self;
}

macro_rules! bounded {
    ($($integer:ident)*) => {$(
        impl Bounded for $integer {
            const MAX_VALUE: Self = Self::MAX;
        }
    )*};
}

bounded! { i32 i64 u16 u32 u64 usize }

/// Converts an integer; a value that does not fit becomes the maximum of the type.
pub(crate) fn saturated<T: Bounded>(value: impl TryInto<T>) -> T {
    value.try_into().unwrap_or(T::MAX_VALUE)
}
