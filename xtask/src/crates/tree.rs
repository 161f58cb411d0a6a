//! The modules of a crate and what each names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Attribute, Item, UseTree};

/// A file of a crate.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) lines: usize,
}

/// A module, whose parent and file have numbers.
pub(super) struct Module {
    pub(super) parent: Option<usize>,
    pub(super) file: usize,
    /// Modules in it.
    pub(super) modules: BTreeMap<String, usize>,
    /// Names of what it defines.
    pub(super) items: Vec<String>,
    /// Paths of what it imports, by the names that they have here; `*` for all of a path.
    pub(super) imports: Vec<(String, Vec<String>)>,
    /// All but tests and modules.
    pub(super) content: Vec<Item>,
}

/// The modules and files of a crate; module 0 is its root.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) modules: Vec<Module>,
    pub(super) files: Vec<File>,
}

impl Tree {
    /// Of the crate whose root is `lib.rs` or `main.rs` in `source`.
    pub(super) fn read(source: &Path) -> crate::error::Result<Self> {
        let root = ["lib.rs", "main.rs"].map(|name| source.join(name)).into_iter().find(|path| path.exists());
        let mut tree = Tree::default();
        tree.file(&root.ok_or("a crate without a root")?, source, None)?;
        Ok(tree)
    }

    /// Reads the file at `path`, whose modules have their files in `folder`; the number of its module.
    fn file(&mut self, path: &Path, folder: &Path, parent: Option<usize>) -> crate::error::Result<usize> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let parsed = syn::parse_file(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        let file = self.files.len();
        self.files.push(File { path: path.into(), lines: text.lines().count() });
        self.module(parsed.items, file, folder, parent)
    }

    fn module(
        &mut self,
        items: Vec<Item>,
        file: usize,
        folder: &Path,
        parent: Option<usize>,
    ) -> crate::error::Result<usize> {
        let number = self.modules.len();
        let (modules, items_, imports, content) = Default::default();
        self.modules.push(Module { parent, file, modules, items: items_, imports, content });
        for item in items {
            match item {
                Item::Mod(module) if is_test(&module.attrs) => {}
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let inner = folder.join(&name);
                    let child = match module.content {
                        Some((_, items)) => self.module(items, file, &inner, Some(number))?,
                        None => {
                            let plain = folder.join(format!("{name}.rs"));
                            let path = if plain.exists() { plain } else { inner.join("mod.rs") };
                            self.file(&path, &inner, Some(number))?
                        }
                    };
                    self.modules[number].modules.insert(name, child);
                }
                item => self.modules[number].add(item),
            }
        }
        Ok(number)
    }
}

impl Module {
    fn add(&mut self, item: Item) {
        let (attributes, name) = match &item {
            Item::Const(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            Item::Static(item) => (&item.attrs, Some(&item.ident)),
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Union(item) => (&item.attrs, Some(&item.ident)),
            Item::Impl(item) => (&item.attrs, None),
            Item::Use(item) => (&item.attrs, None),
            _ => return,
        };
        if is_test(attributes) {
            return;
        }
        self.items.extend(name.map(ToString::to_string));
        if let Item::Use(item) = &item {
            imports(&item.tree, &mut vec![], &mut self.imports);
        }
        self.content.push(item);
    }
}

/// Adds what `tree` imports behind `path`.
fn imports(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    let mut add = |name: String, last: Option<String>| {
        let whole = path.iter().cloned().chain(last).collect();
        found.push((name, whole));
    };
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            imports(&part.tree, path, found);
            path.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| imports(tree, path, found)),
        UseTree::Name(name) if name.ident == "self" => {
            let name = path.last().cloned().unwrap_or_default();
            found.push((name, path.clone()));
        }
        UseTree::Name(name) => add(name.ident.to_string(), Some(name.ident.to_string())),
        UseTree::Rename(rename) => add(rename.rename.to_string(), Some(rename.ident.to_string())),
        UseTree::Glob(_) => add("*".into(), None),
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}
