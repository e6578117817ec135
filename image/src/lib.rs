//! The library under another name, as a `dylib`: a cell that asks for
//! `holoscope` is given this (see `kernel/src/image/`).

pub use holoscope::*;

/// `print!` whose text is seen at once, where Rust's waits for the end of the line. Every crate of a
/// cell imports it by `#[macro_use]`, so that it reaches the user's modules, too.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => {{
        ::std::print!($($text)*);
        let _ = ::std::io::Write::flush(&mut ::std::io::stdout());
    }};
}

/// Code that rustc would otherwise generate in every cell that needs it: what drops a value, and
/// the generic methods that cells call most, for the types that they call them with.
///
/// This crate is compiled at a level (1, as cells are) at which rustc lets later crates use what an
/// earlier one has generated; above it, each crate generates its own.
#[doc(hidden)]
pub mod generated {
    use holoscope::candle::{Error as CandleError, Result as CandleResult, Tensor};
    use holoscope::polars::prelude::{
        Column, DataFrame, Expr, LazyFrame, LazyGroupBy, Literal, PolarsError, Series,
        SortMultipleOptions, col, lit,
    };
    use std::hint::black_box;
    use std::ptr::drop_in_place;

    fn dropped<T>() {
        black_box(drop_in_place::<T> as unsafe fn(*mut T));
        black_box(drop_in_place::<Box<T>> as unsafe fn(*mut Box<T>));
        black_box(drop_in_place::<Vec<T>> as unsafe fn(*mut Vec<T>));
        black_box(drop_in_place::<Option<T>> as unsafe fn(*mut Option<T>));
    }

    fn fallible<T>() {
        dropped::<T>();
        dropped::<Result<T, PolarsError>>();
        dropped::<Result<T, CandleError>>();
        dropped::<Result<T, holoscope::Error>>();
    }

    type Joined<T> = fn(&[T], usize) -> CandleResult<Tensor>;

    fn tensors() {
        black_box(Tensor::cat::<Tensor, usize> as Joined<Tensor>);
        black_box(Tensor::cat::<&Tensor, usize> as Joined<&Tensor>);
        black_box(Tensor::stack::<Tensor, usize> as Joined<Tensor>);
        black_box(Tensor::stack::<&Tensor, usize> as Joined<&Tensor>);
        numbers::<f32>();
        numbers::<u32>();
    }

    fn numbers<T: holoscope::candle::WithDType>() {
        black_box(Tensor::to_scalar::<T> as fn(&Tensor) -> CandleResult<T>);
        black_box(Tensor::to_vec1::<T> as fn(&Tensor) -> CandleResult<Vec<T>>);
        black_box(Tensor::to_vec2::<T> as fn(&Tensor) -> CandleResult<Vec<Vec<T>>>);
        black_box(Tensor::to_vec3::<T> as fn(&Tensor) -> CandleResult<Vec<Vec<Vec<T>>>>);
    }

    /// The usual ways to make an expression, and the methods of lazy frames that take some.
    fn frames() {
        fn with<E: AsRef<[Expr]>>() {
            black_box(LazyFrame::select::<E> as fn(LazyFrame, E) -> LazyFrame);
            black_box(LazyFrame::with_columns::<E> as fn(LazyFrame, E) -> LazyFrame);
            black_box(LazyFrame::group_by::<E, Expr> as fn(LazyFrame, E) -> LazyGroupBy);
            black_box(LazyGroupBy::agg::<E> as fn(LazyGroupBy, E) -> LazyFrame);
        }
        with::<[Expr; 1]>();
        with::<[Expr; 2]>();
        with::<[Expr; 3]>();
        with::<Vec<Expr>>();
        black_box(
            sort_by_name as fn(LazyFrame, [&'static str; 1], SortMultipleOptions) -> LazyFrame,
        );
        black_box(col::<&str> as fn(&'static str) -> Expr);
        black_box(Expr::alias::<&str> as fn(Expr, &'static str) -> Expr);
        for compare in [
            Expr::eq::<Expr>,
            Expr::neq,
            Expr::lt,
            Expr::lt_eq,
            Expr::gt,
            Expr::gt_eq,
        ] {
            black_box(compare as fn(Expr, Expr) -> Expr);
        }
        literal::<i32>();
        literal::<i64>();
        literal::<u32>();
        literal::<f32>();
        literal::<f64>();
        literal::<bool>();
        literal::<&str>();
    }

    fn sort_by_name(
        frame: LazyFrame,
        by: [&'static str; 1],
        options: SortMultipleOptions,
    ) -> LazyFrame {
        frame.sort(by, options)
    }

    fn literal<T: Literal>() {
        black_box(lit::<T> as fn(T) -> Expr);
    }

    /// Never called: that it names them is enough.
    pub fn all() {
        fallible::<LazyFrame>();
        fallible::<DataFrame>();
        fallible::<Series>();
        fallible::<Column>();
        fallible::<Expr>();
        fallible::<Tensor>();
        dropped::<SortMultipleOptions>();
        tensors();
        frames();
    }
}
