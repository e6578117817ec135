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
    let d = 37;
    let (x, panel) = (ramp(ROWS_MAX * d, 1), ramp(PANEL * d, 2));
    for kernel in kernels() {
        let mut tile = [[f32::NAN; PANEL]; ROWS_MAX];
        (kernel.run)(&x, &panel, d, &mut tile);
        for (i, row) in tile[..kernel.rows].iter().enumerate() {
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

#[test]
fn every_kernel_keeps_what_is_above_the_floor() {
    let mut tile = [[0f32; PANEL]; ROWS_MAX];
    for (row, values) in tile.iter_mut().zip(ramp(ROWS_MAX * PANEL, 3).chunks(PANEL)) {
        row.copy_from_slice(values);
    }
    // Never kept: what is no number, minus infinity, and 0 itself.
    (tile[0][5], tile[1][6], tile[2]) = (f32::NAN, f32::NEG_INFINITY, [0.0; PANEL]);
    for bias in [[0f32; PANEL], [0.25; PANEL]] {
        for top_k in [None, Some(2)] {
            let features = Features {
                first: 64,
                bias: &bias,
                top_k,
            };
            let kept = |keep: fn(&mut [RowList], &Tile, &Features)| {
                let mut rows = vec![RowList::default(); ROWS_MAX];
                // Twice: the second time, floors may have risen.
                keep(&mut rows, &tile, &features);
                keep(&mut rows, &tile, &features);
                rows
            };
            let wanted = kept(keep_plain);
            assert!(kernels().iter().all(|kernel| kept(kernel.keep) == wanted));
        }
    }
}

#[test]
fn lists_hold_exactly_the_positive_activations() {
    // 41 features: one full panel and a part of one; 50 tokens: no multiple of any kernel's rows.
    let (d, s, n) = (24, 41, 50);
    let (w, b, x) = (ramp(s * d, 3), ramp(s, 4), ramp(CHUNK * d, 5));
    let mut lists = ActiveLists::default();
    let mut packed = PackedEncoder::new(&w, &ramp(s, 9), d);
    for j in 0..s {
        packed.set_feature(j, &w[j * d..][..d], b[j]);
    }
    packed.encode(&x, n, &mut lists);
    assert_eq!(lists.ends.len(), n);
    for i in 0..n {
        let mut acts = vec![0f32; s];
        let (idx, vals) = lists.row(i);
        assert!(idx.is_sorted() && vals.iter().all(|v| *v > 0.0));
        for (&j, &v) in idx.iter().zip(vals) {
            acts[j as usize] = v;
        }
        for (j, got) in acts.iter().enumerate() {
            let pre: f32 = b[j] + (0..d).map(|k| x[i * d + k] * w[j * d + k]).sum::<f32>();
            assert!(
                (got - pre.max(0.0)).abs() < 1e-4,
                "token {i}, feature {j}: {got} against {pre}"
            );
        }
    }
}
