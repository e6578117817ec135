//! The sheet that every chart is drawn on: card, title, legend, axes, caption.
//!
//! plotters only places whole pixels, so it draws at ten units per pixel and the
//! picture's viewBox scales it back; elements that plotters lacks (many dots,
//! hover texts, haloed labels) are written as SVG into an overlay.

use plotters::coord::Shift;
use plotters::prelude::{ChartBuilder, DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::axis::Axis;
use super::data::metadata;
use super::figure::{ChartOptions, Figure};
use super::plot::{Plan, Plot, Plotters, TICK_PX, UNIT, draw_error};
use super::reference::references;
use crate::error::Result;
use crate::show::color::Rgb;
use crate::show::escaping::{escape, one_line};
use crate::show::html::{CARD_FILL, CARD_STROKE, INK};
use crate::show::number::{text_width, wrap};

/// Default width of a chart, in pixels.
const WIDTH: u32 = 680;
const TITLE_PX: f64 = 15.0;
const LABEL_PX: f64 = 12.5;
const TITLE_LINE: f64 = 20.0;
const MAX_TITLE_LINES: usize = 3;
/// Bold letters are wider by this factor.
const BOLDER: f64 = 1.06;
const PAD: f64 = 12.0;

/// The layout of a sheet, in pixels.
struct Layout {
    width: f64,
    height: f64,
    title: Vec<String>,
    legend_rows: Vec<Vec<(String, Rgb, f64)>>,
    caption: Vec<String>,
    left: f64,
    top: f64,
    bottom: f64,
    right: f64,
}

impl Layout {
    fn new(plan: &Plan) -> Self {
        let options = plan.options;
        let width = width_of(options);
        let x_label = if options.x_label.is_empty() {
            0.0
        } else {
            LABEL_PX + 8.0
        };
        let legend_rows = legend_rows(&plan.legend, width - 2.0 * PAD);
        let caption = wrap(&options.caption, LABEL_PX, width - 2.0 * PAD);
        let mut title = wrap(&options.title, TITLE_PX * BOLDER, width - 2.0 * PAD);
        title.truncate(MAX_TITLE_LINES);
        let titles = if title.is_empty() {
            0.0
        } else {
            4.0 + TITLE_LINE * title.len() as f64
        };
        let top = PAD + titles + 20.0 * legend_rows.len() as f64 + plan.panel + 4.0;
        let captions = if caption.is_empty() {
            0.0
        } else {
            8.0 + 17.0 * caption.len() as f64
        };
        let bottom = PAD + captions + x_label + TICK_PX + 8.0;
        // Half of the last tick's label hangs over the right end of its axis.
        let overhang = plan
            .x
            .marks
            .last()
            .map_or(0.0, |m| text_width(&m.label, TICK_PX) / 2.0);
        let height = if options.height == 0 {
            top + bottom + plan.plot_height
        } else {
            f64::from(options.height.min(8_000)).max(top + bottom + 60.0)
        };
        Self {
            width,
            height: height.round(),
            title,
            legend_rows,
            caption,
            left: left_of(&plan.y, options).max(plan.left),
            top,
            bottom,
            right: (PAD + plan.right).max(PAD + overhang),
        }
    }

    /// The drawing area in drawing units: left, top, right, bottom.
    fn area(&self) -> [f64; 4] {
        [
            self.left,
            self.top,
            self.width - self.right,
            self.height - self.bottom,
        ]
        .map(|pixels| pixels * UNIT)
    }
}

/// Width of the whole chart in pixels.
fn width_of(options: &ChartOptions) -> f64 {
    f64::from(match options.width {
        0 => WIDTH,
        width => width.clamp(240, 4_000),
    })
}

/// Pixels of the vertical axis with its ticks and its label.
pub(super) fn left_of(y: &Axis, options: &ChartOptions) -> f64 {
    let ticks = y.marks.iter().map(|m| text_width(&m.label, TICK_PX));
    let ticks = ticks.fold(0.0, f64::max).min(width_of(options) * 0.4);
    let label = match options.y_label.is_empty() {
        true => 0.0,
        false => LABEL_PX + 8.0,
    };
    PAD + label + ticks + 12.0
}

/// About how many letters of a label fit into `pixels`.
fn room(pixels: f64) -> usize {
    (pixels / (LABEL_PX * 0.58)) as usize
}

/// The legend's entries in rows that fit, each with its offset from the left.
fn legend_rows(legend: &[(String, Rgb)], width: f64) -> Vec<Vec<(String, Rgb, f64)>> {
    let mut rows: Vec<Vec<(String, Rgb, f64)>> = Vec::new();
    let mut x = width;
    for (name, color) in legend {
        let name = one_line(name, 40);
        let wide = text_width(&name, LABEL_PX) + 34.0;
        if x + wide > width || rows.is_empty() {
            rows.push(Vec::new());
            x = 0.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((name, *color, x));
        }
        x += wide;
    }
    rows
}

/// Draws a chart: the sheet, then what `body` adds.
pub(super) fn draw<F>(plan: Plan, body: F) -> Result<Figure>
where
    F: for<'p, 'a, 'b> FnOnce(&mut Plot<'p, 'a, 'b>) -> Result<()>,
{
    let layout = Layout::new(&plan);
    let kind = plan.kind;
    let mut svg = String::new();
    let area = layout.area();
    let overlay = {
        let size = ((layout.width * UNIT) as u32, (layout.height * UNIT) as u32);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        sheet_texts(&root, &plan, &layout).map_err(|e| draw_error(kind, e))?;
        let mut chart = ChartBuilder::on(&root)
            .margin_top(layout.top * UNIT)
            .margin_right(layout.right * UNIT)
            .x_label_area_size(layout.bottom * UNIT)
            .y_label_area_size(layout.left * UNIT)
            .build_cartesian_2d(plan.x.clone(), plan.y.clone())
            .map_err(|e| draw_error(kind, e))?;
        mesh(&mut chart, &plan).map_err(|e| draw_error(kind, e))?;
        let mut plot = Plot {
            chart: &mut chart,
            overlay: String::new(),
            area,
            kind,
        };
        body(&mut plot)?;
        references(&mut plot, &plan);
        let overlay = plot.overlay;
        drop(chart);
        root.present().map_err(|e| draw_error(kind, e))?;
        let (x, y) = (
            (&plan.x, plan.x_name.as_deref()),
            (&plan.y, plan.y_name.as_deref()),
        );
        overlay + &metadata(&plan.data, x, y, &plan.options.z_label, area)
    };
    Ok(Figure {
        svg: finish(&svg, &overlay, &layout, &plan.alt),
        alt: plan.alt,
        title: plan.options.title.clone(),
    })
}

/// Axes, ticks and the lines between them.
fn mesh(chart: &mut Plotters, plan: &Plan) -> Result<(), Box<dyn std::error::Error>> {
    let thin = |color: RGBColor| ShapeStyle {
        color: color.into(),
        filled: false,
        stroke_width: 10,
    };
    let mut mesh = chart.configure_mesh();
    mesh.label_style(text_style(TICK_PX, FAINT_COLOR))
        .bold_line_style(thin(GRID_COLOR))
        .axis_style(thin(AXIS_COLOR))
        .set_all_tick_mark_size(35);
    if !plan.x_mesh {
        mesh.disable_x_mesh();
    }
    if !plan.y_mesh {
        mesh.disable_y_mesh();
    }
    if plan.x.marks.is_empty() {
        mesh.disable_x_axis();
    }
    Ok(mesh.draw()?)
}

const INK_COLOR: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const FAINT_COLOR: RGBColor = RGBColor(0x57, 0x60, 0x6a);
const GRID_COLOR: RGBColor = RGBColor(0xe7, 0xe7, 0xe4);
const AXIS_COLOR: RGBColor = RGBColor(0x9a, 0xa0, 0xa6);

/// A text style whose size in the SVG is `px` pixels; plotters divides by 1.24.
fn text_style(px: f64, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", px * UNIT * 1.24).into_font().color(&color)
}

type Root<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Title, legend, axis labels, caption.
fn sheet_texts(
    root: &Root,
    plan: &Plan,
    layout: &Layout,
) -> Result<(), Box<dyn std::error::Error>> {
    use plotters::element::Rectangle;
    use plotters::style::{Color, FontStyle, FontTransform};
    let unit = |px: f64| (px * UNIT).round() as i32;
    let options = plan.options;
    let left = Pos::new(HPos::Left, VPos::Center);
    let center = Pos::new(HPos::Center, VPos::Center);
    let mut y = PAD + TITLE_PX / 2.0;
    let bold = ("sans-serif", TITLE_PX * UNIT * 1.24).into_font();
    let bold = bold.style(FontStyle::Bold).color(&INK_COLOR).pos(left);
    for line in &layout.title {
        root.draw_text(&one_line(line, 200), &bold, (unit(PAD), unit(y)))?;
        y += TITLE_LINE;
    }
    y += 4.0;
    for row in &layout.legend_rows {
        for (name, color, x) in row {
            let x = PAD + x;
            let fill = RGBColor(color.0, color.1, color.2).filled();
            let corners = [(unit(x), unit(y - 5.0)), (unit(x + 14.0), unit(y + 5.0))];
            root.draw(&Rectangle::new(corners, fill))?;
            let style = text_style(LABEL_PX, INK_COLOR).pos(left);
            root.draw_text(name, &style, (unit(x + 19.0), unit(y)))?;
        }
        y += 20.0;
    }
    let label = text_style(LABEL_PX, INK_COLOR).pos(center);
    let plot_bottom = layout.height - layout.bottom;
    if !options.x_label.is_empty() {
        let x = (layout.left + layout.width - layout.right) / 2.0;
        let y = plot_bottom + 10.0 + TICK_PX + 4.0 + LABEL_PX / 2.0;
        root.draw_text(
            &one_line(&options.x_label, room(layout.width)),
            &label,
            (unit(x), unit(y)),
        )?;
    }
    if !options.y_label.is_empty() {
        let y = (layout.top + plot_bottom) / 2.0;
        let style = label.transform(FontTransform::Rotate270);
        let x = PAD + LABEL_PX / 2.0;
        root.draw_text(
            &one_line(&options.y_label, room(plot_bottom - layout.top)),
            &style,
            (unit(x), unit(y)),
        )?;
    }
    let style = text_style(LABEL_PX, FAINT_COLOR).pos(left);
    let mut y = layout.height - PAD - 17.0 * layout.caption.len() as f64 + 8.5;
    for line in &layout.caption {
        root.draw_text(&one_line(line, 400), &style, (unit(PAD), unit(y)))?;
        y += 17.0;
    }
    Ok(())
}

/// plotters' SVG with our header, card and overlay, without redundant attributes.
fn finish(svg: &str, overlay: &str, layout: &Layout, alt: &str) -> String {
    let (width, height) = (layout.width, layout.height);
    let (view_width, view_height) = (width * UNIT, height * UNIT);
    let content = svg
        .split_once('>')
        .map_or("", |(_, content)| content)
        .trim_end()
        .trim_end_matches("</svg>");
    let content = content
        .replace(">\n", ">")
        .replace("\n</text>", "</text>")
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" stroke=\"none\"", "");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {view_width} {view_height}\" role=\"img\" aria-label=\"{}\" \
         font-family=\"system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif\" \
         fill=\"{INK}\" style=\"max-width:100%;height:auto;color-scheme:light\">\
         <rect x=\"5\" y=\"5\" width=\"{}\" height=\"{}\" rx=\"80\" fill=\"{CARD_FILL}\" \
         stroke=\"{CARD_STROKE}\" stroke-width=\"10\"/>{content}{overlay}</svg>",
        escape(alt),
        view_width - 10.0,
        view_height - 10.0,
    )
}
