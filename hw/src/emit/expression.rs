//! Verilog text of expressions.
//!
//! An expression's operands have equal widths and its context never widens it, so Verilog's
//! context-determined sizes equal the declared ones and plain operators are exact. Two kinds of
//! sub-expression are hoisted into a named wire: those Verilog cannot select bits from, and those whose
//! meaning depends on being signed, which an unsigned neighbour would silently take away. So are those that have
//! a name, and those that are used more than once, which are called after the place of their first use.

use super::keywords::is_keyword;
use crate::rtl::{Binary, Compare, Expr, Node, Shift};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How tightly a rendered expression binds.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Conditional,
    Operator,
    Unary,
    Primary,
}

/// Names of one module, and the wires its expressions needed so far.
pub(super) struct Scope {
    names: HashMap<usize, String>,
    taken: HashSet<String>,
    uses: HashMap<*const Node, usize>,
    hoisted: HashMap<*const Node, String>,
    declarations: Vec<String>,
    place: String,
}

impl Scope {
    /// `names` maps the ids of nets to their names; `others` are names besides.
    pub(super) fn new(names: HashMap<usize, String>, others: impl IntoIterator<Item = String>) -> Self {
        Scope {
            taken: names.values().cloned().chain(others).collect(),
            names,
            uses: HashMap::new(),
            hoisted: HashMap::new(),
            declarations: vec![],
            place: String::new(),
        }
    }

    /// What is rendered next belongs to the net `id`; wires that it needs are called after both.
    pub(super) fn enter(&mut self, id: usize, what: &str) {
        let name = self.name(id);
        let stem = name.strip_suffix("_o").or(name.strip_suffix("_i")).unwrap_or(name);
        self.place = format!("{stem}_{what}");
    }

    pub(super) fn name(&self, id: usize) -> &str {
        self.names.get(&id).map_or("", String::as_str)
    }

    pub(super) fn rename(&mut self, id: usize, name: String) {
        self.names.insert(id, name);
    }

    /// Takes the declarations of the wires hoisted since the last time; each uses only earlier ones.
    pub(super) fn take_declarations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.declarations)
    }

    /// Declares a wire with a name, if something uses it.
    pub(super) fn declare_named(&mut self, expr: &Expr) {
        if let (Node::Named(name, _), true) =
            (&**expr.node(), self.uses.contains_key(&Arc::as_ptr(expr.node())))
        {
            self.place = name.to_string();
            self.hoist(expr, "");
        }
    }

    /// Counts the uses of `expr`; what is used more than once gets a name of its own when rendered.
    pub(super) fn count(&mut self, expr: &Expr) {
        let uses = self.uses.entry(Arc::as_ptr(expr.node())).or_default();
        *uses += 1;
        if *uses == 1 {
            expr.for_each_operand(|operand| self.count(operand));
        }
    }

    /// `expr` as the right side of an assignment or in another self-determined place.
    pub(super) fn text(&mut self, expr: &Expr) -> String {
        self.render(expr).0
    }

    /// `expr` as an operand of an operator.
    fn operand(&mut self, expr: &Expr) -> String {
        self.at_least(expr, Level::Unary)
    }

    fn at_least(&mut self, expr: &Expr, least: Level) -> String {
        let (text, level) = self.render(expr);
        if level >= least { text } else { format!("({text})") }
    }

    fn render(&mut self, expr: &Expr) -> (String, Level) {
        let pointer = Arc::as_ptr(expr.node());
        if let Some(name) = self.hoisted.get(&pointer) {
            return (name.clone(), Level::Primary);
        }
        let shared = self.uses.get(&pointer).is_some_and(|uses| *uses > 1);
        let is_named = matches!(&**expr.node(), Node::Named(..));
        if is_named || needs_signed_context(expr) || shared && is_worth_a_name(expr) {
            return (self.hoist(expr, ""), Level::Primary);
        }
        self.render_here(expr)
    }

    /// `expr` without a wire of its own.
    fn render_here(&mut self, expr: &Expr) -> (String, Level) {
        match &**expr.node() {
            Node::Literal(value) => (literal(*value, expr.width()), Level::Primary),
            Node::Constant(name, _) => (name.to_string(), Level::Primary),
            Node::Named(_, value) if self.hoisted.contains_key(&Arc::as_ptr(value.node())) => {
                self.render(value)
            }
            Node::Named(_, value) => self.render_here(value),
            Node::Net(net) => (self.name(net.id()).to_string(), Level::Primary),
            Node::Not(a) => (format!("~{}", self.at_least(a, Level::Primary)), Level::Unary),
            Node::Binary(op, a, b) => {
                let symbol = match op {
                    Binary::Add => "+",
                    Binary::Sub => "-",
                    Binary::And => "&",
                    Binary::Or => "|",
                    Binary::Xor => "^",
                };
                (format!("{} {symbol} {}", self.left_operand(*op, a), self.operand(b)), Level::Operator)
            }
            Node::Compare(op, a, b) => (self.comparison(*op, a, b), Level::Operator),
            Node::MulSigned(a, b) => {
                (format!("$signed({}) * $signed({})", self.text(a), self.text(b)), Level::Operator)
            }
            Node::Zext(a) => {
                let zeros = expr.width() - a.width();
                (format!("{{{}, {}}}", literal(0, zeros), self.text(a)), Level::Primary)
            }
            Node::Sext(a) => {
                let (copies, sign, a) = (expr.width() - a.width(), self.bits(&a.msb()), self.text(a));
                let signs = if copies == 1 { sign } else { format!("{{{copies}{{{sign}}}}}") };
                (format!("{{{signs}, {a}}}"), Level::Primary)
            }
            Node::Slice(..) => (self.bits(expr), Level::Primary),
            Node::Concat(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.text(part)).collect();
                (format!("{{{}}}", parts.join(", ")), Level::Primary)
            }
            Node::Repeat(a, count) => (format!("{{{count}{{{}}}}}", self.text(a)), Level::Primary),
            Node::Any(a) => (format!("(|{})", self.at_least(a, Level::Primary)), Level::Primary),
            Node::All(a) => (format!("(&{})", self.at_least(a, Level::Primary)), Level::Primary),
            Node::Mux(condition, yes, no) => {
                let (condition, yes) = (self.operand(condition), self.operand(yes));
                let no = self.at_least(no, Level::Conditional);
                (format!("{condition} ? {yes} : {no}"), Level::Conditional)
            }
            Node::Shift(op, a, amount) => {
                let amount = self.at_least(amount, Level::Primary);
                let text = match op {
                    Shift::Right => format!("{} >> {amount}", self.operand(a)),
                    Shift::RightSigned => format!("$signed({}) >>> {amount}", self.text(a)),
                };
                (text, Level::Operator)
            }
        }
    }

    /// A chain of one associative operator needs no parentheses on its left.
    fn left_operand(&mut self, op: Binary, a: &Expr) -> String {
        let chain = op != Binary::Sub && matches!(&**a.node(), Node::Binary(inner, ..) if *inner == op);
        self.at_least(a, if chain { Level::Operator } else { Level::Unary })
    }

    fn comparison(&mut self, op: Compare, a: &Expr, b: &Expr) -> String {
        let symbol = match op {
            Compare::Eq => "==",
            Compare::Ne => "!=",
            Compare::Lt | Compare::LtSigned => "<",
            Compare::Le | Compare::LeSigned => "<=",
        };
        if matches!(op, Compare::LtSigned | Compare::LeSigned) {
            format!("$signed({}) {symbol} $signed({})", self.text(a), self.text(b))
        } else {
            format!("{} {symbol} {}", self.operand(a), self.operand(b))
        }
    }

    /// A slice as a bit or part select of a named net.
    fn bits(&mut self, slice: &Expr) -> String {
        let Node::Slice(whole, lo) = &**slice.node() else {
            return self.text(slice);
        };
        let name = match &**whole.node() {
            Node::Net(net) => self.name(net.id()).to_string(),
            _ => self.hoist(whole, PART),
        };
        if slice.width() == 1 {
            format!("{name}[{lo}]")
        } else {
            format!("{name}[{}:{lo}]", lo + slice.width() - 1)
        }
    }

    /// Gives `expr` a wire of its own and returns the wire's name: the expression's, else the place's with `suffix`.
    fn hoist(&mut self, expr: &Expr, suffix: &str) -> String {
        let pointer = Arc::as_ptr(expr.node());
        if let Some(name) = self.hoisted.get(&pointer) {
            return name.clone();
        }
        let text = self.render_here(expr).0;
        let stem = match &**expr.node() {
            Node::Named(name, _) => name.to_string(),
            _ => format!("{}{suffix}", self.place),
        };
        let numbered = (2..).map(|n| format!("{stem}_{n}"));
        let name = std::iter::once(stem.clone())
            .chain(numbered)
            .find(|name| !self.taken.contains(name) && !is_keyword(name))
            .expect("there are endlessly many names");
        self.taken.insert(name.clone());
        self.declarations.push(format!("wire {}{name} = {text};", range(expr.width())));
        self.hoisted.insert(pointer, name.clone());
        name
    }
}

/// Ends the name of a wire of which bits may stay unused; the linter's waivers know it.
const PART: &str = "_part";

/// In Verilog a signed operand next to an unsigned one becomes unsigned.
fn needs_signed_context(expr: &Expr) -> bool {
    matches!(&**expr.node(), Node::MulSigned(..) | Node::Shift(Shift::RightSigned, ..))
}

fn is_worth_a_name(expr: &Expr) -> bool {
    match &**expr.node() {
        Node::Literal(_) | Node::Constant(..) | Node::Net(_) => false,
        Node::Slice(a, _) | Node::Not(a) | Node::Zext(a) | Node::Sext(a) | Node::Repeat(a, _) => {
            is_worth_a_name(a)
        }
        _ => true,
    }
}

/// `[7:0] ` before the name of a net of 8 bits.
pub(super) fn range(width: usize) -> String {
    if width == 1 { String::new() } else { format!("[{}:0] ", width - 1) }
}

pub(super) fn literal(value: u64, width: usize) -> String {
    if value < 1000 { format!("{width}'d{value}") } else { format!("{width}'h{value:x}") }
}

#[cfg(test)]
mod tests {
    use crate::emit::{Ports, verilog};
    use crate::rtl::prelude::*;
    use crate::unit_macro::unit;

    unit! {
        /// Two sums, of which one is used twice.
        struct Sums(width: usize) "sums" {
            a_i: Wire<In> = Wire::new(width),
            b_i: Wire<In> = Wire::new(width),
            once_o: Wire<Out> = Wire::new(width),
            twice_o: Wire<Out> = Wire::new(width),
            again_o: Wire<Out> = Wire::new(width),
        }
    }

    #[test]
    fn only_what_is_used_twice_gets_a_name() {
        let mut unit = Sums::declare(4);
        let (sum, difference) = (&unit.a_i + &unit.b_i, &unit.a_i - &unit.b_i);
        unit._rtl.register(&unit.once_o, 0).set(sum ^ &unit.a_i);
        unit._rtl.register(&unit.twice_o, 0).set(&difference ^ &unit.a_i);
        unit._rtl.register(&unit.again_o, 0).set(&difference & &unit.b_i);
        let text = verilog("sums", &unit, Ports::Flat).unwrap();
        assert!(text.contains("(a_i + b_i) ^ a_i"), "{text}");
        assert_eq!(text.matches("a_i - b_i").count(), 1, "{text}");
    }
}
