//! What all descriptors share, and the macro that declares one.

use super::field::Field;
use super::{LimitError, Unit};
use crate::ArchConfig;

/// A value of type `T` for each field of a unit's descriptor.
pub trait Record<T>: Sized {
    /// The unit that it is for.
    const UNIT: Unit;

    /// A record whose values are what `value` gives for each field, in the order of the schedule.
    ///
    /// # Errors
    /// The first that `value` gives.
    fn try_new<E>(value: impl FnMut(&'static Field) -> Result<T, E>) -> Result<Self, E>;

    /// The fields with their values, in the order of the schedule.
    fn values(&self) -> Vec<(&'static Field, &T)>;

    /// As [`Record::values`], to be changed.
    fn values_mut(&mut self) -> Vec<(&'static Field, &mut T)>;
}

/// The registers' values for `exact` numbers, field by field.
pub(super) fn encode_fields<E: Record<i64>, D: Record<u32>>(
    exact: &E,
    arch: &ArchConfig,
) -> Result<D, LimitError> {
    let mut numbers = exact.values().into_iter();
    D::try_new(|field| {
        let (_, number) = numbers.next().expect("both have the same fields");
        field.encode(*number, arch)
    })
}

/// Every value is in its field's range.
pub(super) fn check_fields(record: &impl Record<u32>, arch: &ArchConfig) -> Result<(), LimitError> {
    record.values().into_iter().try_for_each(|(field, value)| field.check(*value, arch))
}

/// Declares a descriptor: `FIELDS`, which describes each field, and a struct of one value a field.
///
/// The values are those of the registers, `u32`, unless the type says otherwise: `i64` stands for the exact
/// numbers that `encode` makes registers' values of, and the hardware has a register of each field.
///
/// A field's documentation is its meaning in the error messages and on the page: a line that starts with what
/// the field is.
macro_rules! descriptor {
    ($(#[doc = $about:literal])+ $name:ident {
        $(#[doc = $meaning:literal] $field:ident: $kind:expr),+ $(,)?
    }) => {
        $(#[doc = $about])+
        ///
        /// `T`: the value in a register (`u32`), an exact number (`i64`), or the register itself.
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name<T = u32> { $(#[doc = $meaning] pub $field: T,)+ }

        /// What the unit does.
        pub(super) const ABOUT: &[&str] = &[$($about),+];

        /// The fields, in the order of the schedule.
        pub(super) const FIELDS: &[$crate::isa::Field] = &[$($crate::isa::Field {
            name: stringify!($field),
            kind: $kind,
            meaning: $meaning.trim_ascii(),
        }),+];

        impl<T> $crate::isa::Record<T> for $name<T> {
            const UNIT: $crate::isa::Unit = $crate::isa::Unit::$name;

            fn try_new<E>(
                value: impl FnMut(&'static $crate::isa::Field) -> Result<T, E>,
            ) -> Result<Self, E> {
                let mut values = FIELDS.iter().map(value);
                Ok($name { $($field: values.next().expect("a value for each field")?),+ })
            }

            fn values(&self) -> Vec<(&'static $crate::isa::Field, &T)> {
                FIELDS.iter().zip([$(&self.$field),+]).collect()
            }

            fn values_mut(&mut self) -> Vec<(&'static $crate::isa::Field, &mut T)> {
                FIELDS.iter().zip([$(&mut self.$field),+]).collect()
            }
        }

        impl $name<i64> {
            /// The registers' values for these numbers.
            ///
            /// # Errors
            /// The first number that the hardware does not take.
            pub fn encode(&self, arch: &$crate::ArchConfig) -> Result<$name, $crate::isa::LimitError> {
                let descriptor: $name = $crate::isa::record::encode_fields(self, arch)?;
                descriptor.limits(arch)?;
                Ok(descriptor)
            }
        }

        impl $name {
            /// Every register's value is in its field's range, and together they are within the unit's limits.
            ///
            /// # Errors
            /// The first that is not.
            pub fn check(&self, arch: &$crate::ArchConfig) -> Result<(), $crate::isa::LimitError> {
                $crate::isa::record::check_fields(self, arch)?;
                self.limits(arch)
            }
        }
    };
}
pub(super) use descriptor;
