//! The integer product in the tiles of Intel's AMX: 16 rows of 64 bytes by 64 bytes of 16 features in one instruction
//! (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18).

use super::bounds::{Line, QuantisedRows, Word};
use super::sums::Sums;
use crate::sae::kernels::tile::panel::PANEL;
use std::arch::asm;
use std::arch::x86_64::{__cpuid_count, _MM_HINT_T1, _mm_prefetch};
use std::sync::OnceLock;

/// Rows of one tile of inputs.
const ROWS: usize = 16;

/// Whether this CPU has the instructions and the system allows this process to use them.
pub(super) fn is_available() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let leaf = __cpuid_count(7, 0);
        let (tiles, int8) = (1 << 24, 1 << 25);
        leaf.edx & tiles != 0 && leaf.edx & int8 != 0 && may_use_tiles()
    })
}

/// Requests the tiles' registers from Linux: from then on it saves 8 KiB more per thread. It refuses where a thread's
/// signal stack has no room for them (Documentation/arch/x86/xstate.rst).
#[cfg(target_os = "linux")]
fn may_use_tiles() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call takes no pointers.
    unsafe {
        libc::syscall(
            libc::SYS_arch_prctl,
            ARCH_REQ_XCOMP_PERM,
            XFEATURE_XTILEDATA,
        ) == 0
    }
}

#[cfg(not(target_os = "linux"))]
fn may_use_tiles() -> bool {
    false
}

/// Palette 1, every tile with 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Config([u8; 64]);

static CONFIG: Config = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = ROWS as u8;
        tile += 1;
    }
    Config(bytes)
};

/// Writes the sums of every row, two tiles of rows by two of features at a time, and prefetches the next panel.
///
/// # Safety
/// Only where [`is_available`].
pub(super) unsafe fn product(x: &QuantisedRows, panel: &[Word], next: &[Word], sums: &mut Sums) {
    let steps = x.steps();
    assert_eq!(panel.len(), 16 * steps);
    let rows = x.lines().chunks_exact(2 * ROWS * steps);
    let pairs = sums.0.chunks_exact_mut(2 * ROWS).zip(rows);
    // SAFETY: no tile is in use before the call, and none after it.
    unsafe { asm!("ldtilecfg [{config}]", config = in(reg) &CONFIG, options(nostack)) };
    for (i, (sums, rows)) in pairs.take(x.n().div_ceil(2 * ROWS)).enumerate() {
        if i == 0 {
            prefetch(next);
        }
        // SAFETY: the tiles are configured.
        unsafe { block(rows, panel, sums) };
    }
    // SAFETY: as above.
    unsafe { asm!("tilerelease", options(nostack)) };
}

/// The sums of 32 rows.
///
/// # Safety
/// Only with [`CONFIG`] loaded.
unsafe fn block(rows: &[Line], panel: &[Word], sums: &mut [[i32; PANEL]]) {
    let steps = panel.len() / 16;
    assert!(rows.len() == 2 * ROWS * steps && sums.len() == 2 * ROWS);
    // SAFETY: `rows` has 32 rows of `steps` lines of 64 bytes, `panel` 16 `steps` rows of 128 bytes, `sums` 32 rows of
    // 128 bytes.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{x} + {x_row}]",
            "tileloadd tmm6, [{w} + {w_row}]",
            "tileloadd tmm7, [{w} + {w_row} + 64]",
            "tdpbsud tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{x_below} + {x_row}]",
            "tdpbsud tmm1, tmm4, tmm7",
            "tdpbsud tmm2, tmm5, tmm6",
            "tdpbsud tmm3, tmm5, tmm7",
            "add {x}, 64",
            "add {x_below}, 64",
            "add {w}, 2048",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{sums} + {w_row}], tmm0",
            "tilestored [{sums} + {w_row} + 64], tmm1",
            "tilestored [{sums} + {w_row} + 2048], tmm2",
            "tilestored [{sums} + {w_row} + 2112], tmm3",
            x = inout(reg) rows.as_ptr() => _,
            x_below = inout(reg) rows[ROWS * steps..].as_ptr() => _,
            x_row = in(reg) steps * 64,
            w = inout(reg) panel.as_ptr() => _,
            w_row = in(reg) 128usize,
            steps = inout(reg) steps => _,
            sums = in(reg) sums.as_mut_ptr(),
            options(nostack),
        );
    }
}

/// Prefetches a panel: the CPU does not predict loads of tiles, whose rows are apart.
fn prefetch(panel: &[Word]) {
    for line in panel.iter().flat_map(|Word(word)| word.as_chunks::<16>().0) {
        // SAFETY: a prefetch has no visible effect, and the address is the panel's.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
}
