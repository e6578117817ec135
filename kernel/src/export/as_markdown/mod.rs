//! The page as Markdown for GitHub and Quarto: references show their numbers, computed values are filled in, formulas
//! are LaTeX, and pictures are separate files.
//! Source: GitHub Flavored Markdown Spec 0.29; GitHub Docs, "Basic writing and formatting syntax" (alerts, formulas).

mod blocks;
mod inlines;
mod nodes;
mod pictures;
mod tables;
mod words;

use super::dom;
use blocks::Blocks;
use nodes::{find, targets};
use pictures::Pictures;

/// A Markdown document with its pictures.
#[derive(Debug, PartialEq, Eq)]
pub struct MarkdownFile {
    pub text: String,
    /// Pictures by name; the text refers to them in the given folder.
    pub pictures: Vec<(String, Vec<u8>)>,
}

/// Converts a page to Markdown; its pictures will be stored in `folder`.
pub fn markdown(page: &str, folder: &str) -> MarkdownFile {
    let root = dom::parse(page);
    // Dropping a tree empties all of its nodes, so `root` must stay alive.
    let main = find(&root, "main").unwrap_or_else(|| root.clone());
    let mut pictures = Pictures::new(folder);
    pictures.targets = targets(&main);
    let mut blocks = Blocks {
        pictures: &mut pictures,
    };
    let text = blocks.children(&main).join("\n\n");
    MarkdownFile {
        text: text + "\n",
        pictures: pictures.files,
    }
}

#[cfg(test)]
mod tests;
