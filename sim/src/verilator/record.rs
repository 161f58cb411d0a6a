//! What the shim has seen of an inference, and which signals it looks at.

use super::model::Object;
use crate::Result;
use crate::capture::Write as Written;
use crate::lanes::{Lanes, Passed as Position, number};
use crate::origin::RESET_CYCLES;
use empf_hw::Tap;
use empf_ir::ArchConfig;
use std::ffi::{c_int, c_void};
use std::fmt::Write as _;
use std::sync::Arc;

/// Signals of the top that the shim reads: the activation memory's write port and the running step.
const OF_TOP: [&str; 4] = ["act_write_en", "act_write_addr", "act_write_data", "step"];

/// Verilator's configuration: signals that the shim reads stay.
pub(super) fn control() -> String {
    let of_top = OF_TOP.map(|name| ("empf_top", name.to_owned()));
    let mut text = String::from("inline -module \"empf_drain\"\ninline -module \"empf_neuron_lane\"\n");
    for (module, name) in of_top.into_iter().chain(Tap::signals()) {
        writeln!(text, "public_flat_rd -module \"{module}\" -var \"{name}\"").expect("writing to a string");
    }
    text
}

/// C++ in front of the shim: a function that shows what the lanes of `arch` hold at each tap where a position is.
pub(super) fn lanes_show(arch: &ArchConfig) -> String {
    let mut text = format!("#include \"Vdut___024root.h\"\n#define EMPF_TAPS {}\n", Tap::ALL.len());
    text += "template <class Show> static void lanes_show(const Vdut___024root& top, Show show) {\n";
    for tap in Tap::ALL {
        let (valid, values) = tap.paths(arch.lanes, "__DOT__");
        let values: Vec<String> = values.iter().map(|value| format!("top.{value}")).collect();
        let (index, values) = (tap as usize, values.join(", "));
        writeln!(text, "    if (top.{valid}) show({index}, {{{values}}});").expect("writing to a string");
    }
    text + "}\n"
}

/// As `Write` in the shim.
#[repr(C)]
#[derive(Clone, Copy)]
struct Write {
    data: u64,
    cycle: u64,
    step: u32,
    bank: u32,
    address: u32,
    unused: u32,
}

/// As `Passed` in the shim.
#[repr(C)]
#[derive(Clone, Copy)]
struct Passed {
    cycle: u64,
    step: u32,
    unused: u32,
}

const _: () = assert!(size_of::<Write>() == 32 && std::mem::offset_of!(Write, address) == 24);
const _: () = assert!(size_of::<Passed>() == 16 && std::mem::offset_of!(Passed, step) == 8);

type Of<T> = unsafe extern "C" fn(*const c_void, *mut usize) -> *const T;
type OfTap<T> = unsafe extern "C" fn(*const c_void, c_int, *mut usize) -> *const T;

/// The shim's record of an inference.
pub(super) struct Record {
    pub(super) handle: *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    writes: Of<Write>,
    logits: Of<u64>,
    passed: OfTap<Passed>,
    values: OfTap<u32>,
    _object: Arc<Object>,
}

/// `count` values from `first` on.
///
/// # Safety
/// They are there, and stay unchanged for as long as the result is borrowed.
unsafe fn slice<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(first, count) } }
}

impl Record {
    pub(super) fn new(object: &Arc<Object>) -> Result<Self> {
        // SAFETY: the types are those of the shim; `_object` outlives the functions.
        unsafe {
            let new: unsafe extern "C" fn() -> *mut c_void = object.function("empf_record_new")?;
            Ok(Record {
                handle: new(),
                free: object.function("empf_record_free")?,
                writes: object.function("empf_writes")?,
                logits: object.function("empf_logits")?,
                passed: object.function("empf_passed")?,
                values: object.function("empf_values")?,
                _object: object.clone(),
            })
        }
    }

    /// What was written to the activation memory.
    pub(super) fn writes(&self) -> impl DoubleEndedIterator<Item = Written> {
        let mut count = 0;
        // SAFETY: the shim's record stays unchanged while `self` is borrowed.
        let writes = unsafe { slice((self.writes)(self.handle, &mut count), count) };
        writes.iter().map(|&Write { data, cycle, step, bank, address, .. }| Written {
            step,
            bank,
            address,
            data,
            cycle: Some(RESET_CYCLES + cycle),
        })
    }

    /// The cycle in which the logit `class` was taken.
    pub(super) fn logit_cycle(&self, class: usize) -> Option<u64> {
        let mut count = 0;
        // SAFETY: as above.
        let cycles = unsafe { slice((self.logits)(self.handle, &mut count), count) };
        cycles.get(class).map(|cycle| RESET_CYCLES + cycle)
    }

    /// What the lanes of `arch` showed.
    pub(super) fn lanes(&self, arch: &ArchConfig) -> Lanes {
        let mut lanes = Lanes::default();
        for tap in Tap::ALL {
            let positions = lanes.at_mut(tap);
            let (index, mut count) = (tap as c_int, 0);
            // SAFETY: as above.
            let passed = unsafe { slice((self.passed)(self.handle, index, &mut count), count) };
            let at = |&Passed { cycle, step, .. }: &_| Position { step, cycle: RESET_CYCLES + cycle };
            positions.passed.extend(passed.iter().map(at));
            // SAFETY: as above.
            let values = unsafe { slice((self.values)(self.handle, index, &mut count), count) };
            positions.values.extend(values.iter().map(|value| number(tap, (*value).into(), arch)));
        }
        lanes
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // SAFETY: the record came from `empf_record_new` and is freed once.
        unsafe { (self.free)(self.handle) }
    }
}
