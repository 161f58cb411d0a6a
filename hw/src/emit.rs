//! Structural Verilog of a block tree: one module per kind of unit.
//!
//! Every module's name begins with `empf_`; no identifier is reserved in Verilog-2001 or SystemVerilog-2017.
//! A RustHDL `Probe` visits the tree and renders each block from its signals and its [`crate::rtl::Rtl`];
//! blocks with equal text share a module. A child's input driven by an expression becomes the port's
//! connection, so no net remains that only renames another. The elements of a `Vec` field `x_i` are the
//! ports `x_0_i`, `x_1_i`, ...

mod clocked;
mod ecp5;
mod expression;
mod form;
mod header;
mod instance;
mod keywords;
mod loops;
mod memory;
mod module;
mod signal;
mod text;

use crate::rtl::{Description, description_of};
pub use ecp5::ecp5_image;
pub(crate) use ecp5::image_file;
pub use form::Form;
pub(crate) use header::header;
use keywords::is_keyword;
use loops::Dependencies;
use memory::Parameters;
use module::{Module, Rendered};
use rust_hdl_core::check_error::CheckError;
use rust_hdl_core::prelude::{Atom, Block, Probe, check_all};
use signal::{Instance, Signal};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

/// Why a block tree cannot be emitted.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// A signal that nothing drives.
    #[error("{path} is not driven: assign it in the unit that contains it")]
    Undriven {
        /// Instances from the top down, then the signal.
        path: String,
    },
    /// Nets that depend on themselves within a cycle.
    #[error("combinational loop through {}: put a register into it", nets.join(" <- "))]
    Loop {
        /// Nets of the loop, each driven by the next.
        nets: Vec<String>,
    },
    /// A name that Verilog or SystemVerilog reserves.
    #[error("{path} has a name that Verilog-2001 or SystemVerilog-2017 reserves: call it something else")]
    Keyword {
        /// Instances from the top down, then the signal, instance or state.
        path: String,
    },
    /// Two signals of one name.
    #[error("{path} is the name of two signals: call one of them something else")]
    Twice {
        /// Instances from the top down, then the signal.
        path: String,
    },
    /// A block without an `Rtl` in its `Logic::hdl`.
    #[error("the block {path} has no Rtl description: implement its Logic with rtl_logic!")]
    NoDescription {
        /// Instances from the top down.
        path: String,
    },
    /// RustHDL's own checks failed.
    #[error("RustHDL's checks refuse the design: {0:?}")]
    Check(CheckError),
}

/// How the top module's ports are declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// One port per element of a `Vec` field.
    Flat,
    /// One bus per `Vec` field, element 0 in the low bits.
    Packed,
}

/// Verilog of `top` and everything in it; the top module is called `name`. Memories read their images.
///
/// # Errors
/// Undriven signals, combinational loops, names that are reserved or given twice, and blocks that are not described by an `Rtl`.
pub fn verilog(name: &str, top: &dyn Block, ports: Ports) -> Result<String, EmitError> {
    design(name, top, ports, Form::default())
}

/// As [`verilog`], in `form`.
///
/// # Errors
/// As above.
pub fn design(name: &str, top: &dyn Block, ports: Ports, form: Form) -> Result<String, EmitError> {
    let mut emitter = Emitter { ports: Some(ports), top_name: name.into(), form, ..Emitter::default() };
    top.accept(name, &mut emitter);
    if let Some(error) = emitter.error {
        return Err(error);
    }
    if let Some(nets) = emitter.dependencies.find_loop() {
        let nets = nets.iter().map(|id| emitter.paths.get(id).cloned().unwrap_or_default()).collect();
        return Err(EmitError::Loop { nets });
    }
    check_all(top).map_err(EmitError::Check)?;
    let wrapper = match (&emitter.top, ports) {
        (Some(core), Ports::Packed) => instance::packed(name, core),
        _ => String::new(),
    };
    let models: String = emitter.models.values().map(|model| simulated(model)).collect();
    let library: String = emitter.library.iter().map(|module| synthesized(module)).collect();
    Ok(format!("{HEADER}\n{}{wrapper}{models}{library}{FOOTER}", emitter.text))
}

/// `module` where a tool makes a netlist.
fn synthesized(module: &str) -> String {
    format!("`ifdef SYNTHESIS\n{module}`endif\n\n")
}

/// `model` where the target's library does not have the cell itself.
fn simulated(model: &str) -> String {
    format!("`ifndef SYNTHESIS\n{model}`endif\n\n")
}

/// Begins the name of every module.
const PREFIX: &str = "empf_";

const HEADER: &str = "`default_nettype none\n";
const FOOTER: &str = "`default_nettype wire\n";

/// A block being visited.
#[derive(Default)]
struct Open {
    name: String,
    signals: Vec<Signal>,
    children: Vec<Instance>,
}

#[derive(Default)]
struct Emitter {
    top_name: String,
    ports: Option<Ports>,
    form: Form,
    open: Vec<Open>,
    /// Module names by kind and text.
    modules: HashMap<(String, String), String>,
    /// How many modules each name has had.
    names: HashMap<String, usize>,
    paths: HashMap<usize, String>,
    dependencies: Dependencies,
    /// Verilog of the cells used, by name.
    models: BTreeMap<String, &'static str>,
    /// Modules around cells that only synthesis sees.
    library: BTreeSet<&'static str>,
    text: String,
    top: Option<Instance>,
    error: Option<EmitError>,
}

impl Probe for Emitter {
    fn visit_start_scope(&mut self, name: &str, _: &dyn Block) {
        self.open.push(Open { name: identifier(name), ..Open::default() });
    }

    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        let is_top = self.open.len() == 1;
        let bus = identifier(name.split('$').next().unwrap_or(name));
        let name = identifier(name);
        let signal = Signal { name, bus, id: atom.id(), kind: atom.kind(), width: atom.bits() };
        let path = format!("{}.{}", self.path(), signal.name);
        let driven_from_outside = is_top && signal.is_input();
        if !atom.connected() && !driven_from_outside {
            self.error.get_or_insert(EmitError::Undriven { path: path.clone() });
        }
        self.refuse_keyword(&signal.name, &path);
        self.paths.insert(signal.id, path.clone());
        if let Some(block) = self.open.last_mut() {
            if block.signals.iter().any(|other| other.name == signal.name) {
                self.error.get_or_insert(EmitError::Twice { path });
            }
            block.signals.push(signal);
        }
    }

    fn visit_end_scope(&mut self, _: &str, node: &dyn Block) {
        let path = self.path();
        let Some(block) = self.open.pop() else { return };
        let Some(description) = description_of(node) else {
            self.error.get_or_insert(EmitError::NoDescription { path });
            return;
        };
        self.refuse_keyword(&block.name, &path);
        for state in description.machine.iter().flat_map(|machine| machine.states) {
            self.refuse_keyword(state, &format!("{path}.{state}"));
        }
        self.dependencies.add(&description);
        let mut parameters = memory::parameters(description.memory.as_ref(), self.form.images);
        parameters.extend(block.children.iter().flat_map(|child| child.parameters.clone()));
        if let crate::rtl::Implementation::Primitive { model, .. } = &description.implementation {
            self.models.insert(description.kind.clone(), model);
        }
        let primitive = instance::primitive(&description);
        let is_primitive = primitive.is_some();
        let module = primitive.unwrap_or_else(|| self.module(&block, &description, &parameters));
        let ports = block.signals.into_iter().filter(Signal::is_port).collect();
        let instance = Instance { name: block.name, module, parameters, ports, is_primitive };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(instance),
            None => self.top = Some(instance),
        }
    }
}

impl Emitter {
    fn path(&self) -> String {
        let names: Vec<&str> = self.open.iter().map(|block| block.name.as_str()).collect();
        names.join(".")
    }

    fn refuse_keyword(&mut self, name: &str, path: &str) {
        if is_keyword(name) {
            self.error.get_or_insert(EmitError::Keyword { path: path.into() });
        }
    }

    /// Name of the module of `block`, which is written if no block of its kind and text was before.
    fn module(&mut self, block: &Open, description: &Description, parameters: &Parameters) -> String {
        let prefixed = format!("{PREFIX}{}", description.kind.trim_start_matches(PREFIX));
        let kind = if self.open.is_empty() && self.ports == Some(Ports::Flat) {
            self.top_name.clone()
        } else if prefixed == self.top_name {
            format!("{}_core", self.top_name)
        } else {
            prefixed
        };
        let (signals, children) = (&block.signals, &block.children);
        let Rendered { text, library } =
            Module { signals, children, description, parameters, form: self.form }.render();
        self.library.extend(library);
        let key = (kind, text);
        if let Some(name) = self.modules.get(&key) {
            return name.clone();
        }
        let count = self.names.entry(key.0.clone()).or_default();
        *count += 1;
        let name = if *count == 1 { key.0.clone() } else { format!("{}_{count}", key.0) };
        for line in description.doc.lines() {
            writeln!(self.text, "// {line}").expect("writing to a string");
        }
        write!(self.text, "module {name}{}endmodule\n\n", key.1).expect("writing to a string");
        self.modules.insert(key, name.clone());
        name
    }
}

/// `sum_i$3` of a `Vec` becomes `sum_3_i`, so that a port's direction stays at its end.
fn identifier(name: &str) -> String {
    let mut parts = name.split('$');
    let base = parts.next().unwrap_or_default();
    let indices: String = parts.map(|index| format!("_{index}")).collect();
    for suffix in ["_i", "_o"] {
        if let (Some(stem), false) = (base.strip_suffix(suffix), indices.is_empty()) {
            return format!("{stem}{indices}{suffix}");
        }
    }
    format!("{base}{indices}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtl::prelude::*;
    use crate::rtl::states;

    states! { Idle = "IDLE", Busy = "BUSY" }

    #[derive(LogicBlock)]
    struct Unit {
        clock: Wire<In>,
        step_i: Wire<In>,
        inside: Wire<Local>,
        state: Wire<Local>,
        busy_o: Wire<Out>,
        _rtl: Rtl,
    }
    rtl_logic!(Unit);

    impl Unit {
        fn new(name: &'static str) -> Self {
            let (clock, step_i, busy_o) = (Wire::new(1), Wire::new(1), Wire::new(1));
            let (inside, state) = (Wire::new(1), State::wire());
            let mut rtl = Rtl::new("unit", &clock);
            rtl.section("Work");
            let begins = rtl.named(name, &step_i & State::Idle.is(&state));
            rtl.named("unused_by_all", !&step_i);
            rtl.machine(&state, State::Idle).when(&begins, State::Busy);
            rtl.register(&inside, 0).set(begins);
            rtl.assign(&busy_o, State::Busy.is(&state) | &inside);
            Unit { clock, step_i, inside, state, busy_o, _rtl: rtl }
        }
    }

    /// The unit with its signal `inside` under another name.
    #[derive(LogicBlock)]
    struct Renamed {
        clock: Wire<In>,
        step_i: Wire<In>,
        in_map: Wire<Local>,
        state: Wire<Local>,
        busy_o: Wire<Out>,
        _rtl: Rtl,
    }
    rtl_logic!(Renamed);

    impl Renamed {
        fn new(name: &'static str) -> Self {
            let Unit { clock, step_i, inside, state, busy_o, _rtl } = Unit::new(name);
            Renamed { clock, step_i, in_map: inside, state, busy_o, _rtl }
        }
    }

    #[test]
    fn reserved_names_are_refused() {
        let error = verilog("top", &Unit::new("begins"), Ports::Flat).unwrap_err();
        assert!(matches!(&error, EmitError::Keyword { path } if path == "top.inside"), "{error}");
        assert!(verilog("module", &Renamed::new("begins"), Ports::Flat).is_err());
    }

    /// As a unit whose own signal has the name of a field of its descriptor.
    #[derive(LogicBlock)]
    struct Twice {
        clock: Wire<In>,
        step_i: Wire<In>,
        descriptor: Hidden,
        state: Wire<Local>,
        busy_o: Wire<Out>,
        _rtl: Rtl,
    }
    rtl_logic!(Twice);

    /// A signal that the unit sees as its own, under the name `state`.
    struct Hidden(Wire<Local>);

    impl Logic for Hidden {
        fn update(&mut self) {}
    }

    impl Block for Hidden {
        fn connect_all(&mut self) {}
        fn update_all(&mut self) {
            self.0.update_all();
        }
        fn has_changed(&self) -> bool {
            self.0.has_changed()
        }
        fn accept(&self, _: &str, probe: &mut dyn Probe) {
            self.0.accept("state", probe);
        }
    }

    #[test]
    fn names_given_twice_are_refused() {
        let Unit { clock, step_i, inside, state, busy_o, _rtl } = Unit::new("begins");
        let unit = Twice { clock, step_i, descriptor: Hidden(inside), state, busy_o, _rtl };
        let error = verilog("top", &unit, Ports::Flat).unwrap_err();
        assert!(matches!(&error, EmitError::Twice { path } if path == "top.state"), "{error}");
    }

    #[test]
    fn names_states_and_sections_are_kept() {
        let text = verilog("top", &Renamed::new("begins"), Ports::Flat).unwrap();
        for line in [
            "    localparam IDLE = 1'd0, BUSY = 1'd1;",
            "    // Work",
            "    wire begins = step_i & (state == IDLE);",
            "    always @(posedge clock) if (begins) state <= BUSY;",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
        assert!(!text.contains("unused_by_all"), "{text}");
        // Names that are reserved, or taken, are numbered.
        assert!(verilog("top", &Renamed::new("do"), Ports::Flat).unwrap().contains("wire do_2 = "));
        assert!(verilog("top", &Renamed::new("state"), Ports::Flat).unwrap().contains("wire state_2 = "));
    }
}
