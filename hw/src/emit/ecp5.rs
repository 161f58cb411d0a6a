//! Bodies of modules in cells of Lattice ECP5 that its synthesis does not infer: multipliers with their registers, and
//! block RAM with its output register.

mod blocks;

use super::expression::Scope;
use super::text::line;
use crate::rtl::{Description, Multiply, Net};
pub use blocks::ecp5_image;
pub(crate) use blocks::image_file;

/// What synthesis sees in a module.
pub(super) struct Body {
    pub(super) text: String,
    /// Modules around the cells that it uses.
    pub(super) library: &'static str,
}

/// The body of the module of `description` in cells, or `None` where synthesis infers the best one.
pub(super) fn body(description: &Description, images: bool, scope: &mut Scope) -> Option<Body> {
    let clock = scope.name(description.clock.as_ref()?.id()).to_owned();
    if let Some(multiply) = &description.multiply {
        let text = multiplier(multiply, &clock, scope);
        return Some(Body { text, library: include_str!("ecp5/mult18x18d.v") });
    }
    let text = blocks::render(description.memory.as_ref()?, images, &clock, scope)?;
    Some(Body { text, library: include_str!("ecp5/dp16kd.v") })
}

/// Bits of a multiplier's factors.
const FACTOR_BITS: usize = 18;

fn multiplier(multiply: &Multiply, clock: &str, scope: &Scope) -> String {
    let factor = |net: &Net| {
        let (name, sign) = (scope.name(net.id()), FACTOR_BITS - net.width());
        if sign == 0 {
            name.to_owned()
        } else {
            format!("{{{{{sign}{{{name}[{}]}}}}, {name}}}", net.width() - 1)
        }
    };
    let (a, b) = (factor(&multiply.a), factor(&multiply.b));
    let (product, width) = (scope.name(multiply.product.id()), multiply.product.width());
    let mut text = String::new();
    line(&mut text, 1, &format!("wire [{}:0] dsp_product;", 2 * FACTOR_BITS - 1));
    line(
        &mut text,
        1,
        &format!("empf_mult18x18d dsp (.clock({clock}), .a_i({a}), .b_i({b}), .product_o(dsp_product));"),
    );
    line(&mut text, 1, &format!("always @* {product} = dsp_product[{}:0];", width - 1));
    text
}
