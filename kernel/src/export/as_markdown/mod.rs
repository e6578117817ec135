//! The page as Markdown that GitHub shows and Quarto reads: what refers to something has its number, what is computed
//! its value, formulas are LaTeX, and pictures are files beside it.
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

/// A document of several files.
#[derive(Debug, PartialEq, Eq)]
pub struct MarkdownFile {
    pub text: String,
    /// Pictures by their names; the text looks for them in the folder that it was given.
    pub pictures: Vec<(String, Vec<u8>)>,
}

/// A page's Markdown; its pictures will lie in `folder`.
pub fn markdown(page: &str, folder: &str) -> MarkdownFile {
    let root = dom::parse(page);
    // A tree that goes empties all of its nodes, so that `root` must stay.
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
