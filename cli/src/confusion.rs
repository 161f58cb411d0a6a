//! Which classes are taken for which.

use crate::picture::{Drawn, Picture};
use empf_ir::{ClassNames, counted};
use empf_trainer::runs::evaluate::Evaluation;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Least pixels around the matrix.
const MARGIN: i32 = 60;
/// Pixels of it that titles take.
const TITLES: i32 = 48;
/// Pixels between a class's name and its cells.
const GAP: i32 = 6;
/// Side of the matrix in pixels, about.
const SIDE: usize = 600;
/// Cells of fewer pixels show no number.
const NUMBERED: usize = 24;
/// Cells of fewer pixels have no names beside them.
const NAMED: usize = 9;
/// Most characters of a name that are shown.
const SHOWN: usize = 24;

/// A matrix of cells, the darker the larger the share of its class.
pub(crate) struct Confusion<'a> {
    pub(crate) evaluation: &'a Evaluation,
    /// What the classes are called.
    pub(crate) names: &'a ClassNames,
}

impl Confusion<'_> {
    fn classes(&self) -> usize {
        self.evaluation.confusion.len()
    }

    /// Side of a cell.
    fn cell(&self) -> usize {
        (SIDE / self.classes().max(1)).max(2)
    }

    /// Size of the font of names and numbers.
    fn font(&self) -> f64 {
        (self.cell() as f64 / 3.0).clamp(8.0, 14.0)
    }

    /// The name of `class`, cut where it is long.
    fn name(&self, class: usize) -> String {
        let name = self.names.name(class);
        match name.chars().count() > SHOWN {
            true => name.chars().take(SHOWN - 1).chain(['…']).collect(),
            false => name.into_owned(),
        }
    }

    /// Pixels around the matrix, in which the longest name has its place.
    fn margin(&self) -> i32 {
        let longest = (0..self.classes()).map(|class| self.name(class).chars().count()).max();
        let width = 0.6 * self.font() * longest.unwrap_or_default() as f64;
        MARGIN.max(TITLES + GAP + width as i32)
    }

    /// Numbers of one row of cells, whose upper left corner is at `(left, top)`.
    fn draw_row<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        row: &[usize],
        (left, top): (i32, i32),
    ) -> Drawn<B> {
        let cell = self.cell() as i32;
        let total = row.iter().sum::<usize>().max(1);
        for (answer, count) in row.iter().enumerate() {
            let corner = (left + answer as i32 * cell, top);
            let share = *count as f64 / total as f64;
            let shade = |end: f64| (255.0 + share * (end - 255.0)) as u8;
            let color = RGBColor(shade(8.0), shade(48.0), shade(107.0));
            area.draw(&Rectangle::new([corner, (corner.0 + cell, corner.1 + cell)], color.filled()))?;
            if self.cell() >= NUMBERED {
                let center = (corner.0 + cell / 2, corner.1 + cell / 2);
                let color = if share > 0.5 { &WHITE } else { &BLACK };
                area.draw(&Text::new(count.to_string(), center, style(self.font(), color)))?;
            }
        }
        Ok(())
    }
}

impl Picture for Confusion<'_> {
    fn size(&self) -> (u32, u32) {
        let side = (self.classes() * self.cell()) as u32 + 2 * self.margin() as u32;
        (side, side)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let (cell, margin) = (self.cell() as i32, self.margin());
        let middle = margin + cell * self.classes() as i32 / 2;
        let Evaluation { confusion } = self.evaluation;
        let title =
            format!("{} right of {}", self.evaluation.correct(), counted(self.evaluation.total(), "image"));
        area.draw(&Text::new(title, (middle, 15), style(18.0, &BLACK)))?;
        area.draw(&Text::new("answer", (middle, 33), style(14.0, &BLACK)))?;
        let up = |size| style(size, &BLACK).transform(FontTransform::Rotate270);
        area.draw(&Text::new("class", (20, middle), up(14.0)))?;
        for (class, row) in confusion.iter().enumerate() {
            let at = margin + class as i32 * cell;
            self.draw_row(area, row, (margin, at))?;
            if self.cell() >= NAMED {
                let (name, center, edge) = (self.name(class), at + cell / 2, margin - GAP);
                let beside = style(self.font(), &BLACK).pos(Pos::new(HPos::Right, VPos::Center));
                area.draw(&Text::new(name.clone(), (edge, center), beside))?;
                let above = up(self.font()).pos(Pos::new(HPos::Left, VPos::Center));
                area.draw(&Text::new(name, (center, edge), above))?;
            }
        }
        Ok(())
    }
}

/// Text around its middle.
fn style(size: f64, color: &RGBColor) -> TextStyle<'_> {
    TextStyle::from(("sans-serif", size).into_font()).color(color).pos(Pos::new(HPos::Center, VPos::Center))
}
