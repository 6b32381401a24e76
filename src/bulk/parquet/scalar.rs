//! The kinds of scalar values in a Parquet file, and the values.

use std::borrow::Cow;
use std::fmt;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::data_type::Int96;
use parquet::schema::types::Type;

/// The kind of the values of a leaf column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ScalarKind {
    Boolean,
    Integer {
        unsigned: bool,
    },
    Float,
    Double,
    Text,
    Bytes,
    Uuid,
    Decimal {
        scale: i32,
    },
    Date,
    Time(Unit),
    /// With `utc` an instant; otherwise a local time without a time zone.
    Timestamp {
        unit: Unit,
        utc: bool,
    },
    /// A timestamp of nanoseconds in 12 bytes, as old versions of Spark and Impala write it.
    Int96,
}

/// The unit of a time or a timestamp.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    pub(super) fn per_second(self) -> i128 {
        match self {
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }

    /// The number of digits after the decimal point of a second.
    pub(super) fn digits(self) -> usize {
        match self {
            Self::Millis => 3,
            Self::Micros => 6,
            Self::Nanos => 9,
        }
    }
}

impl From<TimeUnit> for Unit {
    fn from(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::MILLIS => Self::Millis,
            TimeUnit::MICROS => Self::Micros,
            TimeUnit::NANOS => Self::Nanos,
        }
    }
}

/// A scalar value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'v> {
    Boolean(bool),
    Integer(i128),
    Float(f32),
    Double(f64),
    Text(&'v [u8]),
    Bytes(&'v [u8]),
    Uuid(&'v [u8]),
    /// The unscaled number in two's complement, the highest byte first.
    Decimal {
        unscaled: Cow<'v, [u8]>,
        scale: i32,
    },
    /// Days since 1970.
    Date(i32),
    Time(i64, Unit),
    Timestamp {
        since_1970: i128,
        unit: Unit,
        utc: bool,
    },
}

const JULIAN_DAY_OF_1970: i128 = 2_440_588;
const NANOS_PER_DAY: i128 = 86_400_000_000_000;

impl ScalarKind {
    /// The kind of a primitive type; an error names the type if CQL has no such type.
    pub(super) fn of(primitive: &Type) -> Result<Self, String> {
        let info = primitive.get_basic_info();
        let physical = primitive.get_physical_type();
        let logical = info.logical_type_ref();
        let kind = match logical {
            Some(logical) => Self::of_logical(logical, physical),
            None => Self::of_converted(info.converted_type(), physical, primitive.get_scale()),
        };
        kind.ok_or_else(|| match logical {
            Some(logical) => format!("{physical} ({logical:?})"),
            None => format!("{physical} ({})", info.converted_type()),
        })
    }

    fn of_logical(logical: &LogicalType, physical: PhysicalType) -> Option<Self> {
        Some(match logical {
            LogicalType::String | LogicalType::Enum | LogicalType::Json => Self::Text,
            LogicalType::Bson => Self::Bytes,
            LogicalType::Decimal(decimal) => Self::Decimal { scale: decimal.scale },
            LogicalType::Date => Self::Date,
            LogicalType::Time(time) => Self::Time(time.unit.into()),
            LogicalType::Timestamp(timestamp) => {
                Self::Timestamp { unit: timestamp.unit.into(), utc: timestamp.is_adjusted_to_u_t_c }
            }
            LogicalType::Integer(integer) => Self::Integer { unsigned: !integer.is_signed },
            LogicalType::Uuid => Self::Uuid,
            // A column that has only nulls has this type.
            LogicalType::Unknown => return Self::of_converted(ConvertedType::NONE, physical, 0),
            _ => return None,
        })
    }

    fn of_converted(converted: ConvertedType, physical: PhysicalType, scale: i32) -> Option<Self> {
        use ConvertedType as C;
        Some(match converted {
            C::UTF8 | C::ENUM | C::JSON => Self::Text,
            C::BSON => Self::Bytes,
            C::DECIMAL => Self::Decimal { scale },
            C::DATE => Self::Date,
            C::TIME_MILLIS => Self::Time(Unit::Millis),
            C::TIME_MICROS => Self::Time(Unit::Micros),
            C::TIMESTAMP_MILLIS => Self::Timestamp { unit: Unit::Millis, utc: true },
            C::TIMESTAMP_MICROS => Self::Timestamp { unit: Unit::Micros, utc: true },
            C::INT_8 | C::INT_16 | C::INT_32 | C::INT_64 => Self::Integer { unsigned: false },
            C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64 => Self::Integer { unsigned: true },
            C::NONE => match physical {
                PhysicalType::BOOLEAN => Self::Boolean,
                PhysicalType::INT32 | PhysicalType::INT64 => Self::Integer { unsigned: false },
                PhysicalType::INT96 => Self::Int96,
                PhysicalType::FLOAT => Self::Float,
                PhysicalType::DOUBLE => Self::Double,
                PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => Self::Bytes,
            },
            C::INTERVAL | C::LIST | C::MAP | C::MAP_KEY_VALUE => return None,
        })
    }

    pub(super) fn of_i32<'v>(self, value: i32) -> Scalar<'v> {
        match self {
            Self::Integer { unsigned: true } => Scalar::Integer(value.cast_unsigned().into()),
            Self::Decimal { scale } => Scalar::Decimal { unscaled: value.to_be_bytes().to_vec().into(), scale },
            Self::Date => Scalar::Date(value),
            _ => self.of_i64(value.into()),
        }
    }

    pub(super) fn of_i64<'v>(self, value: i64) -> Scalar<'v> {
        match self {
            Self::Integer { unsigned: true } => Scalar::Integer(value.cast_unsigned().into()),
            Self::Decimal { scale } => Scalar::Decimal { unscaled: value.to_be_bytes().to_vec().into(), scale },
            Self::Time(unit) => Scalar::Time(value, unit),
            Self::Timestamp { unit, utc } => Scalar::Timestamp { since_1970: value.into(), unit, utc },
            _ => Scalar::Integer(value.into()),
        }
    }

    pub(super) fn of_bytes(self, value: &[u8]) -> Scalar<'_> {
        match self {
            Self::Text => Scalar::Text(value),
            Self::Uuid => Scalar::Uuid(value),
            Self::Decimal { scale } => Scalar::Decimal { unscaled: value.into(), scale },
            _ => Scalar::Bytes(value),
        }
    }

    pub(super) fn of_int96<'v>(value: &Int96) -> Scalar<'v> {
        let [low, high, day] = [0, 1, 2].map(|index| value.data().get(index).copied().unwrap_or_default());
        let nanos = i128::from(high) << 32 | i128::from(low);
        let since_1970 = (i128::from(day.cast_signed()) - JULIAN_DAY_OF_1970) * NANOS_PER_DAY + nanos;
        Scalar::Timestamp { since_1970, unit: Unit::Nanos, utc: true }
    }
}

/// The name of the type in Parquet.
impl fmt::Display for ScalarKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = |unit: &Unit| match unit {
            Unit::Millis => "MILLIS",
            Unit::Micros => "MICROS",
            Unit::Nanos => "NANOS",
        };
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Integer { unsigned: false } => f.write_str("INTEGER"),
            Self::Integer { unsigned: true } => f.write_str("unsigned INTEGER"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Text => f.write_str("STRING"),
            Self::Bytes => f.write_str("BYTE_ARRAY"),
            Self::Uuid => f.write_str("UUID"),
            Self::Decimal { .. } => f.write_str("DECIMAL"),
            Self::Date => f.write_str("DATE"),
            Self::Time(of) => write!(f, "TIME({})", unit(of)),
            Self::Timestamp { unit: of, utc: true } => write!(f, "TIMESTAMP({})", unit(of)),
            Self::Timestamp { unit: of, utc: false } => write!(f, "TIMESTAMP({}) without a time zone", unit(of)),
            Self::Int96 => f.write_str("INT96"),
        }
    }
}
