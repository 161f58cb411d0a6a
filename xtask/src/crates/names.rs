//! Which file defines what a path names.

use super::circles::Edges;
use super::tree::Tree;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Item, Macro, Token};

/// Re-exports that a path may go through; more are a circle of their own.
const MOST_HOPS: usize = 16;

/// For each file of the crate the files that it depends on, and a path that says so.
pub(super) fn dependencies(tree: &Tree) -> Vec<Edges> {
    let mut dependencies = vec![Edges::new(); tree.files.len()];
    for (number, module) in tree.modules.iter().enumerate() {
        let mut paths = Paths(module.imports.iter().map(|(_, path)| path.clone()).collect());
        let code = module.content.iter().filter(|item| !matches!(item, Item::Use(_)));
        code.for_each(|item| paths.visit_item(item));
        for path in &paths.0 {
            let definer = tree.definer(number, path).map(|definer| tree.modules[definer].file);
            if let Some(file) = definer.filter(|file| *file != module.file) {
                dependencies[module.file].insert(file, path.join("::"));
            }
        }
    }
    dependencies
}

/// All paths of more than one name.
struct Paths(Vec<Vec<String>>);

impl Visit<'_> for Paths {
    fn visit_path(&mut self, path: &syn::Path) {
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &Macro) {
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(mac.tokens.clone());
        arguments.iter().flatten().for_each(|expression| self.visit_expr(expression));
        visit::visit_macro(self, mac);
    }
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Found {
    Module(usize),
    /// Something that this module defines.
    Item(usize),
}

impl Tree {
    /// The module that defines what `path` names in the module `from`; nothing where that is a module itself, or of
    /// another crate.
    fn definer(&self, from: usize, path: &[String]) -> Option<usize> {
        match self.find(from, path, MOST_HOPS)? {
            Found::Item(module) => Some(module),
            Found::Module(_) => None,
        }
    }

    fn find(&self, from: usize, path: &[String], hops: usize) -> Option<Found> {
        let (first, rest) = path.split_first()?;
        let mut found = match first.as_str() {
            "crate" => Found::Module(0),
            "self" => Found::Module(from),
            "super" => Found::Module(self.modules[from].parent?),
            name => self.named(from, name, hops)?,
        };
        for name in rest {
            found = match (found, name.as_str()) {
                (Found::Module(module), "super") => Found::Module(self.modules[module].parent?),
                (Found::Module(module), name) => self.named(module, name, hops)?,
                // A variant, a function of a type, ...
                (item, _) => return Some(item),
            };
        }
        Some(found)
    }

    /// What `name` is in a module.
    fn named(&self, at: usize, name: &str, hops: usize) -> Option<Found> {
        let module = &self.modules[at];
        if let Some(inner) = module.modules.get(name) {
            return Some(Found::Module(*inner));
        }
        if module.items.iter().any(|item| item == name) {
            return Some(Found::Item(at));
        }
        let hops = hops.checked_sub(1)?;
        let by_name = module.imports.iter().filter(|(here, _)| here == name);
        // A path that begins with its own name is that of another crate.
        let others = by_name.filter(|(_, path)| path.len() > 1 || path[0] != name);
        let mut by_glob = module.imports.iter().filter(|(here, _)| here == "*");
        others.map(|(_, path)| path).find_map(|path| self.find(at, path, hops)).or_else(|| {
            by_glob.find_map(|(_, path)| match self.find(at, path, hops)? {
                Found::Module(inner) if inner != at => self.named(inner, name, hops),
                _ => None,
            })
        })
    }
}
