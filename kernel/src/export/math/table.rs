//! Matrices and aligned equations. MathML Core leaves columns, lines and gaps to
//! CSS; the lengths are those of KaTeX's `buildHTML` for arrays.

use super::builders::{element, length};
use katex::KatexContext;
use katex::build_mathml::{build_expression, build_group};
use katex::mathml_tree::{MathDomNode, MathNode, MathNodeType};
use katex::options::Options;
use katex::parser::parse_node::{
    AlignSpec, ColSeparationType, ParseNode, ParseNodeArray, ParseNodeArrayTag,
};
use katex::types::ParseError;

/// Half of the space between two columns (`\arraycolsep`), in em.
const COLUMN_GAP: f64 = 0.5;
/// The same for `smallmatrix`.
const SMALL_GAP: f64 = 0.2778;
/// Distance between two baselines, in em.
const BASELINES: f64 = 1.2;
/// Additional space between the rows of aligned equations (`\jot`), in em.
const JOT: f64 = 0.3;
/// The relative size of letters in a small array.
const SMALL: f64 = 0.7;

/// The layout of a column's cells.
struct Column {
    align: &'static str,
    left: f64,
    right: f64,
    /// The style of the lines before it, single or double.
    line: Option<&'static str>,
    /// The same after it, for the last column.
    last_line: Option<&'static str>,
}

pub fn build(
    node: &ParseNode,
    options: &Options,
    context: &KatexContext,
) -> Result<MathDomNode, ParseError> {
    let ParseNode::Array(array) = node else {
        return Ok(element(MathNodeType::Mrow, Vec::new()).into());
    };
    let widest = array.body.iter().map(Vec::len).max().unwrap_or(0);
    let columns = columns(array, widest);
    let mut body = array.body.as_slice();
    // KaTeX ends a diagram with a row of vertical arrows even if there are none.
    while array.is_cd == Some(true) && body.last().is_some_and(|row| row.iter().all(is_empty)) {
        body = &body[..body.len() - 1];
    }
    let mut rows = Vec::with_capacity(body.len());
    for (i, cells) in body.iter().enumerate() {
        let mut row = Vec::with_capacity(cells.len() + 1);
        // Rows may be short, but lines extend through all of them.
        for (j, column) in columns.iter().enumerate() {
            let mut content = Vec::new();
            if j == 0 {
                content.push(strut(array));
            }
            if let Some(cell) = cells.get(j) {
                content.push(build_group(context, cell, options)?);
            }
            let mut td = element(MathNodeType::Mtd, content);
            let last = i + 1 == body.len();
            td.set_attribute(
                "x-style",
                style(array, (i, last), column, options, context)?,
            );
            row.push(td.into());
        }
        let mut tr = MathNode::with_children(MathNodeType::Mtr, row);
        if let Some(tags) = &array.tags {
            tr.set_attribute("x-equation", "true");
            if let Some(ParseNodeArrayTag::Nodes(tag)) = tags.get(i) {
                let mut td = element(
                    MathNodeType::Mtd,
                    build_expression(context, tag, options, None)?,
                );
                td.set_attribute("x-tag", "true");
                tr.add_child(td.into());
            }
        }
        rows.push(tr.into());
    }
    let table = element(MathNodeType::Mtable, rows);
    if array.arraystretch < 1.0 {
        let mut small = element(MathNodeType::Mstyle, vec![table.into()]);
        small.set_attribute("scriptlevel", "1");
        return Ok(element(MathNodeType::Mrow, vec![small.into()]).into());
    }
    Ok(table.into())
}

fn is_empty(cell: &ParseNode) -> bool {
    match cell {
        ParseNode::OrdGroup(group) => group.body.iter().all(is_empty),
        ParseNode::Styling(styling) => styling.body.iter().all(is_empty),
        _ => false,
    }
}

fn columns(array: &ParseNodeArray, widest: usize) -> Vec<Column> {
    let gap = match array.col_separation_type {
        Some(ColSeparationType::Small) => SMALL_GAP,
        _ => COLUMN_GAP,
    };
    let mut columns: Vec<Column> = Vec::new();
    let mut line = None;
    for spec in array.cols.iter().flatten() {
        match spec {
            AlignSpec::Separator { separator } => {
                line = Some(match (line, separator.as_str()) {
                    (Some(_), _) => "3px double",
                    (None, ":") => "1px dashed",
                    (None, _) => "1px solid",
                });
            }
            // Columns without cells take no room.
            AlignSpec::Align { .. } if columns.len() == widest => {}
            AlignSpec::Align {
                align,
                pregap,
                postgap,
            } => columns.push(Column {
                align: match align.as_str() {
                    "l" => "left",
                    "r" => "right",
                    _ => "center",
                },
                left: pregap.unwrap_or(gap),
                right: postgap.unwrap_or(gap),
                line: line.take(),
                last_line: None,
            }),
        }
    }
    while columns.len() < widest {
        columns.push(Column {
            align: "center",
            left: gap,
            right: gap,
            line: None,
            last_line: None,
        });
    }
    let outer = array.hskip_before_and_after == Some(true);
    if let Some(first) = columns.first_mut()
        && !outer
        && first.line.is_none()
    {
        first.left = 0.0;
    }
    if let Some(last) = columns.last_mut() {
        last.last_line = line;
        if !outer && line.is_none() {
            last.right = 0.0;
        }
    }
    columns
}

/// Chromium treats a cell's content as a block, which only its own values align.
pub fn alignment(align: &str) -> String {
    format!("text-align:{align};text-align:-webkit-{align}")
}

/// A strut: no width, but the height and depth of a row of letters.
fn strut(array: &ParseNodeArray) -> MathDomNode {
    let mut skip = BASELINES * array.arraystretch;
    if array.arraystretch < 1.0 {
        skip /= SMALL;
    }
    let mut strut = element(MathNodeType::Mspace, Vec::new());
    strut.set_attribute("height", length(0.7 * skip));
    strut.set_attribute("depth", length(0.3 * skip));
    strut.into()
}

fn style(
    array: &ParseNodeArray,
    (i, last): (usize, bool),
    column: &Column,
    options: &Options,
    context: &KatexContext,
) -> Result<String, ParseError> {
    let mut below = match array.row_gaps.get(i) {
        Some(Some(gap)) if !last => context.calculate_size(gap, options)?.max(0.0),
        _ => 0.0,
    };
    if array.add_jot == Some(true) && !last {
        below += JOT;
    }
    let mut style = format!(
        "{};padding:0 {} {} {}",
        alignment(column.align),
        length(column.right),
        length(below),
        length(column.left),
    );
    let mut border = |side: &str, line: &str| {
        style.push_str(&format!(";border-{side}:{line}"));
    };
    if let Some(line) = column.line {
        border("left", line);
    }
    if let Some(line) = column.last_line {
        border("right", line);
    }
    let horizontal = |at: usize| -> Option<&'static str> {
        let lines = array.h_lines_before_row.get(at)?;
        Some(match lines.as_slice() {
            [] => return None,
            [true, ..] => "1px dashed",
            [false] => "1px solid",
            _ => "3px double",
        })
    };
    if let Some(line) = horizontal(i) {
        border("top", line);
    }
    if last && let Some(line) = horizontal(i + 1) {
        border("bottom", line);
    }
    Ok(style)
}
