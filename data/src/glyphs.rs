//! A generated data set: ten glyphs drawn with a pen, bent, turned, moved and blurred by noise.

use crate::dataset::{Dataset, Split};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// Side of an image.
const SIDE: usize = 28;
const TRAIN: usize = 4000;
const TEST: usize = 1000;

type Point = (f32, f32);
type Strokes = &'static [&'static [Point]];

/// Pen strokes of each class in a square from (-1, -1), top left, to (1, 1).
const GLYPHS: [Strokes; 10] = [
    &[&[(-0.5, -0.8), (0.5, -0.8), (0.8, 0.0), (0.5, 0.8), (-0.5, 0.8), (-0.8, 0.0), (-0.5, -0.8)]],
    &[&[(-0.4, -0.4), (0.1, -0.9), (0.1, 0.9)], &[(-0.4, 0.9), (0.6, 0.9)]],
    &[&[(-0.7, -0.5), (-0.2, -0.9), (0.6, -0.6), (0.5, -0.1), (-0.7, 0.9), (0.8, 0.9)]],
    &[&[(-0.6, -0.9), (0.7, -0.9), (0.0, -0.1), (0.7, 0.3), (0.4, 0.9), (-0.6, 0.8)]],
    &[&[(0.3, 0.9), (0.3, -0.9), (-0.7, 0.3), (0.8, 0.3)]],
    &[&[(0.7, -0.9), (-0.6, -0.9), (-0.6, -0.1), (0.4, -0.2), (0.7, 0.4), (0.3, 0.9), (-0.6, 0.8)]],
    &[&[(0.5, -0.9), (-0.4, -0.3), (-0.6, 0.5), (0.0, 0.9), (0.6, 0.5), (0.2, 0.0), (-0.5, 0.2)]],
    &[&[(-0.7, -0.8), (0.7, -0.8), (-0.1, 0.9)], &[(-0.3, 0.1), (0.6, 0.1)]],
    &[&[(-0.7, -0.9), (0.7, 0.9)], &[(0.7, -0.9), (-0.7, 0.9)], &[(-0.7, -0.9), (0.7, -0.9)]],
    &[&[(-0.7, 0.9), (-0.7, -0.8), (0.0, 0.2), (0.7, -0.8), (0.7, 0.9)]],
];

/// 4000 training and 1000 test images of 28x28 codes, the same for the same `seed`.
pub fn glyphs(seed: u64) -> Split {
    Split { train: set(seed, 0, TRAIN), test: set(seed, 1, TEST) }
}

fn set(seed: u64, stream: u64, count: usize) -> Dataset {
    let mut rng = Pcg64::seed_from_u64(seed ^ (stream << 32) ^ 0x61f5);
    let labels: Vec<u16> = (0..count).map(|i| (i % GLYPHS.len()) as u16).collect();
    let pixels = labels.iter().flat_map(|label| draw(GLYPHS[usize::from(*label)], &mut rng)).collect();
    Dataset {
        channels: 1,
        height: SIDE,
        width: SIDE,
        frames: 1,
        classes: GLYPHS.len(),
        class_names: Default::default(),
        pixels,
        labels,
    }
}

/// One image: the strokes with bent corners under a random turn, scale, slant and shift, in ink of random
/// width and strength, with a stray stroke and noise on every pixel.
fn draw(strokes: Strokes, rng: &mut Pcg64) -> Vec<u8> {
    let centre = (SIDE - 1) as f32 / 2.0;
    let angle = rng.random_range(-0.45f32..0.45);
    let (sin, cos) = angle.sin_cos();
    let (wide, tall) = (rng.random_range(5.5f32..9.5), rng.random_range(6.5f32..10.0));
    let slant = rng.random_range(-0.25f32..0.25);
    let (dx, dy) = (rng.random_range(-3.5f32..3.5), rng.random_range(-3.0f32..3.0));
    let mut place = |(x, y): Point| {
        let (x, y) = (x + rng.random_range(-0.14..0.14), y + rng.random_range(-0.14..0.14));
        let (x, y) = ((x + slant * y) * wide, y * tall);
        (centre + cos * x - sin * y + dx, centre + sin * x + cos * y + dy)
    };
    let mut segments: Vec<(Point, Point)> = vec![];
    for stroke in strokes {
        let points: Vec<Point> = stroke.iter().map(|p| place(*p)).collect();
        segments.extend(points.windows(2).map(|p| (p[0], p[1])));
    }
    let side = SIDE as f32;
    let start = (rng.random_range(0.0..side), rng.random_range(0.0..side));
    let end = (start.0 + rng.random_range(-7.0..7.0), start.1 + rng.random_range(-7.0..7.0));
    segments.push((start, end));

    let (half_width, ink) = (rng.random_range(0.6f32..1.3), rng.random_range(110.0f32..230.0));
    let (paper, noise) = (rng.random_range(5.0f32..35.0), rng.random_range(12.0f32..40.0));
    (0..SIDE * SIDE)
        .map(|i| {
            let pixel = ((i % SIDE) as f32, (i / SIDE) as f32);
            let nearest = segments.iter().map(|s| distance(pixel, *s)).fold(f32::MAX, f32::min);
            let cover = (0.5 + half_width - nearest).clamp(0.0, 1.0);
            // The sum of three uniform numbers is close to normal, with a standard deviation of 1.
            let normal: f32 = (0..3).map(|_| rng.random_range(-1.0f32..1.0)).sum();
            (paper + ink * cover + noise * normal).round().clamp(0.0, 255.0) as u8
        })
        .collect()
}

fn distance((x, y): Point, ((ax, ay), (bx, by)): (Point, Point)) -> f32 {
    let (ux, uy) = (bx - ax, by - ay);
    let length = (ux * ux + uy * uy).max(1e-6);
    let along = (((x - ax) * ux + (y - ay) * uy) / length).clamp(0.0, 1.0);
    (x - ax - along * ux).hypot(y - ay - along * uy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_alone_decides() {
        let (a, b, c) = (set(1, 0, 20), set(1, 0, 20), set(2, 0, 20));
        assert_eq!(a, b);
        assert_ne!(a.pixels, c.pixels);
        assert_ne!(a.pixels, set(1, 1, 20).pixels);
    }

    #[test]
    fn distance_to_a_segment() {
        assert_eq!(distance((3.0, 4.0), ((0.0, 0.0), (-1.0, 0.0))), 5.0);
        assert_eq!(distance((0.5, 2.0), ((0.0, 0.0), (1.0, 0.0))), 2.0);
    }
}
