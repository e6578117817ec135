//! An allowance that is spent and recovers with time: at most `burst` at once,
//! and `rate` per second after that (a token bucket).

use std::time::Instant;

#[derive(Debug)]
pub struct Bucket {
    burst: f64,
    rate: f64,
    allowance: f64,
    last: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(burst: f64, rate: f64) -> Self {
        Self {
            burst,
            rate,
            allowance: burst,
            last: Instant::now(),
        }
    }

    /// Refills it.
    pub fn fill(&mut self) {
        self.allowance = self.burst;
        self.last = Instant::now();
    }

    /// What may be spent now.
    pub fn allowance(&mut self) -> f64 {
        let now = Instant::now();
        let gained = now.duration_since(self.last).as_secs_f64() * self.rate;
        self.allowance = (self.allowance + gained).min(self.burst);
        self.last = now;
        self.allowance
    }

    /// True once it has recovered from being empty: not at every small gain,
    /// because each recovery prints a note.
    pub fn recovered(&mut self) -> bool {
        self.allowance() >= self.burst / 2.0
    }

    /// Spends up to the available allowance.
    pub fn spend(&mut self, amount: f64) {
        self.allowance = (self.allowance() - amount).max(0.0);
    }
}
