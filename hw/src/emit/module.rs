//! Verilog text of one module.

use super::expression::{Scope, literal, range};
use super::form::Form;
use super::memory::{self, Parameters};
use super::signal::{Instance, Signal};
use super::text::line;
use super::{clocked, ecp5, instance};
use crate::rtl::{Description, Expr, Net, Node, Section};
use empf_ir::Target;
use std::collections::{HashMap, HashSet};

/// A block with everything its module's text needs.
pub(super) struct Module<'a> {
    pub(super) signals: &'a [Signal],
    pub(super) children: &'a [Instance],
    pub(super) description: &'a Description,
    pub(super) parameters: &'a Parameters,
    pub(super) form: Form,
}

/// Text of a module.
pub(super) struct Rendered {
    /// Ports and body: everything after the module's name.
    pub(super) text: String,
    /// Modules around cells that it uses in synthesis.
    pub(super) library: Option<&'static str>,
}

impl Module<'_> {
    /// Where the target has a cell, synthesis sees it and a simulator what it does.
    pub(super) fn render(&self) -> Rendered {
        let states = self.description.machine.iter().flat_map(|machine| machine.states);
        let reserved = states.copied().chain(["words", "path", "image"]).map(String::from);
        let mut scope = Scope::new(self.names(), reserved.chain(self.parameters.keys().cloned()));
        let renamed = self.connect_outputs(&mut scope);
        self.count_uses(&mut scope, &renamed);

        let registers = self.registers();
        let ports = self.ports(&registers);
        let cells = match self.form.target {
            Target::Generic => None,
            Target::Ecp5 => ecp5::body(self.description, self.form.images, &mut scope),
        };
        let body = self.body(&mut scope, &renamed, &registers);
        match cells {
            Some(ecp5::Body { text, library }) => Rendered {
                text: format!("{ports}`ifdef SYNTHESIS\n{text}`else\n{body}`endif\n"),
                library: Some(library),
            },
            None => Rendered { text: ports + &body, library: None },
        }
    }

    /// What the unit does, in Verilog.
    fn body(&self, scope: &mut Scope, renamed: &HashSet<usize>, registers: &HashSet<usize>) -> String {
        let mut text = String::new();
        self.declarations(&mut text, scope, registers);
        let mut connections = HashMap::new();
        for section in &self.description.sections {
            text += &self.section(section, renamed, &mut connections, scope);
        }
        text += &self.rest(scope);
        let mut instances = String::new();
        for child in self.children {
            instance::render(&mut instances, child, scope, &connections);
        }
        text + &under("", &[], &instances)
    }

    /// Wires, assignments and registers of `section` under its title; what is for a child becomes a connection.
    fn section(
        &self,
        section: &Section,
        renamed: &HashSet<usize>,
        connections: &mut HashMap<usize, String>,
        scope: &mut Scope,
    ) -> String {
        let child_ports = self.children.iter().flat_map(|child| &child.ports);
        let child_inputs: HashSet<usize> = child_ports.filter(|p| p.is_input()).map(|p| p.id).collect();
        for named in &section.named {
            scope.declare_named(named);
        }
        let mut body = String::new();
        for index in section.assigns.iter().filter(|index| !renamed.contains(index)) {
            let assign = &self.description.assigns[*index];
            let target = assign.target.id();
            scope.enter(target, "value");
            let value = scope.text(&assign.value);
            if child_inputs.contains(&target) {
                connections.insert(target, value);
            } else {
                line(&mut body, 1, &format!("assign {} = {value};", scope.name(target)));
            }
        }
        if let Some(clock) = &self.description.clock {
            let clock = scope.name(clock.id()).to_owned();
            body += &clocked::render(self.description, &section.registers, &clock, scope);
        }
        under(&section.title, &scope.take_declarations(), &body)
    }

    /// The memory, and what silences the linter.
    fn rest(&self, scope: &mut Scope) -> String {
        let mut body = String::new();
        if let (Some(memory), Some(clock)) = (&self.description.memory, &self.description.clock) {
            let clock = scope.name(clock.id()).to_owned();
            body += &memory::render(memory, &clock, scope);
        }
        for (n, value) in self.description.discards.iter().enumerate() {
            let text = scope.text(value);
            line(&mut body, 1, &format!("wire unused_{n} = &{{1'b0, {text}}};"));
        }
        under("", &scope.take_declarations(), &body)
    }

    /// Names of the own signals and of the children's ports.
    fn names(&self) -> HashMap<usize, String> {
        let mut names: HashMap<usize, String> = self.signals.iter().map(|s| (s.id, s.name.clone())).collect();
        let mut taken: HashSet<String> = names.values().cloned().collect();
        let read = self.nets_read();
        for child in self.children {
            for port in &child.ports {
                let bare =
                    port.name.strip_suffix("_o").or(port.name.strip_suffix("_i")).unwrap_or(&port.name);
                let prefix = if port.is_input() || read.contains(&port.id) { "" } else { "unused_" };
                let mut name = format!("{prefix}{}_{bare}", child.name);
                if !taken.insert(name.clone()) {
                    name = format!("{prefix}{}_{}", child.name, port.name);
                    taken.insert(name.clone());
                }
                names.insert(port.id, name);
            }
        }
        names
    }

    fn nets_read(&self) -> HashSet<usize> {
        let mut read = HashSet::new();
        let mut insert = |net: &Net| {
            read.insert(net.id());
        };
        for_each_expr(self.description, &mut |e| e.for_each_net(&mut insert));
        read
    }

    fn registers(&self) -> HashSet<usize> {
        let registers = self.description.registers.iter().map(|r| r.target.id());
        let memory = self.description.memory.iter();
        let read = memory.flat_map(|m| std::iter::once(&m.read).chain(m.port_read()));
        registers.chain(read.map(|read| read.word.id())).collect()
    }

    /// Children's outputs that are an own signal take its name; returns the positions of the assignments that said so.
    fn connect_outputs(&self, scope: &mut Scope) -> HashSet<usize> {
        let mut outputs: HashSet<usize> =
            self.children.iter().flat_map(|c| &c.ports).filter(|p| !p.is_input()).map(|p| p.id).collect();
        let own: HashSet<usize> = self.signals.iter().map(|s| s.id).collect();
        let mut renamed = HashSet::new();
        for (index, assign) in self.description.assigns.iter().enumerate() {
            if let Node::Net(net) = &**assign.value.node()
                && own.contains(&assign.target.id())
                && outputs.remove(&net.id())
            {
                let name = scope.name(assign.target.id()).to_string();
                scope.rename(net.id(), name);
                renamed.insert(index);
            }
        }
        renamed
    }

    fn count_uses(&self, scope: &mut Scope, renamed: &HashSet<usize>) {
        let assigns = self.description.assigns.iter().enumerate();
        for (_, assign) in assigns.filter(|(index, _)| !renamed.contains(index)) {
            scope.count(&assign.value);
        }
        for_each_clocked_expr(self.description, &mut |e| scope.count(e));
        self.description.discards.iter().for_each(|value| scope.count(value));
    }

    fn ports(&self, registers: &HashSet<usize>) -> String {
        let ports: Vec<String> = (self.signals.iter().filter(|s| s.is_port()))
            .map(|s| {
                let direction = match s.is_input() {
                    true => "input wire",
                    false if registers.contains(&s.id) => "output reg",
                    false => "output wire",
                };
                format!("    {direction} {}{}", range(s.width), s.name)
            })
            .collect();
        format!("{} (\n{}\n);\n", self.parameter_list(), ports.join(",\n"))
    }

    fn parameter_list(&self) -> String {
        let each: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!("    parameter {name} = {value}")).collect();
        if each.is_empty() { String::new() } else { format!(" #(\n{}\n)", each.join(",\n")) }
    }

    /// Everything is declared before its first use: Verilog would make an undeclared net 1 bit wide.
    fn declarations(&self, text: &mut String, scope: &Scope, registers: &HashSet<usize>) {
        if let Some(machine) = &self.description.machine {
            let width = machine.register.width();
            let each: Vec<String> = (machine.states.iter().zip(0..))
                .map(|(name, value)| format!("{name} = {}", literal(value, width)))
                .collect();
            line(text, 1, &format!("localparam {}{};\n", range(width), each.join(", ")));
        }
        for signal in self.signals.iter().filter(|s| !s.is_port()) {
            let keyword = if registers.contains(&signal.id) { "reg" } else { "wire" };
            line(text, 1, &format!("{keyword} {}{};", range(signal.width), signal.name));
        }
        let own: HashSet<&str> = self.signals.iter().map(|s| s.name.as_str()).collect();
        for port in self.children.iter().flat_map(|c| &c.ports).filter(|p| !p.is_input()) {
            let name = scope.name(port.id);
            if !own.contains(name) {
                line(text, 1, &format!("wire {}{name};", range(port.width)));
            }
        }
    }
}

/// Every expression of a unit.
pub(super) fn for_each_expr(description: &Description, visit: &mut impl FnMut(&Expr)) {
    for assign in &description.assigns {
        visit(&assign.value);
    }
    for_each_clocked_expr(description, visit);
    description.discards.iter().for_each(&mut *visit);
}

fn for_each_clocked_expr(description: &Description, visit: &mut impl FnMut(&Expr)) {
    description.reset.iter().for_each(&mut *visit);
    for (condition, value) in description.registers.iter().flat_map(|r| &r.branches) {
        condition.iter().for_each(&mut *visit);
        visit(value);
    }
    if let Some(memory) = &description.memory {
        visit(&memory.read.enable);
        visit(&memory.read_address);
        if let Some(read) = memory.port_read() {
            visit(&read.enable);
        }
        if let Some(write) = &memory.write {
            visit(&write.enable);
            visit(&write.address);
            visit(&write.data);
        }
    }
}

/// A paragraph of declarations and body under a comment; nothing where there is nothing.
fn under(title: &str, declarations: &[String], body: &str) -> String {
    if declarations.is_empty() && body.is_empty() {
        return String::new();
    }
    let mut text = "\n".to_owned();
    if !title.is_empty() {
        line(&mut text, 1, &format!("// {title}"));
    }
    for declaration in declarations {
        line(&mut text, 1, declaration);
    }
    text + body
}
