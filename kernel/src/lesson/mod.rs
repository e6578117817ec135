//! Lessons: notebooks whose exercises have a solution, typical wrong answers and checks. The student's and the
//! teacher's version are made from one source; wrong answers verify the checks; submissions are graded with the checks
//! of the source.

pub mod exercises;
pub mod grading;
mod markers;
pub mod verdict;
pub mod verification;
pub mod versions;

#[cfg(test)]
mod tests;
