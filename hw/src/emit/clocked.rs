//! Verilog text of registers.

use super::expression::{Scope, literal};
use super::text::line;
use crate::rtl::{Description, RegisterSpec};

/// Registers that share an `always` block.
struct Group<'a> {
    conditions: Vec<String>,
    members: Vec<&'a RegisterSpec>,
}

impl Group<'_> {
    fn ends_always(register: &RegisterSpec) -> bool {
        register.branches.last().is_some_and(|(condition, _)| condition.is_none())
    }

    fn takes(&self, conditions: &[String], register: &RegisterSpec) -> bool {
        let first = self.members[0];
        self.conditions == conditions
            && first.resets == register.resets
            && Self::ends_always(first) == Self::ends_always(register)
    }
}

/// The registers of `description` at the positions `indices`: those with equal conditions share an `if`, all without
/// a condition share a block.
pub(super) fn render(description: &Description, indices: &[usize], clock: &str, scope: &mut Scope) -> String {
    let mut groups: Vec<Group> = vec![];
    for register in indices.iter().map(|index| &description.registers[*index]) {
        scope.enter(register.target.id(), "when");
        let conditions: Vec<String> =
            register.branches.iter().filter_map(|(c, _)| c.as_ref()).map(|c| scope.text(c)).collect();
        match groups.iter_mut().find(|group| group.takes(&conditions, register)) {
            Some(group) => group.members.push(register),
            None => groups.push(Group { conditions, members: vec![register] }),
        }
    }
    let reset = description.reset.as_ref().map(|reset| scope.text(reset));
    let mut text = String::new();
    for group in groups {
        always(&mut text, clock, &arms(&group, reset.as_deref(), description, scope));
    }
    text
}

/// Heads and statements of an if / else chain, or one arm with an empty head.
fn arms(
    Group { conditions, members }: &Group,
    reset: Option<&str>,
    description: &Description,
    scope: &mut Scope,
) -> Vec<(String, Vec<String>)> {
    let mut arms: Vec<(String, Vec<String>)> = vec![];
    if let Some(reset) = reset.filter(|_| members[0].resets) {
        let statements = members.iter().map(|m| reset_to_init(m, description, scope)).collect();
        arms.push((format!("if ({reset})"), statements));
    }
    for branch in 0..members[0].branches.len() {
        let take = |member: &&RegisterSpec| {
            scope.enter(member.target.id(), "next");
            let value = scope.text(&member.branches[branch].1);
            format!("{} <= {value};", scope.name(member.target.id()))
        };
        let statements = members.iter().map(take).collect();
        let head = match (conditions.get(branch), arms.is_empty()) {
            (Some(condition), true) => format!("if ({condition})"),
            (Some(condition), false) => format!("else if ({condition})"),
            (None, true) => String::new(),
            (None, false) => "else".into(),
        };
        arms.push((head, statements));
    }
    arms
}

fn reset_to_init(register: &RegisterSpec, description: &Description, scope: &Scope) -> String {
    let target = &register.target;
    let machine = description.machine.as_ref().filter(|machine| machine.register.id() == target.id());
    let init = match machine {
        Some(machine) => machine.states[register.init as usize].to_owned(),
        None => literal(register.init, target.width()),
    };
    format!("{} <= {init};", scope.name(target.id()))
}

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
