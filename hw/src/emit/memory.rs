//! Verilog text of a unit's memory.

use super::expression::{Scope, range};
use super::text::line;
use crate::rtl::{Expr, Memory, MemoryImage, MemoryRead};
use std::collections::BTreeMap;

/// Parameters of a module: text of their default values by name.
pub(super) type Parameters = BTreeMap<String, String>;

/// Parameter that names the folder of the images.
const FOLDER: &str = "MEM_PATH";

/// The parameters of a module with `memory`; with `images`, the image's file is the default.
pub(super) fn parameters(memory: Option<&Memory>, images: bool) -> Parameters {
    let Some(image) = memory.and_then(|memory| memory.image.as_ref()) else { return Parameters::new() };
    let file = if images { image.file.as_str() } else { "" };
    // Not "", which is a zero byte in a concatenation.
    let folder = (FOLDER.to_owned(), "\"./\"".to_owned());
    Parameters::from([folder, (image.parameter.clone(), format!("\"{file}\""))])
}

/// Words, ports and image of `memory`.
pub(super) fn render(memory: &Memory, clock: &str, scope: &mut Scope) -> String {
    let mut text = String::new();
    // No word is needed that is written in the cycle in which it is read: synthesis builds no logic around it.
    let attribute = if memory.write.is_some() { "(* no_rw_check *) " } else { "" };
    line(&mut text, 1, &format!("{attribute}reg {}words [0:{}];", range(memory.width), memory.depth - 1));
    line(&mut text, 1, &format!("always @(posedge {clock}) begin"));
    if let Some(write) = &memory.write {
        let (enable, address, data) =
            (scope.text(&write.enable), scope.text(&write.address), scope.text(&write.data));
        line(&mut text, 2, &format!("if ({enable}) words[{address}] <= {data};"));
    }
    line(&mut text, 2, &read_word(&memory.read, &memory.read_address, scope));
    if let (Some(port), Some(read)) = (&memory.write, memory.port_read()) {
        line(&mut text, 2, &read_word(read, &port.address, scope));
    }
    line(&mut text, 1, "end");
    if let Some(image) = &memory.image {
        read_image(&mut text, image);
    }
    text
}

fn read_word(read: &MemoryRead, address: &Expr, scope: &mut Scope) -> String {
    let (enable, address) = (scope.text(&read.enable), scope.text(address));
    format!("if ({enable}) {} <= words[{address}];", scope.name(read.word.id()))
}

fn read_image(text: &mut String, MemoryImage { plusarg, parameter, .. }: &MemoryImage) {
    text.push_str("`ifdef SYNTHESIS\n");
    line(text, 1, "generate");
    line(text, 2, &format!("if ({parameter} != \"\") begin : image"));
    line(text, 3, &format!("initial $readmemh({{{FOLDER}, {parameter}}}, words);"));
    line(text, 2, "end");
    line(text, 1, "endgenerate");
    text.push_str("`else\n");
    line(text, 1, "reg [8*1024-1:0] path;");
    line(text, 1, "initial begin");
    line(text, 2, &format!("if ($value$plusargs(\"{plusarg}=%s\", path)) $readmemh(path, words);"));
    line(text, 2, &format!("else if ({parameter} != \"\") $readmemh({{{FOLDER}, {parameter}}}, words);"));
    line(text, 1, "end");
    text.push_str("`endif\n");
}
