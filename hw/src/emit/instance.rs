//! Verilog text of the instances in a module.

use super::expression::{Scope, range};
use super::memory::Parameters;
use super::signal::{Instance, Signal};
use super::text::line;
use crate::rtl::{Description, Implementation};
use std::collections::HashMap;

/// `child` with its connections.
pub(super) fn render(
    text: &mut String,
    child: &Instance,
    scope: &Scope,
    connections: &HashMap<usize, String>,
) {
    let ports: Vec<String> = (child.ports.iter())
        .map(|port| {
            let net = connections.get(&port.id).map_or_else(|| scope.name(port.id), String::as_str);
            let name = if child.is_primitive { port.name.to_uppercase() } else { port.name.clone() };
            format!(".{name}({net})")
        })
        .collect();
    let (module, one_line) = (child.module.to_owned() + &passed(&child.parameters), ports.join(", "));
    if one_line.len() < 90 {
        line(text, 1, &format!("{module} {} ({one_line});", child.name));
    } else {
        line(text, 1, &format!("{module} {} (\n        {}\n    );", child.name, fill(&ports)));
    }
}

/// A module hands its parameters on to those inside it.
fn passed(parameters: &Parameters) -> String {
    let each: Vec<String> = parameters.keys().map(|name| format!(".{name}({name})")).collect();
    if each.is_empty() { String::new() } else { format!(" #({})", each.join(", ")) }
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

/// The primitive's name with its parameters, or `None` for a unit with a module of its own.
pub(super) fn primitive(description: &Description) -> Option<String> {
    let Implementation::Primitive { parameters, .. } = &description.implementation else { return None };
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
