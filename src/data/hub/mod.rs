//! The Hugging Face hub: its files, and the cache that other tools share.
//!
//! A commit of a repository lies in `models--org--name/snapshots/{commit}/`, as links to
//! `blobs/{etag}`; `refs/{revision}` holds a commit. Source: the `hf-hub` crate, huggingface_hub.

mod cached;
mod client;
mod metadata;
mod questions;
mod repository;
mod settings;

pub use client::{ChooseFiles, Hub};
