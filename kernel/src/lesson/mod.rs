//! Lessons: notebooks whose exercises have a solution, typical wrong answers and checks. One source makes the student's
//! and the teacher's version; wrong answers prove the checks; submissions are graded with the checks of the source.

pub mod exercises;
pub mod grading;
mod markers;
pub mod verdict;
pub mod verification;
pub mod versions;

#[cfg(test)]
mod tests;
