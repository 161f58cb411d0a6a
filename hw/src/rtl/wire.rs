//! Signals whose width is a run-time value.

use super::word::{MAX_WIDTH, mask, to_signed};
use rust_hdl_core::prelude::{
    Atom, AtomKind, Block, Direction, Logic, PinConstraint, Probe, TypeDescriptor, TypeKind, VCDValue,
    VerilogLiteral,
};
use rust_hdl_core::signal::get_signal_id;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

#[derive(Debug)]
struct Cell {
    value: AtomicU64,
    width: usize,
    id: usize,
    driver: OnceLock<&'static Location<'static>>,
}

/// Handle to the value of a [`Wire`]; expressions hold these.
#[derive(Clone, Debug)]
pub(crate) struct Net(Arc<Cell>);

impl Net {
    pub(crate) fn get(&self) -> u64 {
        self.0.value.load(Ordering::Relaxed)
    }
    pub(crate) fn set(&self, value: u64) {
        self.0.value.store(value, Ordering::Relaxed);
    }
    pub(crate) fn width(&self) -> usize {
        self.0.width
    }
    pub(crate) fn id(&self) -> usize {
        self.0.id
    }
    /// Notes that the caller drives this net; panics if something else does.
    #[track_caller]
    pub(crate) fn claim(&self) {
        if self.0.driver.set(Location::caller()).is_err() {
            panic!("this wire is already driven at {}", self.0.driver.get().expect("a driver was set"));
        }
    }
}

/// Signal of `width` bits in a RustHDL block; `D` is RustHDL's `In`, `Out` or `Local`.
pub struct Wire<D: Direction> {
    net: Net,
    settled: u64,
    changed: bool,
    direction: PhantomData<D>,
}

impl<D: Direction> Wire<D> {
    /// Signal of 1 to 64 bits, all 0. Panics at other widths.
    #[track_caller]
    pub fn new(width: usize) -> Self {
        assert!((1..=MAX_WIDTH).contains(&width), "a wire has 1 to {MAX_WIDTH} bits, not {width}");
        let cell = Cell { value: AtomicU64::new(0), width, id: get_signal_id(), driver: OnceLock::new() };
        Wire { net: Net(Arc::new(cell)), settled: 0, changed: false, direction: PhantomData }
    }

    /// `count` signals of `width` bits each.
    #[track_caller]
    pub fn array(count: usize, width: usize) -> Vec<Self> {
        (0..count).map(|_| Wire::new(width)).collect()
    }

    /// Width in bits.
    pub fn width(&self) -> usize {
        self.net.width()
    }

    /// Present value, unsigned.
    pub fn get(&self) -> u64 {
        self.net.get()
    }

    /// Present value as two's complement.
    pub fn get_signed(&self) -> i64 {
        to_signed(self.get(), self.width())
    }

    /// Sets an input of the top block from a test bench; panics if `value` needs more bits.
    #[track_caller]
    pub fn set(&self, value: u64) {
        assert!(value <= mask(self.width()), "{value} does not fit {} bits", self.width());
        self.net.set(value);
    }

    /// As [`Wire::set`] with a two's complement value.
    #[track_caller]
    pub fn set_signed(&self, value: i64) {
        let bits = value as u64 & mask(self.width());
        assert_eq!(to_signed(bits, self.width()), value, "value does not fit {} bits", self.width());
        self.net.set(bits);
    }

    pub(crate) fn net(&self) -> &Net {
        &self.net
    }
}

impl<D: Direction> Logic for Wire<D> {
    fn update(&mut self) {}
}

impl<D: Direction> Block for Wire<D> {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {
        let value = self.get();
        self.changed = value != self.settled;
        self.settled = value;
    }
    fn has_changed(&self) -> bool {
        self.changed
    }
    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self);
    }
}

impl<D: Direction> Atom for Wire<D> {
    fn bits(&self) -> usize {
        self.width()
    }
    fn connected(&self) -> bool {
        self.net.0.driver.get().is_some()
    }
    fn changed(&self) -> bool {
        self.changed
    }
    fn kind(&self) -> AtomKind {
        D::KIND
    }
    fn descriptor(&self) -> TypeDescriptor {
        TypeDescriptor { name: "Wire".into(), kind: TypeKind::Bits(self.width()) }
    }
    fn vcd(&self) -> VCDValue {
        let bit = |i: usize| vcd::Value::from(self.get() >> i & 1 == 1);
        VCDValue::Vector((0..self.width()).rev().map(bit).collect())
    }
    fn id(&self) -> usize {
        self.net.id()
    }
    fn verilog(&self) -> VerilogLiteral {
        self.get().into()
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        vec![]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_hdl_core::prelude::{In, Out};

    #[test]
    fn signed_and_unsigned_values() {
        let wire = Wire::<In>::new(5);
        wire.set_signed(-3);
        assert_eq!((wire.get(), wire.get_signed()), (29, -3));
    }

    #[test]
    #[should_panic = "32 does not fit 5 bits"]
    fn too_large_a_value() {
        Wire::<In>::new(5).set(32);
    }

    #[test]
    #[should_panic = "1 to 64 bits, not 65"]
    fn too_wide() {
        Wire::<In>::new(65);
    }

    #[test]
    #[should_panic = "already driven at"]
    fn two_drivers() {
        let wire = Wire::<Out>::new(1);
        wire.net().claim();
        wire.net().claim();
    }
}
