//! Several figures in one, one below the other, each with its own axes.
//! A nested `<svg>` keeps the coordinates of its own viewBox.

use crate::error::Result;
use crate::show::chart::figure::Figure;
use crate::show::chart::plot::nothing_to_draw;
use crate::show::escaping::escape;

/// Combines figures into one picture, one below the other: panels of quantities with different units,
/// which cannot share an axis.
///
/// ```
/// use holoscope::show::{ChartOptions, Trace, line_chart, stacked};
/// let panel = |name: &str, unit: &str| {
///     let trace = Trace::from_steps(name, &[(0, 1.0), (9, 2.0)]);
///     line_chart(&[trace], &ChartOptions::new(name, "step", unit))
/// };
/// let both = stacked(&[panel("loss", "nats")?, panel("speed", "tokens/s")?], "A run")?;
/// assert_eq!(both.svg.matches("<svg").count(), 3);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// No figure, or one whose SVG has no size.
pub fn stacked(figures: &[Figure], title: &str) -> Result<Figure> {
    let nothing = || nothing_to_draw("stack of figures");
    let (mut width, mut height) = (0.0_f64, 0.0);
    let mut panels = String::new();
    for figure in figures {
        let (tag, content) = figure.svg.split_once('>').ok_or_else(nothing)?;
        let size = |name: &str| attribute(tag, name)?.parse::<f64>().ok();
        let (Some(w), Some(h)) = (size("width"), size("height")) else {
            return Err(nothing());
        };
        let view = attribute(tag, "viewBox").ok_or_else(nothing)?;
        panels.push_str(&format!(
            "<svg y=\"{height}\" width=\"{w}\" height=\"{h}\" viewBox=\"{view}\">{content}"
        ));
        (width, height) = (width.max(w), height + h);
    }
    if figures.is_empty() {
        return Err(nothing());
    }
    let alts: Vec<&str> = figures.iter().map(|figure| figure.alt.as_str()).collect();
    let alt = format!("{title}. {}", alts.join(" "));
    // Fonts and inks are those of the first figure's outer element.
    let style = figures[0].svg.split_once('>').map_or("", |(tag, _)| tag);
    let inherited: String = ["font-family", "fill", "style"]
        .iter()
        .filter_map(|name| Some(format!(" {name}=\"{}\"", attribute(style, name)?)))
        .collect();
    Ok(Figure {
        svg: format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\"{inherited}>{panels}</svg>",
            escape(&alt)
        ),
        alt,
        title: title.to_owned(),
    })
}

/// The value of an attribute in a tag's text.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::{ChartOptions, Trace, line_chart};

    fn panel(height: u32) -> Figure {
        let options = ChartOptions {
            height,
            ..ChartOptions::new("Loss > 0", "step", "nats")
        };
        line_chart(
            &[Trace::from_steps("loss", &[(0, 1.0), (9, 2.0)])],
            &options,
        )
        .unwrap()
    }

    #[test]
    fn heights_add_and_panels_keep_their_own_coordinates() {
        let figures = [panel(300), panel(200)];
        let found = stacked(&figures, "A <run>").unwrap();
        assert_eq!(found.svg.matches("<svg").count(), 3);
        assert_eq!(found.svg.matches("</svg>").count(), 3);
        assert!(
            found.svg.contains("height=\"500\" viewBox=\"0 0 680 500\""),
            "{}",
            found.svg
        );
        assert!(
            found
                .svg
                .contains("<svg y=\"300\" width=\"680\" height=\"200\" viewBox=\"0 0 6800 2000\">")
        );
        assert!(found.svg.contains("A &lt;run&gt;"));
        assert!(found.alt.contains("A <run>. Line chart: Loss > 0."));
    }

    #[test]
    fn nothing_to_stack_is_an_error() {
        assert!(stacked(&[], "none").is_err());
        let broken = Figure {
            svg: "<svg></svg>".to_owned(),
            ..panel(200)
        };
        assert!(stacked(&[broken], "none").is_err());
    }
}
