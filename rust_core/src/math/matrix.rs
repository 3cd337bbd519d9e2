//! Matrices that a stream multiplies by, laid out to be read in one go.

use pulp::{Arch, Simd, WithSimd};

/// Rows that lie side by side.
const TILE: usize = 32;
/// Vectors that are multiplied together, and the rows that then are summed side by side: as many
/// sums as fit into registers.
const TOGETHER: usize = 4;
const ROWS_OF_MANY: usize = 16;
/// Of a half float moved to a place in a single one: the bits of sign, exponent and fraction.
const HALF_BITS: u32 = 0x8fff_e000;
/// Its exponent then counts from another zero: the value is too small by this power of two.
const HALF_SHORT: i32 = 112;
/// Exponent of the largest weight of a matrix in half floats: the small ones stay normal so.
const LARGEST_EXPONENT: i32 = 15;

/// `weight * x + bias`.
///
/// ```text
///   weight [rows, columns]  ─▶  tiles of 32 rows, each column by column: [tiles, columns, 32]
/// ```
///
/// Each row is summed from its first column to its last, without fused steps, so that every
/// processor gives the same numbers, one vector at a time or several. Weights that half floats hold
/// exactly, as those of a weights file, are kept as such: the fewer bytes are read, the faster.
pub struct Linear {
    tiles: Tiles,
    bias: Vec<f32>,
    columns: usize,
    arch: Arch,
}

enum Tiles {
    /// Bits of half floats, and what a product of theirs is too small by.
    Half(Vec<i16>, f32),
    Single(Vec<f32>),
}

impl Linear {
    /// `weight` holds as many whole rows as `bias` holds numbers, `[rows, columns]`.
    pub fn new(weight: &[f32], bias: &[f32]) -> Self {
        let columns = weight.len() / bias.len().max(1);
        let single = tiled(weight, bias.len(), columns);
        Self {
            tiles: halves(&single).unwrap_or(Tiles::Single(single)),
            bias: bias.to_vec(),
            columns,
            arch: Arch::new(),
        }
    }

    /// Writes the product of each vector of `x` `[n, columns]` to `y` `[n, rows]`.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        for y in y.chunks_exact_mut(self.bias.len()) {
            y.copy_from_slice(&self.bias);
        }
        self.multiply(x, y);
    }

    /// Adds the product of each vector of `x` `[n, columns]` to `y` `[n, rows]`.
    pub fn add(&self, x: &[f32], y: &mut [f32]) {
        for y in y.chunks_exact_mut(self.bias.len()) {
            for (y, bias) in y.iter_mut().zip(&self.bias) {
                *y += bias;
            }
        }
        self.multiply(x, y);
    }

    fn multiply(&self, x: &[f32], y: &mut [f32]) {
        let (columns, rows) = (self.columns, self.bias.len());
        let (some, others) = (TOGETHER * columns, TOGETHER * rows);
        let whole = x.len() / some.max(1);
        let (many, few) = x.split_at(whole * some);
        let (y_many, y_few) = y.split_at_mut(whole * others);
        for (x, y) in many.chunks_exact(some).zip(y_many.chunks_exact_mut(others)) {
            self.product::<ROWS_OF_MANY, TOGETHER>(x, y);
        }
        for (x, y) in few.chunks_exact(columns).zip(y_few.chunks_exact_mut(rows)) {
            self.product::<TILE, 1>(x, y);
        }
    }

    /// Of `N` vectors.
    fn product<const ROWS: usize, const N: usize>(&self, x: &[f32], y: &mut [f32]) {
        let (columns, rows) = (self.columns, self.bias.len());
        match &self.tiles {
            Tiles::Half(tiles, scale) => self.arch.dispatch(Product::<_, ROWS, N> {
                tiles,
                scale: *scale,
                x,
                y,
                columns,
                rows,
            }),
            Tiles::Single(tiles) => self.arch.dispatch(Product::<_, ROWS, N> {
                tiles,
                scale: 1.0,
                x,
                y,
                columns,
                rows,
            }),
        }
    }
}

fn tiled(weight: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut tiles = vec![0.0; rows.div_ceil(TILE) * TILE * columns];
    for (row, numbers) in weight.chunks_exact(columns.max(1)).enumerate() {
        let tile = &mut tiles[row / TILE * TILE * columns..];
        for (column, number) in numbers.iter().enumerate() {
            tile[column * TILE + row % TILE] = *number;
        }
    }
    tiles
}

/// The same numbers as half floats, times a power of two; `None` unless all are exactly that.
fn halves(numbers: &[f32]) -> Option<Tiles> {
    let largest = numbers.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    if !largest.is_normal() {
        return None;
    }
    let up = LARGEST_EXPONENT - exponent(largest);
    let bits = |x: &f32| half_bits(*x, up);
    let bits = numbers.iter().map(bits).collect::<Option<_>>()?;
    // The scale of what is multiplied by them must be a number.
    let scale = HALF_SHORT - up;
    (-126..=127)
        .contains(&scale)
        .then(|| Tiles::Half(bits, 2f32.powi(scale)))
}

fn exponent(x: f32) -> i32 {
    ((x.to_bits() >> 23) & 0xff) as i32 - 127
}

/// Bits of the half float that is `x * 2^up`, where there is one, and it is normal or zero.
fn half_bits(x: f32, up: i32) -> Option<i16> {
    let sign = (x.to_bits() >> 16 & 0x8000) as u16;
    if x == 0.0 {
        return Some(sign as i16);
    }
    let (exponent, fraction) = (exponent(x) + up + 15, x.to_bits() & 0x7f_ffff);
    let exact = x.is_normal() && (1..31).contains(&exponent) && fraction & 0x1fff == 0;
    exact.then_some((sign | (exponent as u16) << 10 | (fraction >> 13) as u16) as i16)
}

/// A weight as it lies in memory.
trait Weight: Copy {
    fn value(self) -> f32;
}

impl Weight for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }
}

impl Weight for i16 {
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from_bits((i32::from(self) << 13) as u32 & HALF_BITS)
    }
}

/// Products of `N` vectors, `ROWS` rows at a time, for the processor at hand. A closure would not
/// do: it is called, not inlined, and so compiled for the plainest processor.
struct Product<'a, W, const ROWS: usize, const N: usize> {
    tiles: &'a [W],
    scale: f32,
    x: &'a [f32],
    y: &'a mut [f32],
    columns: usize,
    rows: usize,
}

impl<W: Weight, const ROWS: usize, const N: usize> WithSimd for Product<'_, W, ROWS, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { columns, rows, .. } = self;
        let mut vectors = self.x.chunks_exact(columns.max(1));
        let x: [&[f32]; N] = core::array::from_fn(|_| vectors.next().unwrap_or_default());
        let tiles = self.tiles.chunks_exact((TILE * columns).max(1));
        for (index, tile) in tiles.enumerate() {
            for first in (0..TILE).step_by(ROWS) {
                let from = index * TILE + first;
                let to = (from + ROWS).min(rows);
                let sums = sums::<W, ROWS, N>(tile, first, x, self.scale);
                for (sums, y) in sums.iter().zip(self.y.chunks_exact_mut(rows)) {
                    let y = y.get_mut(from..to).unwrap_or_default();
                    for (y, sum) in y.iter_mut().zip(sums) {
                        *y += sum;
                    }
                }
            }
        }
    }
}

/// Of the rows from `first` on of one tile.
#[inline(always)]
fn sums<W: Weight, const ROWS: usize, const N: usize>(
    tile: &[W],
    first: usize,
    x: [&[f32]; N],
    scale: f32,
) -> [[f32; ROWS]; N] {
    let mut sums = [[0.0f32; ROWS]; N];
    for (column, weights) in tile.chunks_exact(TILE).enumerate() {
        let mut values = [0.0f32; ROWS];
        for (value, weight) in values.iter_mut().zip(&weights[first..first + ROWS]) {
            *value = weight.value();
        }
        for (sums, x) in sums.iter_mut().zip(x) {
            let x = x[column] * scale;
            for (sum, value) in sums.iter_mut().zip(&values) {
                *sum += value * x;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_are_kept_as_such_and_nothing_else_is() {
        let smallest = 2f32.powi(-24);
        for numbers in [
            [1.0, -0.5, 0.0],
            [65_504.0, 1.0, -0.0],
            [0.25, 1023.0 * smallest, smallest],
        ] {
            let Some(Tiles::Half(bits, scale)) = halves(&numbers) else {
                unreachable!("{numbers:?} are half floats")
            };
            let back: Vec<f32> = bits.iter().map(|b| b.value() * scale).collect();
            assert_eq!(back, numbers);
        }
        for numbers in [
            [1.0, 0.1, 0.0],
            [0.0; 3],
            [1.0, f32::NAN, 0.0],
            [1.0, 2f32.powi(-40), 0.0],
        ] {
            assert!(halves(&numbers).is_none(), "{numbers:?}");
        }
    }
}
