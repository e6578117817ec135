//! Damaged and hostile `.pt` and `.npz` files give errors, never a panic, and run nothing.

#[path = "common/archives.rs"]
mod archives;

use archives::{Entry, npz_file, torch_archive, torch_file};
use holoscope::sae::{Sae, SparseAutoencoder};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::LazyLock;

const D: usize = 2;
const S: usize = 3;

fn entries() -> Vec<Entry> {
    vec![
        Entry::floats("W_enc", &[1.0; D * S], &[D, S]),
        Entry::floats("W_dec", &[1.0; D * S], &[S, D]),
        Entry::floats("b_enc", &[0.0; S], &[S]),
        Entry::floats("b_dec", &[0.0; D], &[D]),
    ]
}

/// A folder with a configuration for `x.pt`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::write(folder.0.path().join("x_cfg.json"), "{}").unwrap();
        folder
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// What is said of these bytes as `x.pt`.
    fn torch(&self, bytes: &[u8]) -> String {
        Sae::load(self.file("x.pt", bytes)).unwrap_err().to_string()
    }
}

static TORCH: LazyLock<Vec<u8>> = LazyLock::new(|| torch_file(&entries()));
static NPZ: LazyLock<Vec<u8>> = LazyLock::new(|| {
    npz_file(&[
        ("W_enc", &[1.0; D * S], &[D, S]),
        ("W_dec", &[1.0; D * S], &[S, D]),
        ("b_enc", &[0.0; S], &[S]),
        ("b_dec", &[0.0; D], &[D]),
        ("threshold", &[0.5; S], &[S]),
    ])
});

#[test]
fn the_files_are_read_as_they_are() {
    let folder = Folder::new();
    assert_eq!(Sae::load(folder.file("x.pt", &TORCH)).unwrap().d_sae(), S);
    assert_eq!(Sae::load(folder.file("x.npz", &NPZ)).unwrap().d_sae(), S);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_damage_makes_it_panic(
        at in any::<proptest::sample::Index>(), byte: u8, cut in any::<proptest::sample::Index>(), truncate: bool,
    ) {
        let folder = Folder::new();
        for (name, file) in [("x.pt", &*TORCH), ("x.npz", &*NPZ)] {
            let mut bytes = file.clone();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if truncate {
                bytes.truncate(cut.index(file.len()));
            }
            let _ = Sae::load(folder.file(name, &bytes));
        }
    }

    /// The pickle alone, in an archive whose checksums are right.
    #[test]
    fn no_pickle_makes_it_panic(
        at in any::<proptest::sample::Index>(), byte: u8, cut in any::<proptest::sample::Index>(), truncate: bool,
    ) {
        let folder = Folder::new();
        let mut pickle = pickle_of(&TORCH);
        let index = at.index(pickle.len());
        pickle[index] = byte;
        if truncate {
            pickle.truncate(cut.index(pickle.len()));
        }
        let _ = Sae::load(folder.file("x.pt", &torch_archive(&pickle, &entries())));
    }
}

fn pickle_of(file: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(file)).unwrap();
    let mut member = archive.by_name("archive/data.pkl").unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut member, &mut bytes).unwrap();
    bytes
}

#[test]
fn legacy_files_and_other_things_are_named() {
    let folder = Folder::new();
    // How a file of PyTorch before 1.6 begins: a pickle of the magic number.
    let legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
    assert!(
        folder.torch(legacy).contains("PyTorch 1.6"),
        "{}",
        folder.torch(legacy)
    );
    let model = b"\x80\x02cmy.models\nNet\n)\x81.";
    let message = folder.torch(&torch_archive(model, &[]));
    assert!(
        message.contains("an object of my.models.Net") && message.contains("state_dict"),
        "{message}"
    );
    let message = folder.torch(&torch_archive(b"\x80\x02}K\x01K\x02s.", &[]));
    assert!(message.contains("the number 1"), "{message}");
}

#[test]
fn a_hostile_pickle_runs_nothing() {
    let folder = Folder::new();
    let touched = folder.0.path().join("touched");
    let command = format!("touch {}", touched.display());
    let mut pickle = b"\x80\x02}X\x05\x00\x00\x00W_enccposix\nsystem\nX".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.bytes());
    pickle.extend(b"\x85Rs.");
    let message = folder.torch(&torch_archive(&pickle, &[]));
    assert!(message.contains("posix.system"), "{message}");
    assert!(!touched.exists());
}

#[test]
fn views_beyond_their_storage_are_refused() {
    let folder = Folder::new();
    let with = |change: &dyn Fn(&mut Entry)| {
        let mut entries = entries();
        change(&mut entries[0]);
        folder.torch(&torch_file(&entries))
    };
    for message in [
        with(&|entry| entry.offset = 1),
        with(&|entry| entry.strides = vec![4, 1]),
        with(&|entry| entry.shape = vec![3, 3]),
        with(&|entry| entry.storage.truncate(20)),
    ] {
        assert!(
            message.contains("\"W_enc\"") && message.contains("beyond the storage"),
            "{message}"
        );
    }
    // A tensor that a few bytes could blow up to a terabyte.
    let message =
        with(&|entry| (entry.shape, entry.strides) = (vec![1 << 20, 1 << 18], vec![0, 0]));
    assert!(message.contains("too often"), "{message}");
    let message = with(&|entry| entry.class = "ComplexFloatStorage");
    assert!(message.contains("ComplexFloatStorage"), "{message}");
}

#[test]
fn views_with_strides_and_offsets_and_half_precision_are_read() {
    let folder = Folder::new();
    let mut entries = entries();
    // Every second number from the second on: 1 3 5 of 0 .. 5.
    let storage: Vec<f32> = (0..6).map(|i| i as f32).collect();
    entries[2] = Entry {
        strides: vec![2],
        offset: 1,
        ..Entry::floats("b_enc", &storage, &[S])
    };
    // 1.5 in bf16 and f16, 2.5 in f64.
    entries[3] = Entry::new(
        "b_dec",
        "BFloat16Storage",
        2,
        vec![0xc0, 0x3f, 0xc0, 0x3f],
        &[D],
    );
    entries[1] = Entry::new(
        "W_dec",
        "HalfStorage",
        2,
        [0x00, 0x3e].repeat(D * S),
        &[S, D],
    );
    let wide: Vec<u8> = [2.5f64; D * S]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    entries[0] = Entry::new("W_enc", "DoubleStorage", 8, wide, &[D, S]);
    let sae = Sae::load(folder.file("x.pt", &torch_file(&entries))).unwrap();
    assert_eq!(sae.b_enc().to_vec1::<f32>().unwrap(), [1.0, 3.0, 5.0]);
    assert_eq!(sae.b_dec().to_vec1::<f32>().unwrap(), [1.5; D]);
    assert_eq!(sae.w_dec().to_vec2::<f32>().unwrap(), [[1.5; D]; S]);
    assert_eq!(sae.w_enc().to_vec2::<f32>().unwrap(), [[2.5; S]; D]);
}
