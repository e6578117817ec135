//! The numbers that training changes, by name: the content of a checkpoint.
//!
//! The owner of such numbers lists them as [`Slot`]s; the same list is used to write and to read a
//! checkpoint, so that neither can miss one.

use super::kernels::Moments;
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::collections::BTreeMap;

/// A reference to the numbers of one name.
pub(super) enum Slot<'a> {
    F32(&'a mut [f32]),
    F64(&'a mut [f64]),
    U32(&'a mut [u32]),
    U64(&'a mut [u64]),
    Count(&'a mut usize),
    /// The position in its stream; seed and stream are determined by the configuration.
    Rng(&'a mut ChaCha8Rng),
}

/// References to numbers, each with its name.
pub(super) type Slots<'a> = Vec<(String, Slot<'a>)>;

/// Adam's two moments of the parameter of this name.
pub(super) fn moments<'a>(of: &str, moments: &'a mut Moments) -> Slots<'a> {
    let Moments { m, v } = moments;
    vec![
        (format!("adam.m.{of}"), Slot::F32(m)),
        (format!("adam.v.{of}"), Slot::F32(v)),
    ]
}

/// Numbers by name, as the bytes of their tensors.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StateDict(BTreeMap<String, Saved>);

#[derive(Debug, Clone, PartialEq)]
struct Saved {
    dtype: Dtype,
    n: usize,
    bytes: Vec<u8>,
}

impl StateDict {
    /// Stores the content of the slots.
    pub(super) fn keep(&mut self, slots: Slots) {
        for (name, slot) in slots {
            self.0.insert(name, Saved::of(slot));
        }
    }

    /// Whether there are numbers of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// How many numbers of that name there are.
    pub(super) fn len_of(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, |saved| saved.n)
    }

    /// Fills each slot with the numbers of its name, or returns why it cannot; all numbers here whose
    /// name has the prefix must have a slot.
    pub(super) fn restore(&self, prefix: &str, slots: Slots) -> Result<(), String> {
        let ours = |name: &&String| name.starts_with(prefix);
        let n_ours = self.0.keys().filter(ours).count();
        if n_ours > slots.len() {
            let has_slot = |name: &String| slots.iter().any(|(slot, _)| slot == name);
            let extra = self.0.keys().filter(ours).find(|name| !has_slot(name));
            let extra = extra.cloned().unwrap_or_default();
            return Err(format!("this training has no {extra:?}"));
        }
        for (name, slot) in slots {
            let saved = self.0.get(&name);
            let saved = saved.ok_or_else(|| format!("it has no {name:?}"))?;
            saved.fill(slot).map_err(|why| format!("{name:?} {why}"))?;
        }
        Ok(())
    }

    /// Each name with its tensor.
    pub(super) fn views(&self) -> Result<Vec<(&str, TensorView<'_>)>, String> {
        let mut views = Vec::with_capacity(self.0.len());
        for (name, saved) in &self.0 {
            let view = TensorView::new(saved.dtype, vec![saved.n], &saved.bytes);
            views.push((name.as_str(), view.map_err(|e| format!("{name}: {e}"))?));
        }
        Ok(views)
    }

    /// The tensors of a file.
    pub(super) fn of_views<'a>(views: impl Iterator<Item = (String, TensorView<'a>)>) -> Self {
        let saved = |view: TensorView| Saved {
            dtype: view.dtype(),
            n: view.shape().iter().product(),
            bytes: view.data().to_vec(),
        };
        Self(views.map(|(name, view)| (name, saved(view))).collect())
    }

    /// CRC-32C of names and bytes, continuing that of `text`.
    pub(super) fn checksum(&self, text: &str) -> u32 {
        let mut sum = crc32c::crc32c(text.as_bytes());
        for (name, saved) in &self.0 {
            sum = crc32c::crc32c_append(sum, name.as_bytes());
            sum = crc32c::crc32c_append(sum, &saved.bytes);
        }
        sum
    }
}

impl Saved {
    fn of(slot: Slot) -> Self {
        let (dtype, n, bytes) = match slot {
            Slot::F32(v) => (Dtype::F32, v.len(), bytes(v, f32::to_le_bytes)),
            Slot::F64(v) => (Dtype::F64, v.len(), bytes(v, f64::to_le_bytes)),
            Slot::U32(v) => (Dtype::U32, v.len(), bytes(v, u32::to_le_bytes)),
            Slot::U64(v) => (Dtype::U64, v.len(), bytes(v, u64::to_le_bytes)),
            Slot::Count(n) => (Dtype::U64, 1, (*n as u64).to_le_bytes().to_vec()),
            Slot::Rng(rng) => (Dtype::U64, 2, rng.get_word_pos().to_le_bytes().to_vec()),
        };
        Self { dtype, n, bytes }
    }

    fn fill(&self, slot: Slot) -> Result<(), String> {
        let check = |dtype: Dtype, n: usize| match (self.dtype, self.n) == (dtype, n) {
            true => Ok(()),
            false => Err(format!(
                "is {} numbers of {:?} where {n} of {dtype:?} belong",
                self.n, self.dtype
            )),
        };
        match slot {
            Slot::F32(v) => {
                check(Dtype::F32, v.len())?;
                numbers(&self.bytes, v, f32::from_le_bytes);
            }
            Slot::F64(v) => {
                check(Dtype::F64, v.len())?;
                numbers(&self.bytes, v, f64::from_le_bytes);
            }
            Slot::U32(v) => {
                check(Dtype::U32, v.len())?;
                numbers(&self.bytes, v, u32::from_le_bytes);
            }
            Slot::U64(v) => {
                check(Dtype::U64, v.len())?;
                numbers(&self.bytes, v, u64::from_le_bytes);
            }
            Slot::Count(n) => {
                check(Dtype::U64, 1)?;
                let mut value = [0];
                numbers(&self.bytes, &mut value, u64::from_le_bytes);
                *n = usize::try_from(value[0]).map_err(|_| format!("is {}", value[0]))?;
            }
            Slot::Rng(rng) => {
                check(Dtype::U64, 2)?;
                let mut place = [0];
                numbers(&self.bytes, &mut place, u128::from_le_bytes);
                rng.set_word_pos(place[0]);
            }
        }
        Ok(())
    }
}

fn bytes<T: Copy, const N: usize>(values: &[T], to: fn(T) -> [u8; N]) -> Vec<u8> {
    let mut out = vec![0; values.len() * N];
    for (bytes, &value) in out.chunks_exact_mut(N).zip(values) {
        bytes.copy_from_slice(&to(value));
    }
    out
}

fn numbers<T, const N: usize>(bytes: &[u8], out: &mut [T], of: fn([u8; N]) -> T) {
    for (value, bytes) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *value = of(*bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    fn slot<'a>(name: &str, slot: Slot<'a>) -> (String, Slot<'a>) {
        (name.to_owned(), slot)
    }

    #[test]
    fn numbers_come_back_bit_for_bit_and_only_into_their_places() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let _: [u32; 5] = rng.random();
        let (mut a, mut b) = (vec![0.1f32, -0.0, f32::NAN], [1e-300f64]);
        let (mut c, mut d, mut n) = (vec![7u32; 3], vec![u64::MAX], 12usize);
        let mut dict = StateDict::default();
        dict.keep(vec![
            slot("a", Slot::F32(&mut a)),
            slot("b", Slot::F64(&mut b)),
            slot("c", Slot::U32(&mut c)),
            slot("d", Slot::U64(&mut d)),
            slot("n", Slot::Count(&mut n)),
            slot("rng", Slot::Rng(&mut rng)),
        ]);
        let next: u64 = rng.random();
        let (mut a2, mut b2) = (vec![0f32; 3], [0f64]);
        let (mut c2, mut d2, mut n2) = (vec![0u32; 3], vec![0u64], 0usize);
        let mut other = ChaCha8Rng::seed_from_u64(1);
        let read = dict.restore(
            "",
            vec![
                slot("a", Slot::F32(&mut a2)),
                slot("b", Slot::F64(&mut b2)),
                slot("c", Slot::U32(&mut c2)),
                slot("d", Slot::U64(&mut d2)),
                slot("n", Slot::Count(&mut n2)),
                slot("rng", Slot::Rng(&mut other)),
            ],
        );
        assert_eq!(read, Ok(()));
        let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
        assert_eq!((bits(&a), b, c, d, n), (bits(&a2), b2, c2, d2, n2));
        assert_eq!(other.random::<u64>(), next);

        let mut short = vec![0f32; 2];
        let wrong = dict.restore("a", vec![slot("a", Slot::F32(&mut short))]);
        assert!(wrong.unwrap_err().contains("3 numbers of F32"));
        let missing = dict.restore("z", vec![slot("z", Slot::F32(&mut short))]);
        assert!(missing.unwrap_err().contains("it has no \"z\""));
        let extra = dict.restore("a", Vec::new());
        assert!(extra.unwrap_err().contains("this training has no \"a\""));
    }
}
