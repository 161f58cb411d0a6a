//! Declares a unit's signals and children once.

/// A RustHDL block with the field `clock`, the given fields and its behaviour `_rtl`, together with
/// `declare(..)`, which makes them; `new(..)` then describes the behaviour.
///
/// ```text
/// unit! {
///     /// Adds one.
///     pub(crate) struct Increment(width: usize) "increment" {
///         value_i: Wire<In> = Wire::new(width),
///         value_o: Wire<Out> = Wire::new(width),
///     }
/// }
/// ```
macro_rules! unit {
    ($(#[$doc:meta])* $vis:vis struct $name:ident($($arg:ident: $arg_type:ty),*) $kind:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $init:expr),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(LogicBlock)]
        $vis struct $name {
            /// Clock.
            pub(crate) clock: Wire<In>,
            $($(#[$field_doc])* pub(crate) $field: $type,)*
            _rtl: Rtl,
        }
        rtl_logic!($name);

        impl $name {
            #[allow(unused_variables)]
            fn declare($($arg: $arg_type),*) -> Self {
                let clock = Wire::new(1);
                let _rtl = Rtl::new($kind, &clock);
                $name { clock, $($field: $init,)* _rtl }
            }
        }
    };
}
pub(crate) use unit;
