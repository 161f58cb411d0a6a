//! Verilog text of one module.

use super::expression::{Scope, literal, range};
use crate::rtl::{Assign, Description, Expr, Form, MemoryImage, Net, Node, RegisterSpec};
use rust_hdl_core::prelude::AtomKind;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// A signal as its block declares it.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) name: String,
    /// Name of the field; the elements of a `Vec` share it.
    pub(super) bus: String,
    pub(super) id: usize,
    pub(super) kind: AtomKind,
    pub(super) width: usize,
}

impl Signal {
    pub(super) fn is_input(&self) -> bool {
        self.kind == AtomKind::InputParameter
    }
    pub(super) fn is_port(&self) -> bool {
        self.kind.is_parameter()
    }
}

/// A block inside another.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) name: String,
    /// Module name with its parameters.
    pub(super) module: String,
    pub(super) ports: Vec<Signal>,
    pub(super) is_primitive: bool,
}

/// A block with everything its module's text needs.
pub(super) struct Module<'a> {
    pub(super) signals: &'a [Signal],
    pub(super) children: &'a [Instance],
    pub(super) description: &'a Description,
}

impl Module<'_> {
    /// Ports and body: everything after the module's name.
    pub(super) fn render(&self) -> String {
        let mut scope = Scope::new(self.names());
        let assigns = self.connect_outputs(&mut scope);
        self.count_uses(&mut scope, &assigns);
        let registers: HashSet<usize> = self.registers();
        let child_inputs: HashSet<usize> =
            self.children.iter().flat_map(|c| &c.ports).filter(|p| p.is_input()).map(|p| p.id).collect();

        let mut connections = HashMap::new();
        let mut body = String::new();
        for assign in &assigns {
            let value = scope.text(&assign.value);
            if child_inputs.contains(&assign.target.id()) {
                connections.insert(assign.target.id(), value);
            } else {
                line(&mut body, 1, &format!("assign {} = {value};", scope.name(assign.target.id())));
            }
        }
        self.clocked(&mut body, &mut scope);
        self.memory(&mut body, &mut scope);
        for (n, value) in self.description.discards.iter().enumerate() {
            let text = scope.text(value);
            line(&mut body, 1, &format!("wire unused_{n} = &{{1'b0, {text}}};"));
        }

        let mut text = self.ports(&registers);
        self.declarations(&mut text, &scope, &registers);
        for declaration in scope.declarations() {
            line(&mut text, 1, declaration);
        }
        for child in self.children {
            instance(&mut text, child, &scope, &connections);
        }
        text + &body
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
        registers.chain(self.description.memory.iter().map(|m| m.read_data.id())).collect()
    }

    /// Children's outputs that are an own signal take its name; returns the other assignments.
    fn connect_outputs(&self, scope: &mut Scope) -> Vec<Assign> {
        let mut outputs: HashSet<usize> =
            self.children.iter().flat_map(|c| &c.ports).filter(|p| !p.is_input()).map(|p| p.id).collect();
        let own: HashSet<usize> = self.signals.iter().map(|s| s.id).collect();
        let mut rest = vec![];
        for assign in &self.description.assigns {
            match &**assign.value.node() {
                Node::Net(net) if own.contains(&assign.target.id()) && outputs.remove(&net.id()) => {
                    let name = scope.name(assign.target.id()).to_string();
                    scope.rename(net.id(), name);
                }
                _ => rest.push(assign.clone()),
            }
        }
        rest
    }

    fn count_uses(&self, scope: &mut Scope, assigns: &[Assign]) {
        for assign in assigns {
            scope.count(&assign.value);
        }
        for_each_clocked_expr(self.description, &mut |e| scope.count(e));
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
        format!(" (\n{}\n);\n", ports.join(",\n"))
    }

    /// Everything is declared before its first use: Verilog would make an undeclared net 1 bit wide.
    fn declarations(&self, text: &mut String, scope: &Scope, registers: &HashSet<usize>) {
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

    /// Registers with equal conditions share an `if`, all without a condition share a block.
    fn clocked(&self, text: &mut String, scope: &mut Scope) {
        let mut groups: Vec<(Vec<String>, bool, Vec<&RegisterSpec>)> = vec![];
        for register in &self.description.registers {
            let conditions: Vec<String> =
                register.branches.iter().filter_map(|(c, _)| c.as_ref()).map(|c| scope.text(c)).collect();
            let ends_always = register.branches.last().is_some_and(|(c, _)| c.is_none());
            let key = (&conditions, register.resets);
            match groups.iter_mut().find(|(c, resets, members)| {
                (c, *resets) == key
                    && members[0].branches.last().is_some_and(|(c, _)| c.is_none()) == ends_always
            }) {
                Some((.., members)) => members.push(register),
                None => groups.push((conditions, register.resets, vec![register])),
            }
        }
        let Some(clock) = &self.description.clock else { return };
        let clock = scope.name(clock.id()).to_string();
        let reset = self.description.reset.as_ref().map(|reset| scope.text(reset));
        for (conditions, resets, members) in groups {
            let mut arms: Vec<(String, Vec<String>)> = vec![];
            if let Some(reset) = reset.as_ref().filter(|_| resets) {
                arms.push((
                    format!("if ({reset})"),
                    members.iter().map(|m| reset_to_init(m, scope)).collect(),
                ));
            }
            for branch in 0..members[0].branches.len() {
                let statements = members
                    .iter()
                    .map(|m| {
                        let value = scope.text(&m.branches[branch].1);
                        format!("{} <= {value};", scope.name(m.target.id()))
                    })
                    .collect();
                let head = match (conditions.get(branch), arms.is_empty()) {
                    (Some(condition), true) => format!("if ({condition})"),
                    (Some(condition), false) => format!("else if ({condition})"),
                    (None, true) => String::new(),
                    (None, false) => "else".into(),
                };
                arms.push((head, statements));
            }
            always(text, &clock, &arms);
        }
    }

    fn memory(&self, text: &mut String, scope: &mut Scope) {
        let (Some(memory), Some(clock)) = (&self.description.memory, &self.description.clock) else { return };
        let clock = scope.name(clock.id()).to_string();
        line(text, 1, &format!("reg {}words [0:{}];", range(memory.width), memory.depth - 1));
        line(text, 1, &format!("always @(posedge {clock}) begin"));
        if let Some(write) = &memory.write {
            let (enable, address, data) =
                (scope.text(&write.enable), scope.text(&write.address), scope.text(&write.data));
            line(text, 2, &format!("if ({enable}) words[{address}] <= {data};"));
        }
        let (enable, address) = (scope.text(&memory.read_enable), scope.text(&memory.read_address));
        let data = scope.name(memory.read_data.id());
        line(text, 2, &format!("if ({enable}) {data} <= words[{address}];"));
        line(text, 1, "end");
        if let Some(image) = &memory.image {
            read_image(text, image);
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
        visit(&memory.read_enable);
        visit(&memory.read_address);
        if let Some(write) = &memory.write {
            visit(&write.enable);
            visit(&write.address);
            visit(&write.data);
        }
    }
}

fn reset_to_init(register: &RegisterSpec, scope: &Scope) -> String {
    let target = &register.target;
    format!("{} <= {};", scope.name(target.id()), literal(register.init, target.width()))
}

/// `arms` are the heads and statements of an if / else chain, or one arm with an empty head.
fn always(text: &mut String, clock: &str, arms: &[(String, Vec<String>)]) {
    let head = format!("always @(posedge {clock})");
    match arms {
        [(condition, statements)] if condition.is_empty() => block(text, 1, &head, statements),
        [(condition, statements)] => block(text, 1, &format!("{head} {condition}"), statements),
        _ => {
            line(text, 1, &format!("{head} begin"));
            for (condition, statements) in arms {
                block(text, 2, condition, statements);
            }
            line(text, 1, "end");
        }
    }
}

/// `head` with one statement beside it or several in begin and end.
fn block(text: &mut String, indent: usize, head: &str, statements: &[String]) {
    if let [statement] = statements {
        line(text, indent, &format!("{head} {statement}"));
        return;
    }
    line(text, indent, &format!("{head} begin"));
    for statement in statements {
        line(text, indent + 1, statement);
    }
    line(text, indent, "end");
}

fn read_image(text: &mut String, MemoryImage { plusarg, path }: &MemoryImage) {
    text.push_str("`ifdef SYNTHESIS\n");
    line(text, 1, &format!("initial $readmemh(\"{path}\", words);"));
    text.push_str("`else\n");
    line(text, 1, "reg [8*1024-1:0] path;");
    line(text, 1, "initial begin");
    line(text, 2, &format!("if (!$value$plusargs(\"{plusarg}=%s\", path)) path = \"{path}\";"));
    line(text, 2, "$readmemh(path, words);");
    line(text, 1, "end");
    text.push_str("`endif\n");
}

fn instance(text: &mut String, child: &Instance, scope: &Scope, connections: &HashMap<usize, String>) {
    let ports: Vec<String> = (child.ports.iter())
        .map(|port| {
            let net = connections.get(&port.id).map_or_else(|| scope.name(port.id), String::as_str);
            let name = if child.is_primitive { port.name.to_uppercase() } else { port.name.clone() };
            format!(".{name}({net})")
        })
        .collect();
    let one_line = ports.join(", ");
    if one_line.len() < 90 {
        line(text, 1, &format!("{} {} ({one_line});", child.module, child.name));
    } else {
        line(text, 1, &format!("{} {} (\n        {}\n    );", child.module, child.name, fill(&ports)));
    }
}

/// Connections in lines of moderate length.
fn fill(ports: &[String]) -> String {
    let mut text = String::new();
    let mut column = 0;
    for (n, port) in ports.iter().enumerate() {
        if n > 0 {
            let wraps = column + port.len() > 100;
            text.push_str(if wraps { ",\n        " } else { ", " });
            column = if wraps { 0 } else { column };
        }
        text.push_str(port);
        column += port.len() + 2;
    }
    text
}

fn line(text: &mut String, indent: usize, content: &str) {
    writeln!(text, "{:width$}{content}", "", width = 4 * indent).expect("writing to a string");
}

/// The primitive's name with its parameters, or `None` for a unit with a module of its own.
pub(super) fn primitive(description: &Description) -> Option<String> {
    let Form::Primitive { parameters } = &description.form else { return None };
    let parameters: Vec<String> =
        parameters.iter().map(|(name, value)| format!(".{name}({value})")).collect();
    Some(format!("{} #({})", description.kind, parameters.join(", ")))
}

/// Module `name` around `core` with one bus per `Vec` of ports, element 0 in the low bits.
pub(super) fn packed(name: &str, core: &Instance) -> String {
    let mut buses: Vec<(&Signal, usize)> = vec![];
    let mut connections = vec![];
    for port in &core.ports {
        let lo = match buses.last_mut() {
            Some((first, width)) if first.bus == port.bus => {
                *width += port.width;
                *width - port.width
            }
            _ => {
                buses.push((port, port.width));
                0
            }
        };
        connections.push((port, lo));
    }
    let width_of =
        |bus: &str| buses.iter().find(|(first, _)| first.bus == bus).map_or(0, |(_, width)| *width);
    let connections: Vec<String> = connections
        .iter()
        .map(|(port, lo)| match (width_of(&port.bus), port.width) {
            (total, width) if total == width => format!(".{}({})", port.name, port.bus),
            (_, 1) => format!(".{}({}[{lo}])", port.name, port.bus),
            (_, width) => format!(".{}({}[{}:{lo}])", port.name, port.bus, lo + width - 1),
        })
        .collect();
    let ports: Vec<String> = (buses.iter())
        .map(|(first, width)| {
            let direction = if first.is_input() { "input wire" } else { "output wire" };
            format!("    {direction} {}{}", range(*width), first.bus)
        })
        .collect();
    let (ports, connections) = (ports.join(",\n"), fill(&connections));
    format!(
        "module {name} (\n{ports}\n);\n    {} core (\n        {connections}\n    );\nendmodule\n\n",
        core.module
    )
}
