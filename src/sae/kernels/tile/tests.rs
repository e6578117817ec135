use super::*;

fn ramp(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 12) as f32 / 524_288.0 - 1.0)
        .collect()
}

/// Every kernel that this CPU can run.
fn kernels() -> Vec<TileKernel> {
    let mut kernels = vec![TileKernel {
        rows: 4,
        run: tile_plain,
        keep: keep_plain,
    }];
    #[cfg(target_arch = "x86_64")]
    {
        if level() == Level::Avx512 {
            kernels.push(TileKernel {
                rows: 12,
                run: x86::tile_avx512,
                keep: x86::keep_avx512,
            });
        }
        if level() != Level::Plain {
            kernels.push(TileKernel {
                rows: 6,
                run: x86::tile_avx2,
                keep: x86::keep_avx2,
            });
        }
    }
    kernels
}

#[test]
fn every_kernel_gives_the_plain_product() {
    // One part of a panel, an odd one; and two parts, the second a short one.
    for d in [37, DEPTH + 3] {
        let (x, panel) = (ramp(CHUNK * d, 1), ramp(PANEL * d, 2));
        for kernel in kernels() {
            // The last row lies in the middle of a tile.
            let n = 3 * kernel.rows + 1;
            let (mut tile, mut laid_out) = ([[f32::NAN; PANEL]; CHUNK], Vec::new());
            kernel.lay_out(&x, d, &mut laid_out);
            kernel.product(&laid_out, &panel, n, &mut tile);
            for (i, row) in tile[..n].iter().enumerate() {
                for (l, got) in row.iter().enumerate() {
                    let want: f32 = (0..d).map(|k| x[i * d + k] * panel[k * PANEL + l]).sum();
                    assert!(
                        (got - want).abs() < 1e-4,
                        "{} rows: [{i}][{l}] {got} against {want}",
                        kernel.rows
                    );
                }
            }
        }
    }
}

#[test]
fn every_kernel_keeps_what_is_above_the_floor() {
    let mut tile = [[0f32; PANEL]; CHUNK];
    for (row, values) in tile.iter_mut().zip(ramp(CHUNK * PANEL, 3).chunks(PANEL)) {
        row.copy_from_slice(values);
    }
    // Always kept, where there is a feature: NaN. Never: minus infinity and 0 itself.
    let nan = f32::NAN;
    (tile[0][5], tile[1][6], tile[2]) = (nan, f32::NEG_INFINITY, [0.0; PANEL]);
    (tile[3], tile[4][31]) = ([-nan; PANEL], nan);
    for bias in [[0f32; PANEL], [0.25; PANEL]] {
        for top_k in [None, Some(2)] {
            let features = Features {
                first: 64,
                // The last lane is not a feature.
                lanes: u32::MAX >> 1,
                bias: &bias,
                top_k,
            };
            let kept = |keep: fn(&mut [RowList], &Tile, &Features)| {
                let mut rows = vec![RowList::default(); CHUNK];
                // Twice: floors may have risen by the second time.
                keep(&mut rows, &tile, &features);
                keep(&mut rows, &tile, &features);
                rows
            };
            let wanted = kept(keep_plain);
            // Compared as text, since NaN is not equal to NaN.
            let text = |rows: &[RowList]| format!("{rows:?}");
            let wanted_text = text(&wanted);
            let mut kernels = kernels().into_iter();
            assert!(kernels.all(|kernel| text(&kept(kernel.keep)) == wanted_text));
            let n_nan = |row: usize| {
                wanted_text
                    .split("RowList")
                    .nth(row + 1)
                    .unwrap()
                    .matches("NaN")
            };
            let counts = [0, 3, 4].map(|row| n_nan(row).count());
            assert_eq!(counts, [2, 62, 0], "{bias:?} {top_k:?}");
        }
    }
}
