//! The current page and state, and waiting for their changes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The current page and state, shared between renderer and server.
#[derive(Debug, Default)]
pub struct Board {
    shown: Mutex<Shown>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Shown {
    page: String,
    news: News,
}

/// The state that is sent to a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Grows with every change, of the page or of the state.
    pub change: u64,
    /// Grows with every new page.
    pub version: u64,
    /// "running cell 3 of 12"
    pub status: String,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page as it is now.
    pub fn page(&self) -> String {
        self.lock().page.clone()
    }

    /// Shows a page; an unchanged page has no effect.
    pub fn show(&self, page: String) {
        let mut shown = self.lock();
        if shown.page != page {
            shown.page = page;
            shown.news.version += 1;
            shown.news.change += 1;
            self.changed.notify_all();
        }
    }

    /// Sets the status.
    pub fn say(&self, status: &str) {
        let mut shown = self.lock();
        if shown.news.status != status {
            shown.news.status = status.to_owned();
            shown.news.change += 1;
            self.changed.notify_all();
        }
    }

    /// Waits for news after the change `seen`; `None` if there are none within `wait`.
    pub fn news(&self, seen: Option<u64>, wait: Duration) -> Option<News> {
        let old = |shown: &mut Shown| seen == Some(shown.news.change);
        let (shown, _) = self
            .changed
            .wait_timeout_while(self.lock(), wait, old)
            .unwrap_or_else(PoisonError::into_inner);
        (seen != Some(shown.news.change)).then(|| shown.news.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_of_each_change_once() {
        let board = std::sync::Arc::new(Board::default());
        let short = Duration::from_millis(20);
        let first = board.news(None, short).unwrap();
        assert_eq!(board.news(Some(first.change), short), None);
        let teller = std::sync::Arc::clone(&board);
        let told =
            std::thread::spawn(move || teller.news(Some(first.change), Duration::from_secs(60)));
        board.show("page".to_owned());
        let second = told.join().unwrap().unwrap();
        assert_eq!(second.version, first.version + 1);
        // The same page again is no news.
        board.show("page".to_owned());
        assert_eq!(board.news(Some(second.change), short), None);
        board.say("running");
        let third = board.news(Some(second.change), short).unwrap();
        assert_eq!((third.version, &*third.status), (second.version, "running"));
        assert_eq!(board.page(), "page");
    }
}
