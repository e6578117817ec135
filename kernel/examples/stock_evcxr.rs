//! Stock `evcxr_jupyter`, for tests and side-by-side measurements.

fn main() {
    if let Err(error) = evcxr_jupyter::main() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
