//! Heat maps of matrices, on a diverging scale centred at zero or a sequential one.
//!
//! A few cells are drawn as rectangles that show their value on hover; many are one picture with
//! one pixel per cell, and very many are averaged in blocks first.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::show::chart::axis::Axis;
use crate::show::chart::color_bar::{ColorBar, ColorScale, Colors, LEVELS};
use crate::show::chart::data::Data;
use crate::show::chart::figure::{ChartOptions, Figure};
use crate::show::chart::plot::{Plan, Plot, UNIT, nothing_to_draw};
use crate::show::chart::sheet::draw;
use crate::show::color::MISSING;
use crate::show::escaping::one_line;
use crate::show::number::{Mark, text_width};
use crate::show::{escape, format_number, png};

/// Maximum number of cells drawn as rectangles.
const MAX_RECTS: usize = 900;
/// Width of a cell when there are few.
const CELL_PX: f64 = 54.0;
/// Width of what is next to the cells: names of rows and the colour bar.
const BESIDE: f64 = 170.0;
/// With at most this many columns, names that do not fit are shortened.
const MAX_SHORTENED: usize = 24;
/// Longer names of columns and rows are truncated.
const MAX_NAME: usize = 18;
/// Maximum number of cells per side of a picture; more are averaged in blocks.
const MAX_SIDE: usize = 160;

/// A value, or `None` for an empty cell.
type Cell = Option<f64>;

/// Draws a matrix given by its rows, the first on top. `x_names` and `y_names` name
/// columns and rows; empty slices number them.
///
/// # Errors
/// When rows differ in length, the number of names differs from that of columns or rows, or no
/// value is finite. If only some are not finite, they are grey, and the caption gives their number.
pub fn heatmap(
    rows: &[Vec<f64>],
    x_names: &[String],
    y_names: &[String],
    scale: ColorScale,
    options: &ChartOptions,
) -> Result<Figure> {
    let cells = |row: &Vec<f64>| row.iter().copied().map(Some).collect();
    let rows: Vec<Vec<Cell>> = rows.iter().map(cells).collect();
    heatmap_with_gaps(&rows, x_names, y_names, scale, options)
}

/// Draws a matrix in which some cells have no value because of their meaning and are left empty; the
/// caption should explain why. Otherwise as [`heatmap`].
///
/// # Errors
/// As [`heatmap`].
pub fn heatmap_with_gaps(
    rows: &[Vec<Option<f64>>],
    x_names: &[String],
    y_names: &[String],
    scale: ColorScale,
    options: &ChartOptions,
) -> Result<Figure> {
    let n_cols = rows.first().map_or(0, Vec::len);
    check(rows, n_cols, x_names, y_names)?;
    let colors = Colors::new(values(rows), scale).ok_or_else(|| nothing_to_draw("heat map"))?;

    let few = rows.len() * n_cols <= MAX_RECTS;
    let mut options = options.clone();
    let mut wide = match options.width {
        0 => 520.0,
        width => (f64::from(width) - BESIDE).max(CELL_PX),
    };
    if few && options.width == 0 {
        // A few cells need not be stretched over the whole width.
        let names = x_names
            .iter()
            .map(|n| text_width(&one_line(n, MAX_NAME), 11.5) + 8.0);
        wide = names.fold(CELL_PX, f64::max) * n_cols as f64;
        // Titles are bold.
        let title = 1.1 * text_width(&options.title, 16.0) + 30.0;
        options.width = (BESIDE + wide).max(title).clamp(320.0, 680.0) as u32;
        wide = f64::from(options.width) - BESIDE;
    }
    let block = (rows.len().div_ceil(MAX_SIDE), n_cols.div_ceil(MAX_SIDE));
    if block.0.max(block.1) > 1 {
        let note = format!("Each pixel is the mean of {} × {} cells.", block.0, block.1);
        options = options.noted(&note);
    }
    let not_finite = values(rows).filter(|v| !v.is_finite()).count();
    if not_finite > 0 {
        let n = values(rows).count();
        options = options.noted(&format!(
            "Grey: NaN or infinite, {not_finite} of {n} cells."
        ));
    }
    let alt = format!(
        "Heat map: {}. {} rows, {n_cols} columns, values from {} to {}.",
        options.title,
        rows.len(),
        format_number(colors.least),
        format_number(colors.most)
    );
    let x = names_axis(x_names, n_cols, wide, 46.0, (0.0, n_cols as f64));
    let y = names_axis(y_names, rows.len(), 400.0, 15.0, (rows.len() as f64, 0.0));
    let bar = ColorBar::new(&colors, &options.z_label);
    let mut plan = Plan::new("heat map", &options, x, y, alt);
    plan.plot_height = if few {
        (34.0 * rows.len() as f64).clamp(90.0, 480.0)
    } else {
        (520.0 * rows.len() as f64 / n_cols as f64).clamp(90.0, 480.0)
    };
    plan.right = bar.pixels();
    plan.x_mesh = false;
    plan.y_mesh = false;
    let drawn = averaged(rows, block);
    plan.data = Data::Cells {
        x: names_of_blocks(x_names, n_cols, block.1),
        y: names_of_blocks(y_names, rows.len(), block.0),
        rows: drawn.clone(),
    };
    draw(plan, |plot| {
        if few {
            rects(plot, rows, x_names, y_names, &colors);
        } else {
            picture(plot, &drawn, &colors)?;
        }
        bar.draw(plot, &colors);
        Ok(())
    })
}

/// The values of all non-empty cells.
fn values(rows: &[Vec<Cell>]) -> impl Iterator<Item = f64> {
    rows.iter().flatten().copied().flatten()
}

fn check(rows: &[Vec<Cell>], n_cols: usize, x_names: &[String], y_names: &[String]) -> Result<()> {
    if let Some(row) = rows.iter().find(|row| row.len() != n_cols) {
        return Err(Error::shape("a row of the heat map", [n_cols], [row.len()]));
    }
    let fits = |names: &[String], n: usize| names.is_empty() || names.len() == n;
    if !fits(x_names, n_cols) {
        return Err(Error::shape("x_names", [n_cols], [x_names.len()]));
    }
    if !fits(y_names, rows.len()) {
        return Err(Error::shape("y_names", [rows.len()], [y_names.len()]));
    }
    Ok(())
}

/// An axis of `n` cells over `pixels`, with as many names or numbers as fit when
/// each needs `room` pixels.
fn names_axis(names: &[String], n: usize, pixels: f64, room: f64, (lo, hi): (f64, f64)) -> Axis {
    let name = |i: usize| match names.get(i) {
        Some(name) => one_line(name, MAX_NAME),
        None => i.to_string(),
    };
    let widest = |name: &dyn Fn(usize) -> String| {
        let widths = (0..n.min(names.len())).map(|i| text_width(&name(i), 11.5) + 6.0);
        widths.fold(0.0, f64::max)
    };
    // Names are side by side on the horizontal axis, one above the other on the vertical one.
    let horizontal = lo < hi;
    // A few names are shortened rather than omitted; each cell has its full names on hover.
    let cell = pixels / n.max(1) as f64;
    let longest = (0..n.min(names.len()))
        .map(|i| name(i).chars().count())
        .max();
    let shortened = |length: usize| move |i: usize| one_line(&name(i), length);
    let length = (3..longest.unwrap_or(3))
        .rev()
        .find(|length| horizontal && n <= MAX_SHORTENED && widest(&shortened(*length)) <= cell);
    let length = length.filter(|_| widest(&name) > cell).unwrap_or(MAX_NAME);
    let name = shortened(length);
    let widest = widest(&name);
    let room = if horizontal && !names.is_empty() {
        widest
    } else {
        room
    };
    let fit = (pixels / room).max(1.0);
    let stride = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
        .into_iter()
        .find(|stride| n as f64 / *stride as f64 <= fit)
        .unwrap_or(n.max(1));
    let marks = (0..n)
        .step_by(stride)
        .map(|i| Mark {
            at: i as f64 + 0.5,
            label: name(i),
        })
        .collect();
    Axis {
        lo,
        hi,
        log: false,
        marks,
    }
}

fn rects(
    plot: &mut Plot,
    rows: &[Vec<Cell>],
    x_names: &[String],
    y_names: &[String],
    colors: &Colors,
) {
    let name = |names: &[String], i: usize| match names.get(i) {
        Some(name) => one_line(name, 40),
        None => i.to_string(),
    };
    let mut out = String::from("<g shape-rendering=\"crispEdges\">");
    for (r, row) in rows.iter().enumerate() {
        for (c, value) in row.iter().enumerate() {
            let Some(value) = value else { continue };
            let (x0, y0) = plot.at(c as f64, r as f64);
            let (x1, y1) = plot.at(c as f64 + 1.0, r as f64 + 1.0);
            let fill = if value.is_finite() {
                colors.at(colors.place(*value))
            } else {
                MISSING
            };
            let _ = write!(
                out,
                "<rect x=\"{x0}\" y=\"{y0}\" width=\"{}\" height=\"{}\" fill=\"{}\">\
                 <title>{}, {}: {}</title></rect>",
                x1 - x0,
                y1 - y0,
                fill.hex(),
                escape(&name(y_names, r)),
                escape(&name(x_names, c)),
                format_number(*value)
            );
        }
    }
    out.push_str("</g>");
    plot.overlay.push_str(&out);
    values_in_cells(plot, rows, colors);
}

/// Writes the values into the cells if there is room for them.
fn values_in_cells(plot: &mut Plot, rows: &[Vec<Cell>], colors: &Colors) {
    let n_cols = rows[0].len();
    let [left, top, right, bottom] = plot.area;
    let wide = (right - left) / n_cols as f64 / UNIT;
    let high = (bottom - top) / rows.len() as f64 / UNIT;
    let whole = values(rows).all(|v| v.fract() == 0.0 || !v.is_finite());
    let largest = values(rows).filter(|v| v.is_finite());
    let largest = largest.fold(0.0, |m: f64, v| m.max(v.abs()));
    let decimals = decimals(largest);
    let text = |v: f64| {
        let text = if whole || v.abs() >= 100.0 {
            format!("{v:.0}")
        } else {
            format!("{v:.decimals$}")
        };
        match text.trim_start_matches(['-', '0', '.']).is_empty() {
            true => text.replace('-', ""),
            false => text.replace('-', "−"),
        }
    };
    let widest = values(rows).map(|v| text_width(&text(v), 11.0));
    if wide < widest.fold(0.0, f64::max) + 6.0 || high < 16.0 {
        return;
    }
    for (r, row) in rows.iter().enumerate() {
        for (c, value) in row.iter().enumerate() {
            let Some(value) = value else { continue };
            let fill = match value.is_finite() {
                true => colors.at(colors.place(*value)),
                false => MISSING,
            };
            let (x, y) = plot.at(c as f64 + 0.5, r as f64 + 0.5);
            let _ = write!(
                plot.overlay,
                "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" font-size=\"110\" \
                 pointer-events=\"none\" fill=\"{}\">{}</text>",
                y + 40,
                fill.ink().hex(),
                text(*value)
            );
        }
    }
}

/// Two decimals, or more if the largest value would not show two significant digits.
fn decimals(largest: f64) -> usize {
    match largest > 0.0 {
        true => (1.0 - largest.log10().floor()).clamp(2.0, 5.0) as usize,
        false => 2,
    }
}

/// The names of blocks of `block` rows or columns each: `0 to 6`; for single ones their own names.
fn names_of_blocks(names: &[String], n: usize, block: usize) -> Vec<String> {
    if block < 2 {
        return names.to_vec();
    }
    let name = |i: usize| names.get(i).cloned().unwrap_or_else(|| i.to_string());
    let last = |first: usize| (first + block).min(n) - 1;
    let firsts = (0..n).step_by(block);
    firsts
        .map(|first| format!("{} to {}", name(first), name(last(first))))
        .collect()
}

/// The means of blocks of `(rows, columns)` cells, over their non-empty cells.
fn averaged(rows: &[Vec<Cell>], block: (usize, usize)) -> Vec<Vec<Cell>> {
    let n_cols = rows[0].len();
    rows.chunks(block.0)
        .map(|group| {
            (0..n_cols)
                .step_by(block.1)
                .map(|c| {
                    let end = (c + block.1).min(n_cols);
                    let cells = group.iter().flat_map(|row| row[c..end].iter().flatten());
                    let n = cells.clone().count();
                    (n > 0).then(|| cells.sum::<f64>() / n as f64)
                })
                .collect()
        })
        .collect()
}

fn picture(plot: &mut Plot, rows: &[Vec<Cell>], colors: &Colors) -> Result<()> {
    let pixels: Vec<u8> = rows
        .iter()
        .flatten()
        .map(|value| match value {
            Some(value) if value.is_finite() => {
                let level = colors.place(*value).clamp(0.0, 1.0) * (LEVELS - 1) as f64;
                level.round() as u8
            }
            Some(_) => LEVELS as u8,
            None => LEVELS as u8 + 1,
        })
        .collect();
    let [left, top, right, bottom] = plot.area;
    let uri = png::data_uri(rows[0].len(), &colors.palette(), &pixels)?;
    let _ = write!(
        plot.overlay,
        "<image x=\"{left:.0}\" y=\"{top:.0}\" width=\"{:.0}\" height=\"{:.0}\" \
         preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"{uri}\"/>",
        right - left,
        bottom - top,
    );
    Ok(())
}

#[cfg(test)]
mod tests;
