//! Notes on what was corrected or left out while reading, one line per kind.

/// Collects notes; the places of one kind are counted, not listed.
#[derive(Debug, Default)]
pub struct Notes {
    kinds: Vec<Kind>,
}

#[derive(Debug)]
struct Kind {
    what: String,
    first: String,
    count: usize,
}

impl Notes {
    /// Notes `what` for the whole file.
    pub fn file(&mut self, what: impl Into<String>) {
        self.at("", what);
    }

    /// Notes `what` for `place`, for example "cell 3".
    pub fn at(&mut self, place: impl Into<String>, what: impl Into<String>) {
        let what = what.into();
        match self.kinds.iter_mut().find(|kind| kind.what == what) {
            Some(kind) => kind.count += 1,
            None => self.kinds.push(Kind {
                what,
                first: place.into(),
                count: 1,
            }),
        }
    }

    /// The lines, in the order in which their kinds first occurred.
    pub fn finish(self) -> Vec<String> {
        let lines = self.kinds.into_iter().map(|kind| {
            let Kind { what, first, count } = kind;
            match (first.is_empty(), count) {
                (true, _) => what,
                (false, 1) => format!("{first}: {what}"),
                (false, 2) => format!("{first} and 1 other place: {what}"),
                (false, n) => format!("{first} and {} other places: {what}", n - 1),
            }
        });
        lines.collect()
    }
}
