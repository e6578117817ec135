//! The grammar of the plays: inflections, phrases, clauses, sentences.

pub(super) mod clauses;
pub(super) mod inflect;
pub(super) mod phrases;
pub(super) mod sentences;
pub(super) mod subjects;
