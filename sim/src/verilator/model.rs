//! A verilated module and its ports.

use super::build::{Purpose, Source, shared_object};
use super::progress::{Progress, tell};
use super::waves::Waves;
use crate::{Error, Result};
use libloading::Library;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A port of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name in the Verilog.
    pub name: String,
    /// Bits.
    pub width: usize,
}

impl Port {
    /// A port called `name` of `width` bits.
    pub fn new(name: impl Into<String>, width: usize) -> Self {
        Port { name: name.into(), width }
    }
}

/// A loaded shared object; instances share it.
pub(super) struct Object {
    pub(super) library: Library,
    pub(super) path: PathBuf,
    new: unsafe extern "C" fn(c_int, *const *const c_char, *const c_char, u64, u64) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
}

impl Object {
    /// Builds, if needed, and loads the module `top` of `verilog`. `extension` is C++ that follows the shim,
    /// `control` Verilator's configuration.
    pub(super) fn new(
        verilog: &str,
        top: &str,
        (clock, ports): (&str, &[Port]),
        (extension, control): (&str, &str),
        purpose: Purpose,
    ) -> Result<Arc<Self>> {
        let shim = format!("{}{}{extension}", port_table(clock, ports), include_str!("shim.cpp"));
        let path = shared_object(&Source { verilog, top, control, shim: &shim, purpose })?;
        // SAFETY: the object was built from the shim above, whose functions have these types and whose
        // initialisers only set up Verilator's runtime.
        unsafe {
            let library = Library::new(&path).map_err(|e| unloadable(&path, &e))?;
            let new = *library.get(b"empf_new").map_err(|e| unloadable(&path, &e))?;
            let free = *library.get(b"empf_free").map_err(|e| unloadable(&path, &e))?;
            Ok(Arc::new(Object { library, path, new, free }))
        }
    }

    /// The function `name` of the shim.
    ///
    /// # Safety
    /// `T` must be its type, and it must not be called after the object is dropped.
    pub(super) unsafe fn function<T: Copy>(&self, name: &str) -> Result<T> {
        unsafe { self.library.get(name.as_bytes()).map(|f| *f).map_err(|e| unloadable(&self.path, &e)) }
    }

    /// A model of its own, with its own plusargs.
    pub(super) fn instance(
        self: &Arc<Self>,
        arguments: &[String],
        waves: Option<&Waves>,
    ) -> Result<Instance> {
        let text = |text: &str| {
            CString::new(text).map_err(|_| Error::Model {
                path: self.path.clone(),
                message: format!("argument {text:?} contains a zero byte"),
            })
        };
        let program = std::iter::once("empf");
        let arguments = program.chain(arguments.iter().map(String::as_str)).map(text);
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let pointers: Vec<*const c_char> = arguments.iter().map(|argument| argument.as_ptr()).collect();
        let cycles = waves.map_or(0..0, |waves| waves.cycles.clone());
        let path = waves.map(|waves| text(&waves.path.to_string_lossy())).transpose()?;
        let path = path.as_ref().map_or(std::ptr::null(), |path| path.as_ptr());
        // SAFETY: the strings outlive the call, which copies them.
        let handle =
            unsafe { (self.new)(pointers.len() as c_int, pointers.as_ptr(), path, cycles.start, cycles.end) };
        Ok(Instance { handle, object: self.clone(), progress: None })
    }
}

fn unloadable(path: &Path, error: &libloading::Error) -> Error {
    Error::Model { path: path.into(), message: error.to_string() }
}

/// C++ in front of the shim: the clock's name and a function from a port's index to its address. It does not compile
/// where a port has another size than its width says, on which [`Model`] relies.
fn port_table(clock: &str, ports: &[Port]) -> String {
    let mut text = format!("#include \"Vdut.h\"\n#define EMPF_CLOCK {clock}\n");
    text += "static void* port(Vdut& top, int index) {\n    switch (index) {\n";
    for (index, port) in ports.iter().enumerate() {
        let Port { name, width } = port;
        let sized = format!("sizeof(top.{name}) == {}", held_bytes(*width));
        let case =
            format!("static_assert({sized}, \"port {name} is not of {width} bits\"); return &top.{name};");
        writeln!(text, "    case {index}: {case}").expect("writing to a string");
    }
    text += "    default: return nullptr;\n    }\n}\n";
    text
}

/// Bytes in which Verilator holds a port of `width` bits: the smallest of 1, 2, 4 and 8, or words of 4.
fn held_bytes(width: usize) -> usize {
    match width {
        0..=8 => 1,
        9..=16 => 2,
        17..=32 => 4,
        33..=64 => 8,
        _ => 4 * width.div_ceil(32),
    }
}

/// One simulation.
pub(super) struct Instance {
    pub(super) handle: *mut c_void,
    pub(super) object: Arc<Object>,
    /// What the simulation tells its cycles to; it has the address.
    progress: Option<Box<Progress>>,
}

impl Instance {
    /// From now on `progress` is told the cycles.
    pub(super) fn watch(&mut self, progress: Progress) -> Result<()> {
        let progress = self.progress.insert(Box::new(progress));
        // SAFETY: the type is that of the shim; `progress` stays where it is until the instance is freed.
        unsafe {
            let watch: unsafe extern "C" fn(
                *mut c_void,
                unsafe extern "C" fn(*const c_void, u64),
                *const Progress,
            ) = self.object.function("empf_watch")?;
            watch(self.handle, tell, &raw const **progress);
        }
        Ok(())
    }
}

// SAFETY: an instance has a context of its own, which each call makes that of the calling thread.
unsafe impl Send for Instance {}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the handle came from `new` and is freed once.
        unsafe { (self.object.free)(self.handle) }
    }
}

/// A clocked module under test, driven port by port.
pub struct Model {
    instance: Instance,
    module: String,
    ports: Vec<(Port, *mut u32)>,
    settle: unsafe extern "C" fn(*mut c_void),
    tick: unsafe extern "C" fn(*mut c_void),
}

// SAFETY: the ports' addresses lie in the instance.
unsafe impl Send for Model {}

impl Model {
    /// The module `top` of `verilog`; `clock` is one of its ports and is driven by [`Model::tick`].
    ///
    /// `arguments` are plusargs. Waves of the whole run go to the FST file `waves`.
    pub fn new(
        verilog: &str,
        top: &str,
        clock: &str,
        ports: &[Port],
        arguments: &[String],
        waves: Option<&Path>,
    ) -> Result<Self> {
        let purpose = if waves.is_some() { Purpose::Waves } else { Purpose::Speed };
        let object = Object::new(verilog, top, (clock, ports), ("", ""), purpose)?;
        let waves = waves.map(Waves::whole);
        let instance = object.instance(arguments, waves.as_ref())?;
        // SAFETY: the types are those of the shim, and the instance keeps the object.
        unsafe {
            let address: unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void =
                object.function("empf_port")?;
            let addresses = (0..ports.len()).map(|i| address(instance.handle, i as c_int).cast());
            Ok(Model {
                ports: ports.iter().cloned().zip(addresses).collect(),
                module: top.into(),
                settle: object.function("empf_settle")?,
                tick: object.function("empf_tick")?,
                instance,
            })
        }
    }

    /// Width and address of a port.
    fn port(&self, name: &str) -> Result<(usize, *mut u32)> {
        let found = self.ports.iter().find(|(port, _)| port.name == name);
        found
            .map(|(port, address)| (port.width, *address))
            .ok_or_else(|| Error::Port { module: self.module.clone(), port: name.into() })
    }

    /// Sets an input, least significant word first; bits beyond the port are dropped.
    pub fn set_words(&mut self, name: &str, words: &[u32]) -> Result<()> {
        let (width, address) = self.port(name)?;
        // SAFETY: the port has `held_bytes(width)` bytes; the shim would not have been compiled otherwise.
        unsafe {
            match width {
                1..=8 => *address.cast::<u8>() = (words[0] & mask(width)) as u8,
                9..=16 => *address.cast::<u16>() = (words[0] & mask(width)) as u16,
                _ => {
                    for (i, word) in words.iter().take(width.div_ceil(32)).enumerate() {
                        *address.add(i) = word & mask(width - 32 * i);
                    }
                }
            }
        }
        Ok(())
    }

    /// Sets an input of at most 64 bits.
    pub fn set(&mut self, name: &str, value: u64) -> Result<()> {
        self.set_words(name, &[value as u32, (value >> 32) as u32])
    }

    /// A port's value, least significant word first.
    pub fn get_words(&self, name: &str) -> Result<Vec<u32>> {
        let (width, address) = self.port(name)?;
        // SAFETY: see `set_words`.
        Ok(unsafe {
            match width {
                1..=8 => vec![u32::from(*address.cast::<u8>())],
                9..=16 => vec![u32::from(*address.cast::<u16>())],
                _ => (0..width.div_ceil(32)).map(|i| *address.add(i)).collect(),
            }
        })
    }

    /// The low 64 bits of a port's value.
    pub fn get(&self, name: &str) -> Result<u64> {
        let words = self.get_words(name)?;
        Ok(words.iter().take(2).rev().fold(0, |value, word| value << 32 | u64::from(*word)))
    }

    /// Propagates inputs with the clock low.
    pub fn settle(&mut self) {
        // SAFETY: the handle is valid as long as `self`.
        unsafe { (self.settle)(self.instance.handle) }
    }

    /// One cycle: inputs set before it are taken at its rising edge, and outputs are settled after it.
    pub fn tick(&mut self) {
        // SAFETY: see `settle`.
        unsafe { (self.tick)(self.instance.handle) }
    }
}

/// The low `width` bits of a word.
fn mask(width: usize) -> u32 {
    if width >= 32 { u32::MAX } else { (1 << width) - 1 }
}
