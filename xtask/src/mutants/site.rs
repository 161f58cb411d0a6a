//! Places in Rust code where an operator, a comparison or a constant can be another.

use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, BinOp, Expr, Lit, UnOp};

/// An expression and what it can become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Bytes of the expression in its file.
    pub(super) range: Range<usize>,
    /// Names of the modules, types and functions around it, joined by `::`.
    pub(super) function: String,
    /// The expression's text.
    pub(super) original: String,
    /// Its text in the mutant.
    pub(super) mutated: String,
    /// How many of the same function, text and mutant stand before it.
    pub(super) occurrence: usize,
    /// Line of the file, from 1.
    pub(super) line: usize,
}

/// The sites of `source`, tests and constants left out, in the order of the text.
pub(super) fn sites(source: &str) -> Result<Vec<Site>, syn::Error> {
    let file = syn::parse_file(source)?;
    let mut finder = Finder { source, around: Vec::new(), sites: Vec::new() };
    finder.visit_file(&file);
    Ok(finder.sites)
}

struct Finder<'s> {
    source: &'s str,
    around: Vec<String>,
    sites: Vec<Site>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let of_cfg = attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("test"));
        attribute.path().is_ident("test") || attribute.path().is_ident("cfg") && of_cfg
    })
}

impl Finder<'_> {
    fn text(&self, of: &impl Spanned) -> &str {
        &self.source[of.span().byte_range()]
    }

    fn add(&mut self, of: &impl Spanned, mutated: String) {
        let range = of.span().byte_range();
        let (function, original) = (self.around.join("::"), self.source[range.clone()].to_owned());
        let is_same = |other: &&Site| {
            (&other.function, &other.original, &other.mutated) == (&function, &original, &mutated)
        };
        let occurrence = self.sites.iter().filter(is_same).count();
        let line = of.span().start().line;
        self.sites.push(Site { range, function, original, mutated, occurrence, line });
    }

    fn within(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.around.push(name);
        visit(self);
        self.around.pop();
    }
}

/// The operators that stand for `operator` in mutants.
fn others(operator: &BinOp) -> &'static [&'static str] {
    match operator {
        BinOp::Add(_) => &["-"],
        BinOp::Sub(_) => &["+"],
        BinOp::Mul(_) => &["+"],
        BinOp::Div(_) | BinOp::Rem(_) => &["*"],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::BitAnd(_) => &["|"],
        BinOp::BitOr(_) | BinOp::BitXor(_) => &["&"],
        BinOp::Shl(_) => &[">>"],
        BinOp::Shr(_) => &["<<"],
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::Lt(_) => &["<=", ">="],
        BinOp::Le(_) => &["<", ">"],
        BinOp::Gt(_) => &[">=", "<="],
        BinOp::Ge(_) => &[">", "<"],
        BinOp::AddAssign(_) => &["-="],
        BinOp::SubAssign(_) => &["+="],
        BinOp::MulAssign(_) => &["+="],
        BinOp::ShlAssign(_) => &[">>="],
        BinOp::ShrAssign(_) => &["<<="],
        BinOp::BitAndAssign(_) => &["|="],
        BinOp::BitOrAssign(_) => &["&="],
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.within(item.ident.to_string(), |finder| visit::visit_item_mod(finder, item));
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = self.text(&*item.self_ty).to_owned();
        self.within(name, |finder| visit::visit_item_impl(finder, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) && item.sig.constness.is_none() {
            self.within(item.sig.ident.to_string(), |finder| finder.visit_block(&item.block));
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) && item.sig.constness.is_none() {
            self.within(item.sig.ident.to_string(), |finder| finder.visit_block(&item.block));
        }
    }

    // What follows must be known to the compiler, and cannot hang on a switch.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_item_enum(&mut self, _: &'ast syn::ItemEnum) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_generic_argument(&mut self, _: &'ast syn::GenericArgument) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            // A condition that binds names has no second form.
            Expr::Binary(binary) if !self.text(binary).contains("let ") => {
                for other in others(&binary.op) {
                    let [left, right] = [&binary.left, &binary.right].map(|side| self.text(side).to_owned());
                    self.add(binary, format!("{left} {other} {right}"));
                }
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_) | UnOp::Neg(_)) => {
                self.add(unary, self.text(&unary.expr).to_owned());
            }
            Expr::MethodCall(call) if call.method == "min" || call.method == "max" => {
                let other = if call.method == "min" { "max" } else { "min" };
                let name = call.method.span().byte_range();
                let whole = call.span().byte_range();
                let before = &self.source[whole.start..name.start];
                let after = &self.source[name.end..whole.end];
                self.add(call, format!("{before}{other}{after}"));
            }
            Expr::Lit(literal) => match &literal.lit {
                Lit::Int(number) => {
                    if let Ok(value) = number.base10_parse::<u64>() {
                        let suffix = number.suffix();
                        self.add(literal, format!("{}{suffix}", value.wrapping_add(1)));
                        if value > 1 {
                            self.add(literal, format!("{}{suffix}", value - 1));
                        }
                    }
                }
                Lit::Bool(truth) => self.add(literal, (!truth.value).to_string()),
                _ => {}
            },
            _ => {}
        }
        visit::visit_expr(self, expr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants(source: &str) -> Vec<(String, String, String)> {
        let sites = sites(source).unwrap();
        sites.into_iter().map(|site| (site.function, site.original, site.mutated)).collect()
    }

    #[test]
    fn operators_comparisons_and_constants() {
        let found = mutants("impl A { fn f(x: u8) -> u8 { if x < 2 { x.min(0x10) } else { !x } } }");
        let expected = [
            ("x < 2", "x <= 2"),
            ("x < 2", "x >= 2"),
            ("2", "3"),
            ("2", "1"),
            ("x.min(0x10)", "x.max(0x10)"),
            ("0x10", "17"),
            ("0x10", "15"),
            ("!x", "x"),
        ];
        let expected = expected.map(|(from, to)| ("A::f".to_owned(), from.to_owned(), to.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_the_compiler_must_know_is_left_alone() {
        let source = "
            const A: u8 = 1 + 2;
            const fn b() -> u8 { 3 }
            fn c(x: [u8; 4]) -> [u8; 5] { match x[y] { 6 => [z; 7], _ if let Some(w) = u && v => w } }
            #[cfg(test)] mod tests { fn d() -> u8 { 8 } }
            #[test] fn e() { 9 == 9; }";
        assert_eq!(mutants(source), []);
    }
}
